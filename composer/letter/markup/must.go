package markup

import (
	"bytes"
	"fmt"
	htmltemplate "html/template"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/mailblast/mailblast/composer/letter/vocabulary"
)

// Null is what becomes of a row when an action prints a NULL.
type Null struct {
	Do   NullAction
	Text string // for NullPrints
}

// NullAction is one of the things that can become of it.
type NullAction uint8

// What printing a NULL does: the row fails, is left out, or a text is printed in its place.
const (
	NullFails NullAction = iota
	NullSkips
	NullPrints
)

// Nulls is what becomes of the NULLs of each column.
type Nulls struct {
	Default Null
	Columns map[string]Null
}

// of gives the rule for an action that prints these columns.
func (n Nulls) of(label string) Null {
	if len(n.Columns) > 0 {
		for name := range strings.SplitSeq(label, ", ") {
			if rule, ok := n.Columns[name]; ok {
				return rule
			}
			column, _, _ := strings.Cut(name, ".") // a path goes by its column, when it has no rule of its own
			if rule, ok := n.Columns[column]; ok {
				return rule
			}
		}
	}
	return n.Default
}

// must is the last step of each output action.
func (r *Renderer) must(label string, v any) (any, error) {
	if v == nil {
		rule := r.set.nulls.of(label)
		if rule.Do == NullPrints {
			return rule.Text, nil
		}
		return nil, &Held{Null: true, Skip: rule.Do == NullSkips, Text: label + " is NULL"}
	}
	s := vocabulary.Text(v)
	if !utf8.ValidString(s) { // which a part that declares UTF-8 must be
		return nil, &Held{Text: label + " is not valid UTF-8"}
	}
	if left := LeftOver([]byte(s)); left != "" {
		return nil, &Held{Text: fmt.Sprintf("%s holds %q, which looks like a template that went wrong", label, left)}
	}
	switch v.(type) {
	case htmltemplate.HTML, htmltemplate.URL:
		return v, nil
	}
	return s, nil
}

// unformatted is what package fmt writes in place of a value that a verb does not fit.
var unformatted = regexp.MustCompile(`%!(?:[a-zA-Z]\(|\((?:NOVERB|EXTRA|BADINDEX|BADWIDTH|BADPREC))`)

var signs = [...][]byte{[]byte("{{"), []byte("<no value>"), []byte("&lt;no value&gt;"), []byte("ZgotmplZ")}

// LeftOver finds what a template that went wrong leaves behind in a text; empty when there is nothing.
func LeftOver(text []byte) string {
	for _, sign := range signs {
		if bytes.Contains(text, sign) {
			return string(sign)
		}
	}
	if bytes.Contains(text, []byte("%!")) {
		return string(unformatted.Find(text))
	}
	return ""
}
