package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/delivery"
)

type sendOptions struct {
	file           string
	dryRun         string // "capture", HOST:PORT or a folder; empty: the real thing
	yes, strict    bool
	limit, row     int
	limitGiven     bool
	to             []string
	test           string
	rate           string
	maxConnections string
	retry, again   string
	run            string
	progress       string
	json           bool
	report         string
	patience       time.Duration
}

func (e *env) sendCommand() *cobra.Command {
	var o sendOptions
	c := &cobra.Command{
		Use:     "send [FILE]",
		GroupID: "campaign",
		Short:   "Send a campaign, or go on with it",
		Example: `  mailblast send                       ask, then send campaign.yaml; again: go on where it stopped
  mailblast send -n                    rehearse into a capture server, no mail leaves this machine
  mailblast send --test me@acme.example    one real letter to yourself
  mailblast send --limit 100           a canary: the first hundred, the rest stays pending
  mailblast send --retry failed        those whom a server refused, once more`,
		Long: "Send a campaign (default: campaign.yaml) to everyone on its list who has no outcome yet. Running it again is always safe:\n" +
			"nobody gets two copies. Without a terminal nothing is asked; expect: in the campaign is the guard there.",
		Args:        usage(cobra.MaximumNArgs(1)),
		Annotations: codes(exitOK, exitPartial, exitUsage, exitData, exitNoInput, exitUnavailable, exitIO, exitPaused, exitRefused, exitDenied, exitHangUp, exitInterrupted, exitTerminated),
		RunE: func(c *cobra.Command, args []string) error {
			o.file, o.limitGiven = e.given(args), c.Flags().Changed("limit")
			return e.machine(o.json, func() error { return e.runSend(c.Context(), o) })
		},
	}
	f := c.Flags()
	f.StringVarP(&o.dryRun, "dry-run", "n", "", "rehearse: into a built-in capture server, into the server at `HOST:PORT`, or into a folder as .eml files")
	f.Lookup("dry-run").NoOptDefVal = "capture"
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&o.strict, "strict", false, "end with 3 when anybody could not be reached")
	f.IntVar(&o.limit, "limit", 0, "send to the first `N` people only, the rest stays pending")
	f.StringArrayVar(&o.to, "to", nil, "only to `ADDR` of the list, or to those in @FILE; can be repeated")
	f.StringVar(&o.test, "test", "", "send one letter to `ADDR`, its subject marked [test]; nothing is remembered")
	f.IntVar(&o.row, "row", 0, "with --test: the letter of row `N`")
	f.StringVar(&o.rate, "rate", "", "at most this `RATE`, such as 20/s or 500/h")
	f.StringVar(&o.maxConnections, "max-connections", "", "at most `N` connections")
	f.StringVar(&o.retry, "retry", "", "try those again that are `STATUS`: failed, unknown, or suppressed and taken off the list since")
	f.StringVar(&o.again, "again", "", "send to everyone a second time; `NAME` is the campaign's, to be sure")
	f.StringVar(&o.run, "run", "", "go on with the run `KEY`, such as 2026-W48, that was begun before")
	f.StringVar(&o.progress, "progress", "auto", "`HOW` to show progress: auto, bar, lines or none")
	f.BoolVar(&o.json, "json", false, "JSON lines on standard output")
	f.StringVar(&o.report, "report", "", "write the report to `FILE` as well: .txt, .json or .csv")
	f.DurationVar(&o.patience, "patience", 30*time.Second, "how long to try to reach the database and the mail server")
	must(f.MarkHidden("patience"))
	fixed := func(words ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	}
	must(c.RegisterFlagCompletionFunc("retry", fixed("failed", "unknown", "suppressed")))
	must(c.RegisterFlagCompletionFunc("progress", fixed("auto", "bar", "lines", "none")))
	return c
}

func (e *env) runSend(ctx context.Context, o sendOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	c, err := e.load(o.file, o.overrides()...)
	if err != nil {
		return err
	}
	if o.again != "" && o.again != c.Name {
		return failf(exitUsage, "--again %s: this campaign is %q; nothing was sent", o.again, c.Name)
	}
	e.listen()
	s := e.newScreen(c, o)
	if err := e.afford(c, o, s.log); err != nil {
		return err
	}
	ready, cancel := e.interruptible(ctx)
	p, err := e.open(ready, c, o, s)
	if err == nil {
		s.p = p
		err = p.conduct(ctx, ready, cancel, s)
		err = errors.Join(err, p.close())
	}
	cancel()
	if i, ok := cause(ready); ok && err != nil { // whatever was cut short by it
		return &fault{code: i.code(), err: fmt.Errorf("%w before anything was sent", i)}
	}
	return err
}

// conduct shows the plan, asks, sends and tells what came of it. Until the sending begins, a signal ends everything.
func (p *pipeline) conduct(ctx, ready context.Context, begun func(), s *sendScreen) error {
	plan, err := p.plan(ready)
	if err != nil {
		return err
	}
	if err := p.confirm(ready, plan, s); err != nil {
		return err
	}
	if err := p.startOver(ready); err != nil {
		return err
	}
	if which, _ := p.reopens(); which == delivery.NotTried { // status tells of a run whose relay cannot be reached, too
		if err := p.run.Expect(ready, plan.Rows, p.planned.Open()); err != nil {
			return stateFault(err)
		}
	}
	if err := p.guarded.hold(ready); err != nil {
		return err
	}
	if err := p.preflight(ready); err != nil {
		return errors.Join(err, p.keepRefusal(ready, err))
	}
	begun()
	if _, ok := cause(ready); ok { // a signal that came at the last moment
		return context.Canceled
	}
	return p.send(ctx, plan, s)
}
