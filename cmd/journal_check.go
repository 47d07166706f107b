package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
)

func (e *env) journalCheckCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Tell whether the journal is as it was written",
		Example: `  mailblast journal check
  mailblast journal check --json
  mailblast -C campaigns/spring journal check || mailblast -C campaigns/spring journal repair`,
		Long: "Hold every row of the journal against its checksum, look for rows and commits that are missing, and have SQLite look at the\n" +
			"file. Nothing is written and no file changes. A fault names what is damaged and the runs that it touches. While a run is\n" +
			"under way there is nothing to hold still: the exit code is then " + fmt.Sprint(exitPaused) + ".",
		Args:        usage(cobra.NoArgs),
		Annotations: codes(exitOK, exitUsage, exitNoInput, exitIO, exitPaused),
		RunE: func(c *cobra.Command, _ []string) error {
			return e.machine(asJSON, func() error { return e.runJournalCheck(c.Context(), asJSON) })
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// inspected is the answer of journal check. Its JSON names are stable.
type inspected struct {
	V     int    `json:"v"`
	Type  string `json:"type"`
	Sound bool   `json:"sound"`
	*salvage.Finding
}

func (e *env) runJournalCheck(ctx context.Context, asJSON bool) (err error) {
	ctx, stop := e.interruptible(ctx)
	defer stop()
	w, at, err := e.wreck(ctx)
	if err != nil {
		return stopped(ctx, err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	f, err := w.Judge(ctx)
	if err == nil {
		err = w.Count(ctx, f)
	}
	if err == nil {
		err = w.Still()
	}
	if err != nil {
		return stopped(ctx, e.wreckFault(at, err))
	}
	if asJSON {
		err = ioFault(e.json(inspected{1, "journal", f.Sound(), f}))
	} else {
		e.printFinding(f)
	}
	if err != nil || f.Sound() {
		return err
	}
	damaged := failf(exitIO, "%s is damaged: %s", f.File, plural(len(f.Faults), "fault"))
	if nothing := lostAll(f); nothing != nil {
		return damaged.hinted("%s", nothing.hint)
	}
	return damaged.hinted("make a new journal of what is intact with: %s", e.typed("journal", "repair"))
}

func (e *env) printFinding(f *salvage.Finding) {
	for i := range f.Runs {
		e.tell("%s\n", screen.Printable(runLine(&f.Runs[i])))
	}
	if f.Suppressed > 0 {
		e.tell("suppression list: %s\n", rowsOf(int(f.Suppressed), "suppressed"))
	}
	for _, n := range f.Notes {
		e.tell("note: %s\n", screen.Printable(n))
	}
	for _, x := range f.Faults {
		touches := ""
		if len(x.Runs) > 0 {
			touches = "; it touches " + strings.Join(x.Runs, ", ")
		}
		e.tell("✗ %s\n", screen.Printable(x.What+touches))
	}
	if f.Sound() {
		e.tell("✓ %s is sound\n", screen.Printable(f.File))
	}
}

// runLine says what the journal has of one run.
func runLine(r *salvage.Run) string {
	name := r.Name
	if name == "" {
		name = fmt.Sprintf("(run %d, whose name is lost)", r.ID)
	}
	line := fmt.Sprintf("%s: %s, %s", name, rowsOf(int(r.Outcomes), "outcomes"), rowsOf(int(r.Intents), "intents"))
	if s := r.States; s != nil {
		line += fmt.Sprintf("; sent %s, failed %s, unknown %s, suppressed %s, skipped %s, open %s", screen.Comma(s.Sent), screen.Comma(s.Failed),
			screen.Comma(s.Unknown), screen.Comma(s.Suppressed), screen.Comma(s.Skipped), screen.Comma(s.Open))
	}
	if r.OnWire > 0 && !r.Doubt {
		line += fmt.Sprintf("; %s on the wire when it was cut off: unknown at the next send", verb(r.OnWire, "was", "were"))
	}
	if r.Doubt {
		line += "; who has no outcome is in doubt"
	}
	return line
}

func rowsOf(n int, of string) string { return plural(n, "row") + " of " + of }
