package header

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNew(t *testing.T) {
	for _, c := range []struct {
		names string
		used  []int
		want  string
	}{
		{"email,name", nil, "[{email } {name }] [0 1] 2"},
		{" email ,\u00a0Name\u200b,\ufeffx", nil, "[{email } {Name } {x }] [0 1 2] 3"},
		{"email,,", []int{2, 0, 0}, "[{email }] [0] 3"}, {"email,,name", []int{2}, "[{email } {name }] [0 2] 3"},
		{"a,b,a", []int{2, 2, 0}, "[{a } {b }] [0 1] 3"}, {"a,b,a", []int{0, 2, 3}, "[{a } {b }] [2 1] 3"}, {"a,a", nil, "[{a }] [0] 2"},
		{"a,b,a", []int{2, 2, 3}, `columns 1 and 3 are both named "a"`}, {"a,", []int{2, 7}, "column 2 has no name, and line 7 has a value there"},
		{",", []int{0, 0}, "the header names no columns"}, {"ana@example.com,Ana", nil, "this looks like a person and not like a header"},
		{"a\nb", nil, "the name of column 1 runs over a line break"}, {"a\x00", nil, "this is no text file in UTF-8"},
		{strings.Repeat("x,", MaxColumns), nil, ""},
	} {
		h, err := New(strings.Split(c.names, ","), 1, Naming{"line", strconv.Itoa}, func() ([]int, error) { return c.used, nil })
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprint(h.Columns, h.At, h.Width)
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%.40q: %s, want %s", c.names, got, c.want)
		}
	}
}

// No two columns have the same name, none is nameless, and each has its own cell.
func TestNewProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"", " ", "a", "b", "c", "a ", "\u200b"}), 1, 8).Draw(t, "names")
		used := rapid.SliceOfN(rapid.IntRange(0, 1), len(names), len(names)).Draw(t, "used")
		h, err := New(append([]string{}, names...), 1, Naming{"line", strconv.Itoa}, func() ([]int, error) { return used, nil })
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for i, c := range h.Columns {
			if c.Name == "" || seen[c.Name] || Trim(names[h.At[i]]) != c.Name {
				t.Fatalf("%q: %v at %v", names, h.Columns, h.At)
			}
			seen[c.Name] = true
		}
		for i, u := range used { // no value is lost
			taken := false
			for _, at := range h.At {
				taken = taken || at == i
			}
			if u > 0 && !taken {
				t.Fatalf("%q with values in %v: %v at %v", names, used, h.Columns, h.At)
			}
		}
	})
}
