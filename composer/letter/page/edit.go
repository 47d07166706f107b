package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Edit puts Text in place of Length octets of a source at Offset.
type Edit struct {
	Offset, Length int
	Text           string
}

// Apply makes edits at once; their offsets are those of the text as it is given. An edit that is there twice is made once,
// since templates that are called twice are met twice. Different insertions at one place are made in the order of the
// list. Edits that overlap, or that reach out of the text, are an error.
func Apply(text string, edits []Edit) (string, error) {
	sorted := slices.Clone(edits)
	slices.SortStableFunc(sorted, func(a, b Edit) int {
		return cmp.Or(a.Offset-b.Offset, min(a.Length, 1)-min(b.Length, 1))
	})
	var b strings.Builder
	at, made := 0, map[Edit]bool{}
	for _, e := range sorted {
		if made[e] {
			continue
		}
		made[e] = true
		if e.Offset < at || e.Length < 0 || e.Length > len(text)-e.Offset {
			return "", fmt.Errorf("edit of %d octets at %d: it overlaps another or is out of the text", e.Length, e.Offset)
		}
		b.WriteString(text[at:e.Offset])
		b.WriteString(e.Text)
		at = e.Offset + e.Length
	}
	b.WriteString(text[at:])
	return b.String(), nil
}
