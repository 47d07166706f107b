package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

type sendOptions struct {
	file           string
	dryRun         string // "capture", HOST:PORT or a folder; empty: the real thing
	yes, strict    bool
	limit, row     int
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
			o.file = file(args)
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
	f.StringVar(&o.retry, "retry", "", "try those again that are `STATUS`: failed or unknown")
	f.StringVar(&o.again, "again", "", "send to everyone a second time; `NAME` is the campaign's, to be sure")
	f.StringVar(&o.run, "run", "", "go on with the run `KEY`, such as 2026-W48")
	f.StringVar(&o.progress, "progress", "auto", "`HOW` to show progress: auto, bar, lines or none")
	f.BoolVar(&o.json, "json", false, "JSON lines on standard output")
	f.StringVar(&o.report, "report", "", "write the report to `FILE` as well: .txt, .json or .csv")
	f.DurationVar(&o.patience, "patience", 30*time.Second, "how long to try to reach the database and the mail server")
	must(f.MarkHidden("patience"))
	fixed := func(words ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	}
	must(c.RegisterFlagCompletionFunc("retry", fixed("failed", "unknown")))
	must(c.RegisterFlagCompletionFunc("progress", fixed("auto", "bar", "lines", "none")))
	return c
}

// check refuses flags that make no sense, before anything is read.
func (o sendOptions) check() error {
	switch {
	case o.limit < 0 || o.row < 0:
		return failf(exitUsage, "--limit and --row count from 1")
	case o.row > 0 && o.test == "":
		return failf(exitUsage, "--row is for --test")
	case o.retry != "" && o.retry != "failed" && o.retry != "unknown":
		return failf(exitUsage, "--retry %s: only failed or unknown can be tried again", o.retry)
	case o.retry != "" && o.again != "":
		return failf(exitUsage, "--retry and --again exclude each other")
	case o.test != "" && (o.retry != "" || o.again != "" || o.limit > 0 || len(o.to) > 0):
		return failf(exitUsage, "--test sends one letter and goes with no flag that chooses people")
	}
	switch o.progress {
	case "auto", "bar", "lines", "none":
		return nil
	}
	return failf(exitUsage, "--progress %s: not one of auto, bar, lines, none", o.progress)
}

func (o sendOptions) overrides() (list []campaign.Override) {
	if o.rate != "" {
		list = append(list, campaign.Override{Key: "rate", Value: o.rate, Origin: "--rate"})
	}
	if o.maxConnections != "" {
		list = append(list, campaign.Override{Key: "connections", Value: o.maxConnections, Origin: "--max-connections"})
	}
	return list
}

// reopens is the status that --retry tries again; NotTried is none.
func (o sendOptions) reopens() delivery.Status {
	switch o.retry {
	case "failed":
		return delivery.Failed
	case "unknown":
		return delivery.Unknown
	}
	return delivery.NotTried
}

// reopens is the status of what ended and is tried again all the same: as --retry says, else what is unknown where the
// campaign has it resent. Its tries begin anew after the pause.
func (p *pipeline) reopens() (which delivery.Status, pause time.Duration) {
	which = p.o.reopens()
	if which == delivery.NotTried && p.c.OnUnknown == "resend" {
		return delivery.Unknown, delivery.ResendAfter
	}
	return which, 0
}

// again tells one of those from the others. What is resent unasked is given up in the end, as all that is retried.
func (p *pipeline) again() func(composer.Past) bool {
	which, pause := p.reopens()
	if which == delivery.NotTried {
		return nil
	}
	return func(past composer.Past) bool {
		return past.Status == which && (pause == 0 || p.now().Sub(past.First) <= p.c.Retry.For)
	}
}

// only makes --to a test of addresses; nil is everyone.
func (o sendOptions) only() (func(string) bool, error) {
	if len(o.to) == 0 {
		return nil, nil
	}
	wanted := map[string]bool{}
	for _, to := range o.to {
		list := []string{to}
		if path, ok := strings.CutPrefix(to, "@"); ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, failf(exitNoInput, "--to: %w", err)
			}
			list = strings.Split(string(b), "\n")
		}
		for i, s := range list {
			if s = strings.TrimSpace(s); s == "" {
				continue
			}
			_, a, err := address.ParseMailbox(s)
			if err != nil {
				return nil, failf(exitUsage, "--to %s: entry %d is not an address: %w", to, i+1, err)
			}
			wanted[a.Key()] = true
		}
	}
	return func(key string) bool { return wanted[key] }, nil
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
	s := e.newScreen(c, o)
	ready, cancel := e.interruptible(ctx)
	p, err := e.open(ready, c, o, s)
	if err == nil {
		s.p = p
		err = p.conduct(ctx, ready, cancel, s)
		err = errors.Join(err, p.close())
	}
	cancel()
	if i, ok := cause(ready); ok && errors.Is(err, context.Canceled) {
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
	if err := p.preflight(ready); err != nil {
		return err
	}
	begun()
	return p.send(ctx, plan, s)
}
