package cmd

import (
	"bufio"
	"errors"
	"log/slog"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
)

// sendScreen is what the operator of a send sees. It is there before the pipeline, for the log.
type sendScreen struct {
	*screen.Screen
	log    *slog.Logger
	events *screen.Events // nil: none
	in     *bufio.Reader
	p      *pipeline
	total  int
}

func (e *env) newScreen(c *campaign.Campaign, o sendOptions) *sendScreen {
	s := &sendScreen{in: bufio.NewReader(e.in)}
	if o.json {
		s.events = &screen.Events{W: e.out}
	}
	hint := "Ctrl-C pauses; run again to continue"
	if rehearsal(c, o) {
		hint = "Ctrl-C ends the rehearsal"
	}
	s.Screen = screen.New(screen.Options{
		Mode: e.progress(o), Out: e.err, Events: s.events, Snapshot: s.snapshot, Width: e.width, Color: e.color(e.errTTY),
		Hint: hint,
	})
	level := slog.LevelError // cron wants silence
	switch {
	case e.verbose:
		level = slog.LevelInfo
	case e.errTTY && !e.quiet, o.json:
		level = slog.LevelWarn
	}
	s.log = s.Logger(level)
	return s
}

// progress decides how progress is shown: a bar only on a terminal.
func (e *env) progress(o sendOptions) screen.Mode {
	switch {
	case o.progress == "bar":
		return screen.Bar
	case o.progress == "lines":
		return screen.Lines
	case o.progress == "none" || e.quiet:
		return screen.None
	case e.errTTY && !o.json && e.value("TERM") != "dumb":
		return screen.Bar
	case e.verbose && !o.json:
		return screen.Lines
	}
	return screen.None
}

// snapshot reads the counters: what ended from the journal, what is under way from the dispatcher.
func (s *sendScreen) snapshot() screen.Snapshot {
	c := s.p.run.Counts()
	v := screen.Snapshot{Total: s.total, Sent: c.Sent, Failed: c.Failed, Unknown: c.Unknown, Suppressed: c.Suppressed, Skipped: c.Skipped}
	for _, q := range s.p.dispatcher.Stats() {
		v.Deferred += q.Deferred
		v.InFlight += q.InFlight
		v.Queues = append(v.Queues, screen.Queue{Name: q.Name, Done: int(s.p.ledger.queues[q.Name].Load()), Waiting: q.Waiting, InFlight: q.InFlight})
	}
	return v
}

// machine runs a command whose --json promises that the last line of standard output is an object, errors included.
func (e *env) machine(asJSON bool, run func() error) error {
	err := run()
	if !asJSON || err == nil {
		return err
	}
	f := judge(err)
	lines := strings.Split(f.Error(), "\n")
	for i, l := range lines {
		lines[i] = screen.Printable(l)
	}
	said := struct {
		V     int    `json:"v"`
		Type  string `json:"type"`
		Exit  int    `json:"exit"`
		Error string `json:"error"`
		Hint  string `json:"hint,omitempty"`
	}{1, "error", f.code, strings.Join(lines, "\n"), e.hint(f)}
	if f.summed { // the summary was the last line already
		return err
	}
	return errors.Join(err, e.json(said))
}

// inDoubt is how many deliveries could be unknown after a crash: those between dot and outcome at one instant, which is one
// transaction on each connection.
func (p *pipeline) inDoubt(pl composer.Plan) int {
	return min(p.c.Connections*pl.Widest, pl.Deliveries)
}
