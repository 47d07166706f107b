// Package markup compiles the templates of a letter and executes them for one row after another:
//
//  1. Check walks the parse trees of all templates, in every branch, and finds each name that does not exist;
//  2. Markdown and Outlook's conditional comments are turned into what html/template understands;
//  3. a Set compiles templates; each output action gets a last step that refuses NULL and left-over template syntax;
//  4. a Renderer executes them within limits of time, steps and output.
//
// Templates reach the row, the campaign's constants and a short list of functions: no files, network or environment.
package markup

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// Source is the text of one template.
type Source struct {
	Name string // of its file or field
	Text string
	As   string // how other templates call it: Content, or a partial's name; may be empty

	Before int  // lines of the file before Text
	Made   bool // Text is not what stands in the file
}

// Content is how a layout calls the letter it surrounds.
const Content = "content"

// Fault is what is wrong in a Source, for a person.
type Fault struct {
	Source Source
	Offset int // in octets
	Text   string
	Hint   string // how to put it right; may be empty
}

// Names is what templates may refer to.
type Names struct {
	Columns     []string        // nil: not known yet, any name will do
	Nested      map[string]bool // columns that may hold lists and mappings
	Vars        map[string]any  // as .vars.NAME
	Unsubscribe bool            // unsubscribe_url has a value
}

func (n Names) column(name string) bool {
	return n.Columns == nil && name != "vars" || n.Find(name) >= 0
}

// Find gives the place of the column that a name stands for: its own, or its plain form; -1 is none.
func (n Names) Find(name string) int {
	if i := slices.Index(n.Columns, name); i >= 0 || name == "" || name == "vars" {
		return i
	}
	found := -1
	for i, c := range n.Columns {
		if plainName(c) == name {
			if found >= 0 { // two columns would answer to it
				return -1
			}
			found = i
		}
	}
	return found
}

// plainName is how a column such as "First Name" can be written behind a dot: first_name.
func plainName(column string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(column) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r) && b.Len() > 0:
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	return strings.TrimRight(b.String(), "_")
}

// aliases are the plain forms that columns answer to beside their own names, with the place of the column.
func (n Names) aliases() map[string]int {
	all := map[string]int{}
	for i, c := range n.Columns {
		if p := plainName(c); p != "vars" && n.Find(p) == i && p != c {
			all[p] = i
		}
	}
	return all
}

// child gives what a path leads to below a constant.
func child(v any, name string) (any, bool) {
	m := reflect.ValueOf(v)
	if m.Kind() != reflect.Map || m.Type().Key().Kind() != reflect.String {
		return nil, false
	}
	e := m.MapIndex(reflect.ValueOf(name).Convert(m.Type().Key()))
	if !e.IsValid() {
		return nil, false
	}
	return e.Interface(), true
}

// written are the columns as they can be written behind a dot; those that cannot, as they are.
func (n Names) written() []string {
	names := slices.Clone(n.Columns)
	for alias, i := range n.aliases() {
		if !identifier(n.Columns[i]) {
			names[i] = alias
		}
	}
	return names
}

func identifier(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != ""
}

// Nearest is a hint at the column that was probably meant; it may be empty.
func (n Names) Nearest(name string) string { return nearest(name, n.Columns) }

// nearest is a hint at the name that was probably meant.
func nearest(name string, names []string) string {
	best := closest(name, names)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// nearestField is nearest for a column written with a dot.
func nearestField(name string, names []string) string {
	if best := closest(name, names); best != "" && !identifier(best) {
		return fmt.Sprintf("did you mean {{ col %q }}?", best)
	}
	return nearest(name, names)
}

// closest is the name that is most like another; empty when none is like it.
func closest(name string, names []string) string {
	best, least := "", len(name)/2+1
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n
		}
		if d := distance(name, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is how many letters must be changed, added, dropped or swapped with their neighbour to make b of a.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := [3][]int{make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(s); i++ {
		before, last, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		rows = [3][]int{last, row, before}
	}
	return rows[1][len(t)]
}
