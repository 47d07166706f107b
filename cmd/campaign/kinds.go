package campaign

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mailblast/mailblast/cmd/campaign/secret"
	"github.com/mailblast/mailblast/cmd/campaign/source"
)

// kind is what the value of a key may be: how it is taken, shown and described.
type kind interface {
	take(l *loader, path string, n *source.Node)
	show() string
	schema() map[string]any
}

// field is one key of a mapping.
type field struct {
	key  string
	kind kind
	def  string // default as campaign.yaml would have it; taken when the key is missing
	doc  string // for docs/campaign.md and editors
}

// misfit says why a text is no value of its kind.
type misfit struct{ text, hint string }

// scalar is the kind of values that are written as one text.
type scalar struct {
	want     string // for people: "a number"
	parse    func(text string) *misfit
	print    func() string
	json     map[string]any
	template bool             // ${VAR} is left alone
	relative func(dir string) // called with the folder of the file that holds the value
}

func (s scalar) show() string           { return s.print() }
func (s scalar) schema() map[string]any { return s.json }

func (s scalar) take(l *loader, path string, n *source.Node) {
	text, ok := l.text(path, n, s)
	if !ok {
		return
	}
	if m := s.parse(text); m != nil {
		l.fault(n.Pos, n.Width, path+": "+m.text, m.hint)
		return
	}
	if s.relative != nil {
		dir := l.c.Dir
		if f, ok := l.files[n.File]; ok {
			dir = f.dir
		}
		s.relative(dir)
	}
}

// text gives a scalar's text with its variables expanded.
func (l *loader) text(path string, n *source.Node, s scalar) (string, bool) {
	if n.Kind == source.Map || n.Kind == source.List {
		l.fault(n.Pos, n.Width, fmt.Sprintf("%s: expected %s, found %s", path, s.want, n.Kind), "")
		return "", false
	}
	l.record(path, n)
	if _, file := l.files[n.File]; s.template || !file {
		return n.Text, true
	}
	return l.expand(path, n)
}

// expand replaces variables in a text of a file.
func (l *loader) expand(path string, n *source.Node) (string, bool) {
	out, at, err := source.Expand(n.Text, l.env)
	if err == nil {
		return out, true
	}
	p := n.Pos
	if !n.Block {
		p.Column += at
	}
	hint := ""
	if _, ok := errors.AsType[*source.Unset](err); ok {
		hint = "export it, or write it into .env beside the campaign"
	}
	l.fault(p, 2, path+": "+err.Error(), hint)
	return "", false
}

// record keeps where a value came from and where its content begins.
func (l *loader) record(path string, n *source.Node) {
	if n.Line == 0 {
		if n.File != "" {
			l.c.origins[path] = n.File
		}
		return
	}
	l.c.places[path] = place{n.File, n.Line, n.Column}
	l.c.origins[path] = filepath.Base(n.File) + ":" + strconv.Itoa(n.Line)
}

func text(p *string) scalar {
	return scalar{want: "text", print: func() string { return strings.Join(strings.Fields(*p), " ") }, json: jsonType("string"), parse: func(s string) *misfit {
		if strings.TrimSpace(s) == "" {
			return &misfit{"it is empty", ""}
		}
		*p = s
		return nil
	}}
}

// letterText is text that is a template of the letter's headers.
func letterText(p *string) scalar {
	k := text(p)
	k.template = true
	inner := k.parse
	k.parse = func(s string) *misfit {
		if i := strings.IndexFunc(strings.TrimRight(s, "\n"), func(r rune) bool { return r == '\n' || r == '\r' }); i >= 0 {
			return &misfit{"it must be one line", ""}
		}
		return inner(strings.TrimRight(s, "\n"))
	}
	return k
}

func secretText(p *Secret) scalar {
	return scalar{want: "text", print: func() string { return p.String() }, json: jsonType("string"), parse: func(s string) *misfit {
		if s == "" {
			return &misfit{"it is empty", ""}
		}
		*p = secret.New(s)
		return nil
	}}
}

// path is a file's name, relative to the folder of the file that names it.
func path(p *string) scalar {
	k := text(p)
	k.want = "a file"
	k.relative = func(dir string) {
		if !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	return k
}

func oneOf(p *string, values ...string) scalar {
	options := make([]any, len(values))
	for i, v := range values {
		options[i] = v
	}
	return scalar{want: orList(values), print: func() string { return *p }, json: map[string]any{"enum": options},
		parse: func(s string) *misfit {
			for _, v := range values {
				if v == s {
					*p = v
					return nil
				}
			}
			if near := Nearest(s, values); near != "" {
				return &misfit{fmt.Sprintf("%q must be %s: did you mean %q?", s, orList(values), near), ""}
			}
			return &misfit{fmt.Sprintf("%q must be %s", s, orList(values)), ""}
		}}
}

func boolean(p *bool) scalar { return toggle(p, "true", "false") }

// toggle is a choice between a word for true and one for false.
func toggle(p *bool, on, off string) scalar {
	word := map[bool]string{true: on, false: off}
	var s string
	k := oneOf(&s, on, off)
	inner := k.parse
	k.print = func() string { return word[*p] }
	k.parse = func(text string) *misfit {
		m := inner(text)
		if m == nil {
			*p = s == on
		}
		return m
	}
	if on == "true" {
		k.json = orVariable(map[string]any{"type": "boolean"})
	}
	return k
}

func count[T int | int64](p *T, least, most T) scalar {
	return scalar{want: "a number", print: func() string { return strconv.FormatInt(int64(*p), 10) },
		json: orVariable(map[string]any{"type": "integer", "minimum": least, "maximum": most}),
		parse: func(s string) *misfit {
			n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
			if err != nil {
				return &misfit{fmt.Sprintf("%q is not a whole number", clip(s)), ""}
			}
			if n < int64(least) || n > int64(most) {
				return &misfit{fmt.Sprintf("%d must lie between %d and %d", n, least, most), ""}
			}
			*p = T(n)
			return nil
		}}
}

// isNumber takes plain decimals only: no sign, exponent, hexadecimal, Inf or NaN.
func isNumber(s string) bool {
	return s != "" && len(s) < 20 && strings.Trim(s, "0123456789.") == "" && strings.Count(s, ".") < 2 && s != "."
}

// clip keeps a value short enough to repeat.
func clip(s string) string {
	if utf8.RuneCountInString(s) > 40 {
		return string([]rune(s)[:40]) + "…"
	}
	return s
}
