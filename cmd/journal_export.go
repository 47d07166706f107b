package cmd

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery/journal/record"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
)

type exportOptions struct{ format, out string }

var exportFormats = []string{"json", "csv"}

func (e *env) journalExportCommand() *cobra.Command {
	var o exportOptions
	c := &cobra.Command{
		Use:   "export [RUN]",
		Short: "Write out what the journal holds, row by row",
		Example: `  mailblast journal export --out journal.jsonl          everything, one JSON object a line
  mailblast journal export spring-offer -o csv --out tries.csv   every outcome of every try`,
		Long: "Write out every row of the journal as JSON lines: runs, intents, outcomes, skipped and kept rows of the list, pauses, and\n" +
			"the suppression list; or the outcomes alone as CSV. RUN narrows it to one run: CAMPAIGN, CAMPAIGN/KEY or CAMPAIGN/KEY#2. Of\n" +
			"a damaged journal it has what is intact, says so, and ends with an exit code of its own. Nothing is changed.",
		Args:        usage(cobra.MaximumNArgs(1)),
		Annotations: codes(exitOK, exitUsage, exitNoInput, exitIO, exitPaused),
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(exportFormats, o.format) {
				return failf(exitUsage, "-o %s: not one of %s", o.format, strings.Join(exportFormats, ", "))
			}
			return e.runJournalExport(c.Context(), args, o)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.format, "output", "o", "json", "`FORMAT`: "+strings.Join(exportFormats, ", "))
	f.StringVar(&o.out, "out", "", "write to `FILE`, which nobody else may read, instead of standard output")
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(exportFormats, cobra.ShellCompDirectiveNoFileComp)))
	c.ValidArgsFunction = e.completeRuns
	return c
}

func (e *env) runJournalExport(ctx context.Context, args []string, o exportOptions) (err error) {
	ctx, stop := e.interruptible(ctx)
	defer stop()
	w, at, err := e.wreck(ctx)
	if err != nil {
		return stopped(ctx, e.insteadOfRun(ctx, at, args, err))
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	f, err := w.Judge(ctx)
	if err != nil {
		return stopped(ctx, e.insteadOfRun(ctx, at, args, e.wreckFault(at, err)))
	}
	if f.Schema == 1 {
		return failf(exitIO, "%s: it is from an earlier version, whose rows have no checksums", f.File).hinted("bring it up to date with: %s", e.typed("status"))
	}
	only := int64(0)
	if len(args) > 0 {
		if only = runCalled(f, args[0]); only == 0 {
			err := failf(exitNoInput, "%s: there is no such run in %s", args[0], at).hinted("all of them: %s", e.typed("journal", "check"))
			return e.insteadOfRun(ctx, at, args, err)
		}
	}
	if err := e.writeExport(ctx, w, f, only, o); err != nil {
		return stopped(ctx, err)
	}
	if err := w.Still(); err != nil { // rows may have been moved past the reading
		return stopped(ctx, e.wreckFault(at, err))
	}
	if !f.Sound() {
		return failf(exitIO, "%s is damaged: this is what is intact", f.File).hinted("what is wrong with it: %s", e.typed("journal", "check"))
	}
	return nil
}

func (e *env) writeExport(ctx context.Context, w *salvage.Wreck, f *salvage.Finding, only int64, o exportOptions) error {
	export := func(out io.Writer) error { return exporting{w, f, only, o.format == "csv"}.write(ctx, out) }
	switch {
	case o.out != "":
		return ofOutFile("--out", writeOut(o.out, export))
	case e.outTTY: // it has the list's values as they are
		return export(&printing{w: e.out})
	}
	return export(e.out)
}

// exporting is what is written out.
type exporting struct {
	*salvage.Wreck
	found *salvage.Finding
	only  int64 // the number of a run; 0: all
	csv   bool
}

func (x exporting) write(ctx context.Context, out io.Writer) error {
	buffered, names := bufio.NewWriter(out), record.Names{}
	for i := range x.found.Runs {
		names[x.found.Runs[i].ID] = x.found.Runs[i].Name
	}
	each, end := func(r *record.Record) error { return writeRecord(buffered, r) }, func() error { return nil }
	if x.csv {
		t := newTries(buffered)
		each, end = t.add, t.end
	}
	err := names.All(ctx, x.Each, x.only, each)
	if err = errors.Join(err, end()); err == nil {
		err = buffered.Flush()
	}
	return ioFault(err)
}

func writeRecord(w io.Writer, r *record.Record) error {
	b, err := screen.JSON(r)
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

// runCalled finds a run by its name, the latest of a campaign, or the latest generation; 0: there is none.
func runCalled(f *salvage.Finding, name string) (id int64) {
	for i := range f.Runs {
		r := &f.Runs[i]
		if r.Name == name && strings.Contains(name, "#") {
			return r.ID
		}
		base, _, _ := strings.Cut(r.Name, "#")
		if r.Name != "" && (base == name || r.Line.Campaign == name) {
			id = r.ID // the runs are in the order in which they were begun
		}
	}
	return id
}
