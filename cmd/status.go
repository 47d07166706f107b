package cmd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/report"
)

type statusOptions struct {
	run  []string
	json bool
}

// status is where a run stands. Its JSON names are stable.
type status struct {
	V          int        `json:"v"`
	Type       string     `json:"type"`
	Run        string     `json:"run"`
	Campaign   string     `json:"campaign"`
	State      string     `json:"state"` // running, paused or finished
	PID        int        `json:"pid,omitempty"`
	Host       string     `json:"host,omitempty"`
	Since      *time.Time `json:"since,omitempty"` // running: when that process began
	Started    time.Time  `json:"started"`
	Finished   *time.Time `json:"finished,omitempty"`
	Rows       int        `json:"rows"`
	Sent       int        `json:"sent"`
	Failed     int        `json:"failed"`
	Unknown    int        `json:"unknown"`
	Suppressed int        `json:"suppressed"`
	Skipped    int        `json:"skipped"`
	Pending    int        `json:"pending"`
	Deferred   int        `json:"deferred"` // of pending
	NextTry    *time.Time `json:"next_try,omitempty"`

	UnknownSuppressed int            `json:"unknown_suppressed,omitempty"` // of unknown: will not be written to
	OnWire            int            `json:"on_the_wire,omitempty"`        // when it was cut off
	Doubt             *report.Doubt  `json:"doubt,omitempty"`
	Pauses            []report.Pause `json:"pauses,omitempty"` // what is left alone, and why

	report *report.Report
}

func (e *env) statusCommand() *cobra.Command {
	var o statusOptions
	c := &cobra.Command{
		Use:     "status [RUN]",
		GroupID: "results",
		Short:   "Tell where a run stands",
		Example: `  mailblast status                the latest run
  mailblast status spring-offer   the latest run of that campaign
  mailblast status spring-offer/2026-W48 --json`,
		Long: "Tell whether a run is running, paused or finished, and how many people have which outcome: CAMPAIGN, CAMPAIGN/KEY or\n" +
			"CAMPAIGN/KEY#2. Default: the latest run of campaign.yaml in this directory, or of the nearest .mailblast. It can be asked\n" +
			"at any time; a run in progress does not notice.",
		Args:        usage(cobra.MaximumNArgs(1)),
		Annotations: codes(exitOK, exitUsage, exitNoInput, exitIO, exitRefused),
		RunE: func(c *cobra.Command, args []string) error {
			o.run = args
			return e.machine(o.json, func() error { return e.runStatus(c.Context(), o) })
		},
	}
	c.Flags().BoolVar(&o.json, "json", false, "as JSON")
	c.ValidArgsFunction = e.completeRuns
	return c
}

func (e *env) runStatus(ctx context.Context, o statusOptions) (err error) {
	ctx, stop := e.interruptible(ctx)
	defer stop()
	p, err := e.past(ctx, o.run)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.book.Close()) }()
	s, err := e.status(ctx, p)
	if err != nil {
		return stopped(ctx, err)
	}
	if o.json {
		return ioFault(e.json(s))
	}
	e.printStatus(s)
	send, about := e.goOn(p.at.dir, p.info.Campaign, p.info.Key)
	for _, remark := range s.report.Remarks(send) {
		e.say("  %s\n", screen.Printable(remark))
	}
	if s.State == "paused" {
		e.say("Go on with: %s\n", send)
	}
	if about != "" && (s.State == "paused" || s.Doubt != nil) {
		e.say("%s\n", about)
	}
	return nil
}

// status asks first who carries the run on: one that finishes in between is then still shown with all its counts.
func (e *env) status(ctx context.Context, p *past) (*status, error) {
	holder, running, err := p.running(ctx)
	if err != nil {
		return nil, err
	}
	src, err := e.reportSource(ctx, p.book, p.at.dir, p.info)
	if err == nil {
		src.OnWire, err = p.onWire(ctx)
	}
	if err != nil {
		return nil, stateFault(err)
	}
	var next time.Time
	src.Outcomes = soonest(src.Outcomes, &next)
	r, err := report.Build(ctx, src)
	if err != nil {
		return nil, stateFault(err)
	}
	s := &status{
		V: 1, Type: "status", Run: r.Run, Campaign: r.Campaign, State: "paused", Started: r.Started, Finished: r.Finished,
		Rows: r.Rows, Sent: r.Sent, Failed: r.Failed, Unknown: r.Unknown, Suppressed: r.Suppressed, Skipped: r.Skipped,
		Pending: r.Pending, Deferred: r.Deferred, Pauses: r.Pauses, UnknownSuppressed: r.UnknownSuppressed, OnWire: r.OnWire,
		Doubt: r.Doubt, report: r,
	}
	if !next.IsZero() {
		s.NextTry = &next
	}
	switch {
	case running:
		s.State, s.PID, s.Host = "running", holder.PID, holder.Host
		if !holder.Start.IsZero() {
			s.Since = &holder.Start
		}
	case r.Finished != nil:
		s.State = "finished"
	}
	return s, nil
}

// soonest notes the earliest next try of the deferred outcomes that pass.
func soonest(outcomes iter.Seq2[delivery.Outcome, error], next *time.Time) iter.Seq2[delivery.Outcome, error] {
	return func(yield func(delivery.Outcome, error) bool) {
		for o, err := range outcomes {
			if err == nil && o.Status == delivery.Deferred && (next.IsZero() || o.Next.Before(*next)) {
				*next = o.Next
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

const moment = "2006-01-02 15:04:05"

func (e *env) printStatus(s *status) {
	switch s.State {
	case "running":
		if s.Since == nil { // its server tells no more
			e.say("%s is running elsewhere\n", s.Run)
			break
		}
		e.say("%s is running since %s (pid %d on %s)\n", s.Run, s.Since.Local().Format(moment), s.PID, screen.Printable(s.Host))
	case "finished":
		e.say("%s finished %s\n", s.Run, s.Finished.Local().Format(moment))
	default:
		e.say("%s is paused: started %s, not finished, and nobody is sending it now\n", s.Run, s.Started.Local().Format(moment))
	}
	deferred := ""
	if s.Deferred > 0 {
		deferred = fmt.Sprintf("   %s of them put off for a later try", screen.Comma(s.Deferred))
		if s.NextTry != nil {
			deferred += ", next try " + s.NextTry.Local().Format(moment)
		}
	}
	for _, l := range []struct {
		name  string
		n     int
		aside string
	}{{"rows", s.Rows, ""}, {"sent", s.Sent, ""}, {"failed", s.Failed, ""}, {"unknown", s.Unknown, ""},
		{"suppressed", s.Suppressed, ""}, {"skipped", s.Skipped, ""}, {"pending", s.Pending, deferred}} {
		e.say("  %-10s %12s%s\n", l.name, screen.Comma(l.n), l.aside)
	}
	for i := range s.Pauses {
		e.say("  %s\n", screen.Printable(s.Pauses[i].String()))
	}
}
