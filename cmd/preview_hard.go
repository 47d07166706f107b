package cmd

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows"
)

// mostHard is how many rows --hard shows at most.
const mostHard = 6

// hardest finds the rows of a list that are hardest for its letter, in one pass. Of each measure it keeps the first of the
// rows that have the most of it, so its memory goes by the columns, not by the rows.
type hardest struct {
	columns []composer.Column
	group   func(*composer.Row) string // one row is shown of each of what it gives, its language; "": none
	groups  map[string]int             // in all, by their place there
	all     []champion                 // by measure, then every group
	widest  []champion                 // by column
	length  []int                      // of all values, by column
	rows    int
}

// champion is the row that has most of something.
type champion struct {
	n      int // 0: none has any
	number int
	pick   pick
	why    string
}

// measures of a whole row.
const (
	mostEmpty = iota
	mostText
	mostRTL
	mostForeign
	measures
)

func newHardest(columns []composer.Column, group func(*composer.Row) string) *hardest {
	return &hardest{columns: columns, group: group, groups: map[string]int{},
		all: make([]champion, measures), widest: make([]champion, len(columns)), length: make([]int, len(columns))}
}

func (h *hardest) add(r *composer.Row, s composer.Stamp) {
	var n [measures]int
	var blank []string
	h.rows++
	for i, v := range r.Values {
		text := rows.Text(v)
		if text == "" {
			n[mostEmpty]++
			blank = append(blank, h.columns[i].Name)
			continue
		}
		length := utf8.RuneCountInString(text)
		n[mostText] += length
		h.length[i] += length
		f, rtl := strange(text)
		n[mostForeign] += f
		n[mostRTL] += rtl
		h.widest[i].beat(length, r, s, func() string { return fmt.Sprintf("longest %s (%s)", h.columns[i].Name, plural(length, "character")) })
	}
	h.all[mostEmpty].beat(n[mostEmpty], r, s, func() string {
		return fmt.Sprintf("most empty values (%d of %d: %s)", n[mostEmpty], len(r.Values), strings.Join(blank, ", "))
	})
	h.all[mostText].beat(n[mostText], r, s, func() string { return fmt.Sprintf("longest values (%s in all)", plural(n[mostText], "character")) })
	h.all[mostRTL].beat(n[mostRTL], r, s, func() string { return "most text from right to left" })
	h.all[mostForeign].beat(n[mostForeign], r, s, func() string { return fmt.Sprintf("most characters beyond ASCII (%s)", screen.Comma(n[mostForeign])) })
	h.addGroup(r, s)
}

// addGroup keeps the first row of each group, of as many groups as could be shown.
func (h *hardest) addGroup(r *composer.Row, s composer.Stamp) {
	if h.group == nil || len(h.groups) == mostHard {
		return
	}
	name := h.group(r)
	if _, ok := h.groups[name]; ok || name == "" {
		return
	}
	h.groups[name] = len(h.all)
	h.all = append(h.all, champion{})
	h.all[len(h.all)-1].beat(1, r, s, func() string { return "the first in " + name })
}

// beat makes the row the champion if it has more.
func (c *champion) beat(n int, r *composer.Row, s composer.Stamp, why func() string) {
	if n > c.n {
		*c = champion{n: n, number: r.Number, pick: pick{ref: r.Ref, stamp: s}, why: why()}
	}
}

// strange counts characters beyond ASCII, and those that are written from right to left.
func strange(text string) (foreign, rightToLeft int) {
	for _, r := range text {
		if r < utf8.RuneSelf {
			continue
		}
		foreign++
		if unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Adlam) {
			rightToLeft++
		}
	}
	return foreign, rightToLeft
}

// picks gives the rows with all that they were chosen for: the champions of the whole row, and of the columns with the
// longest values as many as there is room for.
func (h *hardest) picks() (picks []pick) {
	var wide []champion
	for i, c := range h.widest {
		if c.n*h.rows > h.length[i] { // not all are as long
			wide = append(wide, c)
		}
	}
	slices.SortStableFunc(wide, func(a, b champion) int { return cmp.Compare(b.n, a.n) })
	at := map[int]int{} // row number: place in picks
	for _, c := range slices.Concat(h.all, wide) {
		if c.n == 0 {
			continue
		}
		i, ok := at[c.number]
		if !ok {
			if len(picks) == mostHard {
				continue
			}
			i = len(picks)
			at[c.number], picks = i, append(picks, c.pick)
		}
		picks[i].why = append(picks[i].why, c.why)
	}
	return picks
}
