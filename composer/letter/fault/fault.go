// Package fault says what is wrong with a letter, and where: in a line of a template file, or in a field of the campaign.
package fault

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mailblast/mailblast/composer/letter/markup"
)

// Fault is one thing that is wrong with a letter, for a person.
type Fault struct {
	File         string
	Line, Column int // from 1; 0: not known
	Text         string
	Hint         string // how to put it right; may be empty
	Excerpt      string // the line of the file; empty for fields of the campaign
}

func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
		if f.Column > 0 {
			fmt.Fprintf(&b, ":%d", f.Column)
		}
	}
	b.WriteString(": ")
	b.WriteString(f.Text)
	if f.Hint != "" {
		b.WriteString(": ")
		b.WriteString(f.Hint)
	}
	return b.String()
}

// Faults is everything that is wrong with a letter.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Distinct drops what was found again, in another language.
func (f Faults) Distinct() Faults {
	var kept Faults
	for _, one := range f {
		if !slices.Contains(kept, one) {
			kept = append(kept, one)
		}
	}
	return kept
}

// place gives line and column of an offset, both from 1, and the line.
func place(text string, offset int) (line, column int, excerpt string) {
	offset = min(max(offset, 0), len(text))
	start := strings.LastIndexByte(text[:offset], '\n') + 1
	excerpt, _, _ = strings.Cut(text[start:], "\n")
	return 1 + strings.Count(text[:start], "\n"), 1 + utf8.RuneCountInString(text[start:offset]), strings.TrimSuffix(excerpt, "\r")
}

// InFile is a fault of a template file.
func InFile(f markup.Fault) Fault {
	line, column, excerpt := place(f.Source.Text, f.Offset)
	if line += f.Source.Before; f.Source.Made { // nobody wrote this line
		line, column, excerpt = 0, 0, ""
	}
	return Fault{File: f.Source.Name, Line: line, Column: column, Text: f.Text, Hint: f.Hint, Excerpt: excerpt}
}

// Pos tells where the value of a field such as "subject", "cc[0]" or "headers.X-Campaign" begins; nil: nowhere.
type Pos func(field string) (file string, line, column int)

// List gathers faults.
type List struct {
	Faults Faults
	Pos    Pos // of the fields being looked at
}

// Add adds faults.
func (l *List) Add(fs ...Fault) { l.Faults = append(l.Faults, fs...) }

// Source adds faults of template files.
func (l *List) Source(fs ...markup.Fault) {
	for _, f := range fs {
		l.Add(InFile(f))
	}
}

// Field adds a fault of a field, n octets into its value.
func (l *List) Field(field string, n int, text, hint string) {
	f := Fault{File: field, Text: text, Hint: hint}
	if l.Pos != nil {
		f.Text = field + ": " + text
		if f.File, f.Line, f.Column = l.Pos(field); f.Column > 0 {
			f.Column += n
		}
	}
	l.Add(f)
}

// In looks at fields whose places are told by another Pos.
func (l *List) In(pos Pos, look func()) {
	was := l.Pos
	l.Pos = pos
	look()
	l.Pos = was
}

// Reason is what kept a file from being read, without its name.
func Reason(err error) string {
	var p *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		return "it may not be read"
	case errors.As(err, &p) && strings.Contains(p.Err.Error(), "escapes"): // os.Root has no error of its own for it
		return "it lies outside of the campaign's folder"
	case errors.As(err, &p):
		return p.Err.Error()
	}
	return err.Error()
}
