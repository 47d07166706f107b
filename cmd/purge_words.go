package cmd

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/mailblast/mailblast/cmd/screen"
)

// describe says what is deleted, what is lost by it, and what stays, in lines of that width; 0 is without end.
func (p *purging) describe(w io.Writer, width int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Personal data to be deleted from %s:\n", screen.Printable(p.at.String()))
	for _, d := range p.holding() {
		fmt.Fprintf(&b, "  %s: %s, begun %s\n", screen.Printable(d.info.Name()), verb(d.report.Total, "delivery", "deliveries"), d.info.Started.Local().Format(moment))
		if d.open() {
			fmt.Fprintf(&b, "    it is not at its end (%s). Lost: who these people are, until the list is read again, and whoever is not on it "+
				"any more cannot be told or tried again; what servers said of them; which domains were paused\n", d.unfinished())
		}
	}
	if len(p.files) > 0 {
		fmt.Fprintf(&b, "  %s: %s\n", plural(len(p.files), "file"), listed(p.files))
	}
	fmt.Fprintf(&b, "Reports of these runs have counts, no addresses, from then on. What stays: keys of which no address can be read, outcomes and times, "+
		"so that nobody gets the letter twice; the suppression list (%s), which protects the people on it.\n", verb(p.barred, "entry", "entries"))
	_, err := io.WriteString(w, fold(b.String(), width))
	return err
}

// sum is what was deleted, in one line.
func (p *purging) sum() string {
	n, runs := 0, p.holding()
	for _, d := range runs {
		n += d.report.Total
	}
	return fmt.Sprintf("%s (%s) and %s from %s", plural(len(runs), "run"), verb(n, "delivery", "deliveries"), plural(len(p.files), "file"), screen.Printable(p.at.String()))
}

// listed names a few of many.
func listed(names []string) string {
	const most = 10
	var shown []string
	for _, n := range names[:min(len(names), most)] {
		shown = append(shown, screen.Printable(n))
	}
	if more := len(names) - most; more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", ")
}

// folded names files without naming people: letters, whose names have addresses, are counted by their folder.
func folded(names []string) (short []string) {
	letters := map[string]int{}
	for _, name := range names {
		if strings.EqualFold(path.Ext(name), ".eml") {
			letters[path.Dir(name)]++
		}
	}
	for _, name := range names {
		if !strings.EqualFold(path.Ext(name), ".eml") {
			short = append(short, name)
		} else if n := letters[path.Dir(name)]; n > 0 {
			short = append(short, fmt.Sprintf("%s (%d)", path.Join(path.Dir(name), "*.eml"), n))
			letters[path.Dir(name)] = 0
		}
	}
	return short
}

// tellLeft names what nobody can judge but the user.
func (e *env) tellLeft(p *purging) error {
	if len(p.spared) > 0 {
		e.tell("not at their end, and not purged: %s\n", listed(p.spared))
	}
	if len(p.left) > 0 {
		e.tell("left alone, as mailblast did not write it or it is of other runs, too; look whether it names people: %s\n", listed(folded(p.left)))
	}
	return nil
}
