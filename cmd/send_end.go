package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/report"
)

// tell prints the summary: whole on a terminal and for a rehearsal, as one receipt line otherwise, and nothing where
// there was nothing to do.
func (p *pipeline) tell(ctx context.Context, end ending, s *sendScreen) error {
	info, err := p.info(ctx)
	if err != nil {
		return stateFault(err)
	}
	src, err := p.reportSource(ctx, p.store.book, p.c.State, info)
	if err != nil {
		return stateFault(err)
	}
	if src.Barred = nil; p.barred != nil {
		src.Barred = func(to string) (bool, error) { _, barred := p.barred.to(to); return barred, nil }
	}
	src.Process = &report.Process{Seconds: p.now().Sub(p.began).Seconds(), Sent: p.run.Counts().Sent, Resumed: !p.run.Info().Fresh}
	r, err := report.Build(ctx, src)
	if err != nil {
		return stateFault(err)
	}
	if p.o.report != "" {
		if err := p.reportTo(ctx, src, r); err != nil {
			return failf(exitIO, "--report: %w", err)
		}
	}
	p.result = r
	switch {
	case s.events != nil:
		p.unheard = ioFault(s.events.Emit("summary", summary{Report: r, Exit: p.judgeEnd(end).code}))
	case p.quiet:
	case p.o.test != "":
		return p.tellTest(r)
	case p.outTTY || p.verbose || p.rehearsal():
		if p.unheard = ioFault(r.Text(p.out, p.layout())); p.unheard == nil {
			p.told = true
			return p.keepCaptured(ctx)
		}
	case p.planned.ToSend > 0 || p.found > 0: // who became unknown is told of once
		_, err := fmt.Fprintln(p.out, r.Receipt(p.layout()))
		p.unheard = ioFault(err)
	}
	return nil
}

// info is what the journal says of this run now. It is looked up by its number: a campaign's name alone means its latest
// run, which another may be by now.
func (p *pipeline) info(ctx context.Context) (journal.RunInfo, error) {
	runs, err := p.store.book.Runs(ctx, p.c.Name, 0)
	for _, r := range runs {
		if r.ID == p.run.Info().ID {
			return r, nil
		}
	}
	return p.run.Info(), err
}

// summary is the last line of --json.
type summary struct {
	*report.Report
	V    int `json:"v,omitempty"` // Emit has it already
	Exit int `json:"exit"`
}

func ioFault(err error) error {
	if err == nil {
		return nil
	}
	return failf(exitIO, "%w", err)
}

func (p *pipeline) tellTest(r *report.Report) error {
	if r.Sent == 1 {
		_, err := fmt.Fprintf(p.err, "test letter sent to %s\n", p.o.test)
		return ioFault(err)
	}
	return ioFault(r.Text(p.err, p.layout()))
}

// reportTo writes the report in the form its file's name asks for.
func (p *pipeline) reportTo(ctx context.Context, src report.Source, r *report.Report) error {
	return writeOut(p.o.report, func(w io.Writer) error {
		switch filepath.Ext(p.o.report) {
		case ".json":
			return r.JSON(w)
		case ".csv":
			return report.CSV(ctx, w, src, "")
		}
		o := p.layout()
		o.Width, o.Color = 0, false
		return r.Text(w, o)
	})
}

// verdict is the exit of a send whose summary was printed.
func (p *pipeline) verdict(end ending, err error) error {
	if err != nil {
		return stateFault(err)
	}
	f := p.judgeEnd(end)
	if f.code == exitOK {
		return p.unheard
	}
	if p.unheard != nil { // what came of the sending matters more
		f.err = errors.Join(f.err, p.unheard)
	}
	f.summed = true
	return f
}

// judgeEnd gives the exit code of how a sending ended.
func (p *pipeline) judgeEnd(end ending) *fault {
	goOn := "run again to continue: " + p.goOn()
	if p.told || p.rehearsal() { // the summary said so, or there is nothing to continue
		goOn = ""
	}
	switch r := p.result; {
	case end.bugs != nil && end.err == nil && end.sig == nil:
		f := bug(fmt.Errorf("%w; everybody else's mail went on", end.bugs))
		if end.paused != nil && goOn != "" {
			f.hint = goOn + "\n" + f.hint
		}
		return f
	case end.err != nil:
		f := judge(end.err)
		if f.code == exitUnavailable && r.Sent > 0 {
			f.code = exitPaused
		}
		if f.hint == "" && !f.test {
			f.hint = goOn
		}
		return f
	case end.sig != nil && end.paused != nil && p.rehearsal():
		return &fault{code: end.sig.code(), err: end.sig}
	case end.sig != nil && end.paused != nil:
		return &fault{code: end.sig.code(), err: fmt.Errorf("%w, state saved", end.sig), hint: goOn}
	case end.paused != nil && len(end.paused.Pauses) > 0 && len(r.Pauses) > 0:
		return p.pausedFault(r.Pauses)
	case end.paused != nil:
		return failf(exitPaused, "%d put off for a later try; the next try is due %s", end.paused.Waiting, due(end.paused.Next)).
			hinted("%s", goOn)
	case r.Undecided() > 0, p.o.strict && r.Failed > 0:
		return &fault{code: exitPartial}
	}
	return &fault{code: exitOK}
}

func due(t time.Time) string {
	if t.IsZero() {
		return "at once"
	}
	return "at " + t.Local().Format("15:04:05")
}
