package file

import (
	"strings"
	"unicode"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows/dialect"
)

// header says which cells of a row are columns.
type header struct {
	cols  []composer.Column
	at    []int // where each column's cell is in a row, from 0
	width int   // cells of the header, those without a name too
}

const maxColumns = 4096

// naming is how people call columns and rows.
type naming struct {
	row    string
	column func(n int) string // from 1
}

// newHeader reads the names of the columns. Those without a name, or with one that another has, are passed over when all
// their cells are empty; used finds that out: for each column the line of a value, or 0.
func newHeader(names []string, line int, as naming, used func() ([]int, error)) (*header, error) {
	h := &header{width: len(names)}
	doubt, seen := false, map[string]bool{}
	for i, name := range names {
		name = trim(name)
		names[i] = name
		switch {
		case strings.IndexByte(name, 0) >= 0:
			return nil, fault(line, "this is no text file in UTF-8")
		case strings.ContainsAny(name, "\r\n"):
			return nil, fault(line, "the name of column %s runs over a line break: is a quote missing?", as.column(i+1))
		case dialect.Address(name):
			return nil, fault(line, "this looks like a person and not like a header: %q is an address", name).
				hinted("write a first line that names the columns, such as email,first_name")
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
	}
	if err := h.choose(names, line, as, first); err != nil {
		return nil, err
	}
	switch {
	case len(h.cols) == 0:
		return nil, fault(line, "the header names no columns")
	case len(h.cols) > maxColumns:
		return nil, fault(line, "the header has more than %d columns", maxColumns)
	}
	return h, nil
}

// choose takes the columns. first is nil when none is in doubt.
func (h *header) choose(names []string, line int, as naming, first []int) error {
	empty := func(i int) bool { return first != nil && (i >= len(first) || first[i] == 0) }
	by := map[string]int{}
	for i, name := range names {
		if name == "" {
			if !empty(i) {
				return fault(line, "column %s has no name, and %s %d has a value there", as.column(i+1), as.row, first[i]).
					hinted("name the column in the header, or empty it")
			}
			continue
		}
		at, twice := by[name]
		switch {
		case twice && empty(i):
			continue
		case twice && empty(h.at[at]):
			h.at[at] = i
			continue
		case twice:
			return fault(line, "columns %s and %s are both named %q", as.column(h.at[at]+1), as.column(i+1), name).hinted("rename one of them")
		}
		by[name] = len(h.cols)
		h.cols = append(h.cols, composer.Column{Name: name})
		h.at = append(h.at, i)
	}
	return nil
}

// trim takes away what does not show around a name: white space, no-break and zero-width spaces, byte order marks.
func trim(name string) string {
	return strings.TrimFunc(name, func(c rune) bool { return unicode.IsSpace(c) || unicode.Is(unicode.Cf, c) })
}
