package cmd

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/delivery/report"
)

type reportOptions struct {
	run               []string
	format, only, out string
}

var reportFormats = []string{"text", "json", "csv"}

func (e *env) reportCommand() *cobra.Command {
	var o reportOptions
	c := &cobra.Command{
		Use:     "report [RUN]",
		GroupID: "results",
		Short:   "Tell what became of everybody in a run",
		Example: `  mailblast report                                        the latest run
  mailblast report spring-offer/2026-W48 -o json
  mailblast report --only unknown                         who that is, and why
  mailblast report --only failed -o csv --out failed.csv  to be corrected and sent to again`,
		Long: "Tell what became of everybody in a run: CAMPAIGN, CAMPAIGN/KEY or CAMPAIGN/KEY#2. Default: the latest run of campaign.yaml\n" +
			"in this directory, or of the nearest .mailblast. Text and JSON sum up and group those without their mail by reason; csv has\n" +
			"everybody (or those of one state), with the list's columns for those who failed or are unknown. With --only, text has one\n" +
			"address a line, and why.",
		Args:        usage(cobra.MaximumNArgs(1)),
		Annotations: codes(exitOK, exitUsage, exitNoInput, exitIO, exitRefused),
		RunE: func(c *cobra.Command, args []string) error {
			o.run = args
			return e.runReport(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.format, "output", "o", "text", "`FORMAT`: "+strings.Join(reportFormats, ", "))
	f.StringVar(&o.only, "only", "", "only the people of this `STATE`, one a line: "+strings.Join(report.States, ", "))
	f.StringVar(&o.out, "out", "", "write to `FILE`, which nobody else may read, instead of standard output")
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(reportFormats, cobra.ShellCompDirectiveNoFileComp)))
	must(c.RegisterFlagCompletionFunc("only", cobra.FixedCompletions(report.States, cobra.ShellCompDirectiveNoFileComp)))
	c.ValidArgsFunction = e.completeRuns
	return c
}

func (e *env) checkReport(o reportOptions) error {
	switch {
	case !slices.Contains(reportFormats, o.format):
		return failf(exitUsage, "-o %s: not one of %s", o.format, strings.Join(reportFormats, ", "))
	case o.only != "" && !slices.Contains(report.States, o.only):
		return failf(exitUsage, "--only %s: not one of %s", o.only, strings.Join(report.States, ", "))
	case o.only != "" && o.format == "json":
		return failf(exitUsage, "--only lists people, as text or -o csv: JSON sums up the whole run").hinted("%s", e.typed(append([]string{"report", "--only", o.only, "-o", "csv"}, o.run...)...))
	}
	return nil
}

func (e *env) runReport(ctx context.Context, o reportOptions) (err error) {
	if err := e.checkReport(o); err != nil {
		return err
	}
	ctx, stop := e.interruptible(ctx)
	defer stop()
	p, err := e.past(ctx, o.run)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.book.Close()) }()
	src, err := e.reportSource(ctx, p.book, p.at.dir, p.info)
	if err == nil {
		src.OnWire, err = p.onWire(ctx)
	}
	if err != nil {
		return stopped(ctx, stateFault(err))
	}
	var layout report.TextOptions
	if o.format == "text" && o.only == "" {
		layout = e.reading(p.at.dir, p.info)
	}
	if o.out == "" {
		out := e.out
		if e.outTTY && o.format == "csv" { // it has the list's values as they are
			out = &printing{w: out}
		}
		layout.Width, layout.Color = e.outWidth(), e.color(e.outTTY)
		return e.writeReport(ctx, out, src, o, layout)
	}
	return ofOutFile("--out", writeOut(o.out, func(w io.Writer) error { return e.writeReport(ctx, w, src, o, layout) }))
}

func (e *env) writeReport(ctx context.Context, w io.Writer, src report.Source, o reportOptions, layout report.TextOptions) error {
	switch {
	case o.format == "csv":
		return stopped(ctx, ioFault(report.CSV(ctx, w, src, o.only)))
	case o.only != "":
		return stopped(ctx, ioFault(report.List(ctx, w, src, o.only)))
	}
	r, err := report.Build(ctx, src)
	if err != nil {
		return stopped(ctx, stateFault(err))
	}
	if o.format == "json" {
		return ioFault(r.JSON(w))
	}
	return ioFault(r.Text(w, layout))
}

// outWidth is how wide text for standard output may be; 0 is the default of whoever lays it out.
func (e *env) outWidth() int {
	if e.outTTY {
		return e.width()
	}
	return 0
}
