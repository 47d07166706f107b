package cmd

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery/journal/repair"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
)

// where says where the damaged files are.
func where(at stateAt, aside string) string {
	switch {
	case aside == "":
		return ""
	case at.shared():
		return " The damaged one is in the schema " + screen.Printable(aside) + " of its database."
	}
	return " The damaged files are in " + screen.Printable(filepath.Clean(aside)) + "."
}

// printRepaired says what was kept, what was lost, and what happens next.
func (e *env) printRepaired(at stateAt, f *salvage.Finding, r repair.Result) {
	e.tell("\nThe journal was made anew.%s\n", where(at, r.Aside))
	e.tell("Kept: %s, %s, %s, %s.\n", rowsOf(len(f.Runs)-lostRuns(f), "runs"), rowsOf(int(r.Kept["outcomes"]), "outcomes"),
		rowsOf(int(r.Kept["intents"]), "intents"), rowsOf(int(r.Kept["suppressed"]), "suppressed"))
	doubt := slices.DeleteFunc(slices.Clone(f.Runs), func(r salvage.Run) bool { return !r.Doubt || r.Name == "" })
	if len(doubt) == 0 && f.Nameless == 0 {
		e.tell("No outcome was lost: every run goes on as before.\n")
	}
	for i := range doubt {
		line := "whoever has no outcome in it is unknown at the next send"
		if n := r.Unknown[doubt[i].Name]; n > 0 {
			line = fmt.Sprintf("%s unknown now, and %s", verb(n, "delivery is", "deliveries are"), line)
		}
		e.tell("%s may have lost outcomes: %s.\n", screen.Printable(doubt[i].Name), line)
	}
	first := "Nobody who is unknown gets mail by itself. "
	for i := range doubt {
		name, _, _ := strings.Cut(doubt[i].Name, "#")
		name, key, _ := strings.Cut(name, "/")
		send, about := e.goOn(at.dir, name, key)
		e.tell("%sNext: %s (it lists them), %s,\nand to write to them again: %s\n", first, whole(send),
			whole(e.typed("report", doubt[i].Name, "--only", "unknown", "-o", "csv")), whole(send+" --retry unknown"))
		if first = ""; about != "" {
			e.tell("%s\n", screen.Printable(about))
		}
	}
	if f.Nameless > 0 {
		e.tell("%s lost its name: a campaign that the journal does not know is asked about once, on a terminal.\n", plural(f.Nameless, "run"))
	}
	if f.SuppressedUnsure {
		e.tell("Who else stood on the suppression list is not known any more: whoever is missing from %s would be written to. "+
			"Add them again before you send: %s\n", whole(e.typed("suppress", "list")), whole(e.typed("suppress", "import", "FILE")))
	} else if f.SuppressedLost > 0 {
		e.tell("%s of the suppression list are lost: who stood there would be written to. Add them again before you send: %s\n",
			rowsOf(int(f.SuppressedLost), "suppressed"), whole(e.typed("suppress", "import", "FILE")))
	}
}

func lostRuns(f *salvage.Finding) (n int) {
	for i := range f.Runs {
		if f.Runs[i].Lost {
			n++
		}
	}
	return n
}
