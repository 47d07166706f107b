// Package header reads the names of a list's columns:
//
//  1. names are trimmed of what does not show;
//  2. a header that holds an address is a person, and refused;
//  3. a column without a name, or with one that another has, is passed over when all its cells are empty, and else refused.
package header

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows/dialect"
)

// Header says which cells of a row are columns.
type Header struct {
	Columns []composer.Column
	At      []int // where each column's cell is in a row, from 0
	Width   int   // cells of the header, those without a name too
}

// MaxColumns is how many columns a list may have.
const MaxColumns = 4096

// Naming is how people call rows and columns.
type Naming struct {
	Row    string             // line or row
	Column func(n int) string // from 1
}

// Error says what is doubtful about a list.
type Error struct {
	Line       int // 0: not known
	Text, Hint string
}

func (e *Error) Error() string { return e.Text }

// Fault makes an Error.
func Fault(line int, format string, args ...any) *Error {
	return &Error{Line: line, Text: fmt.Sprintf(format, args...)}
}

// Hinted adds what to do about it.
func (e *Error) Hinted(hint string) *Error {
	e.Hint = hint
	return e
}

// New reads the names of the columns. Those without a name, or with one that another has, are passed over when all
// their cells are empty; used finds that out: for each column the line of a value, or 0.
func New(names []string, line int, as Naming, used func() ([]int, error)) (*Header, error) {
	h := &Header{Width: len(names)}
	doubt, seen := false, map[string]bool{}
	for i, name := range names {
		name = Trim(name)
		names[i] = name
		switch {
		case strings.IndexByte(name, 0) >= 0:
			return nil, Fault(line, "this is no text file in UTF-8")
		case strings.ContainsAny(name, "\r\n"):
			return nil, Fault(line, "the name of column %s runs over a line break: is a quote missing?", as.Column(i+1))
		case dialect.Address(name):
			return nil, Fault(line, "this looks like a person and not like a header: %q is an address", name).
				Hinted("write a first line that names the columns, such as email,first_name")
		}
		doubt = doubt || name == "" || seen[name]
		seen[name] = true
	}
	var first []int
	if doubt {
		var err error
		if first, err = used(); err != nil {
			return nil, err
		}
		first = append([]int{}, first...) // not nil, even of a list without rows
	}
	if err := h.choose(names, line, as, first); err != nil {
		return nil, err
	}
	switch {
	case len(h.Columns) == 0:
		return nil, Fault(line, "the header names no columns")
	case len(h.Columns) > MaxColumns:
		return nil, Fault(line, "the header has more than %d columns", MaxColumns)
	}
	return h, nil
}

// choose takes the columns. first is nil when none is in doubt.
func (h *Header) choose(names []string, line int, as Naming, first []int) error {
	empty := func(i int) bool { return first != nil && (i >= len(first) || first[i] == 0) }
	by := map[string]int{}
	for i, name := range names {
		if name == "" {
			if !empty(i) {
				return Fault(line, "column %s has no name, and %s %d has a value there", as.Column(i+1), as.Row, first[i]).
					Hinted("name the column in the header, or empty it")
			}
			continue
		}
		at, twice := by[name]
		switch {
		case twice && empty(i):
			continue
		case twice && empty(h.At[at]):
			h.At[at] = i
			continue
		case twice:
			return Fault(line, "columns %s and %s are both named %q", as.Column(h.At[at]+1), as.Column(i+1), name).Hinted("rename one of them")
		}
		by[name] = len(h.Columns)
		h.Columns = append(h.Columns, composer.Column{Name: name})
		h.At = append(h.At, i)
	}
	return nil
}

// Trim takes away what does not show around a name: white space, no-break and zero-width spaces, byte order marks.
func Trim(name string) string {
	return strings.TrimFunc(name, func(c rune) bool { return unicode.IsSpace(c) || unicode.Is(unicode.Cf, c) })
}
