package cmd

import (
	"fmt"
	"strings"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
)

// fewShown is how many rows of a kind are named; --show skipped has all.
const fewShown = 3

// tally counts what becomes of the rows of a list.
type tally struct {
	rendered int
	largest  int64
	failed   examples // letters that cannot be rendered
	skipped  examples
	by       map[delivery.Class]int // skipped rows
	odd      []examples             // one for each of looks
}

// newTally counts rows, and what so many looks find in them.
func newTally(looks int) *tally {
	return &tally{by: map[delivery.Class]int{}, odd: make([]examples, looks)}
}

func (t *tally) note(found []odd) {
	for _, o := range found {
		t.odd[o.kind].add(skippedText(o.Skipped))
	}
}

// examples counts rows and names the first few.
type examples struct {
	n     int
	first []string
}

func (x *examples) add(line string) {
	if x.n++; len(x.first) < fewShown {
		x.first = append(x.first, flat(line))
	}
}

func (x examples) String() string {
	var b strings.Builder
	for _, line := range x.first {
		b.WriteString("\n    " + line)
	}
	if more := x.n - len(x.first); more > 0 {
		fmt.Fprintf(&b, "\n    and %s more", screen.Comma(more))
	}
	return b.String()
}

func (t *tally) skips() string {
	var parts []string
	for _, c := range []struct {
		class delivery.Class
		name  string
	}{{delivery.ClassInvalid, "invalid row"}, {delivery.ClassDuplicate, "duplicate"}, {delivery.ClassNull, "NULL"}} {
		if n := t.by[c.class]; n > 0 {
			parts = append(parts, plural(n, c.name))
		}
	}
	return strings.Join(parts, ", ")
}

func (t *tally) skip(s composer.Skipped) {
	t.by[s.Class]++
	if s.Class != delivery.ClassSuppressed { // meant to be so: they would only hide the others
		t.skipped.add(skippedText(s))
	}
}

func skippedText(s composer.Skipped) string {
	if s.To == "" {
		return fmt.Sprintf("%s: %s", rowName(s.Number, s.Line), s.Text)
	}
	return fmt.Sprintf("%s: %s: %s", rowName(s.Number, s.Line), s.To, s.Text)
}

// flat keeps a value with line breaks from making lines of its own.
func flat(s string) string { return strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(s) }

// rendered is what became of one row's letter.
type rendered struct {
	size    int64
	skipped *composer.Skipped // on_null: skip
	fault   string
}

func (t *tally) add(o rendered) {
	switch {
	case o.skipped != nil:
		t.skip(*o.skipped)
	case o.fault != "":
		t.failed.add(o.fault)
	default:
		t.rendered++
		t.largest = max(t.largest, o.size)
	}
}
