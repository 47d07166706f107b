package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/report"
)

// settle brings the run's end to disk: rows that are gone, the columns of those without their mail, and whether all is done.
func (p *pipeline) settle(ctx context.Context, end ending) error {
	finished := end.err == nil && end.paused == nil && p.planned.LeftOut == 0
	if finished {
		if _, err := p.run.Gone(ctx); err != nil {
			return stateFault(err)
		}
	}
	if err := p.keepUnsent(ctx); err != nil {
		return stateFault(err)
	}
	if !finished {
		return nil
	}
	if err := p.run.Finish(ctx); err != nil {
		return stateFault(err)
	}
	return nil
}

// mostKept bounds what the journal keeps of rows; a campaign that failed for more people has another problem.
const mostKept = 100_000

// keepUnsent stores the columns of rows whose mail failed or is unknown, to be corrected and fed back.
func (p *pipeline) keepUnsent(ctx context.Context) error {
	if err := p.run.Flush(ctx); err != nil {
		return err
	}
	if n := p.run.Counts(); p.run.Info().Fresh && n.Failed+n.Unknown == 0 {
		return nil
	}
	unsent := map[delivery.ID]struct{}{}
	for o, err := range p.store.book.Outcomes(ctx, p.run.Info()) {
		if err != nil {
			return err
		}
		if (o.Status == delivery.Failed || o.Status == delivery.Unknown) && len(unsent) < mostKept {
			unsent[o.ID] = struct{}{}
		}
	}
	if len(unsent) == 0 {
		return nil
	}
	var names []string
	for _, c := range p.rows.Columns() {
		names = append(names, c.Name)
	}
	var kept []journal.Kept
	flush := func() error {
		err := p.run.Keep(ctx, names, kept)
		kept = kept[:0]
		return err
	}
	err := p.composer.Deliveries(ctx, func(r *composer.Row, id delivery.ID, to string) error {
		if _, ok := unsent[id]; !ok {
			return nil
		}
		if kept = append(kept, journal.Kept{ID: id, To: to, Fields: fields(r)}); len(kept) < 500 {
			return nil
		}
		return flush()
	})
	return errors.Join(err, flush())
}

func fields(r *composer.Row) []string {
	out := make([]string, len(r.Values))
	for i, v := range r.Values {
		if v != nil {
			out[i] = fmt.Sprint(v)
		}
	}
	return out
}

// tell prints the summary: whole on a terminal and for a rehearsal, as one receipt line otherwise, and nothing where
// there was nothing to do.
func (p *pipeline) tell(ctx context.Context, end ending, s *sendScreen) error {
	info, err := p.info(ctx)
	if err != nil {
		return stateFault(err)
	}
	src := p.reportSource(p.store.book, info)
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
		return ioFault(s.events.Emit("summary", summary{Report: r, Exit: p.judgeEnd(end).code}))
	case p.quiet:
		return nil
	case p.o.test != "":
		return p.tellTest(r)
	case p.outTTY || p.verbose || p.rehearsal():
		if err := r.Text(p.out, p.layout()); err != nil {
			return ioFault(err)
		}
		p.told = true
		return p.keepCaptured(ctx)
	case p.planned.ToSend > 0:
		_, err := fmt.Fprintln(p.out, r.Receipt(p.layout()))
		return ioFault(err)
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
func (p *pipeline) reportTo(ctx context.Context, src report.Source, r *report.Report) (err error) {
	f, err := private(p.o.report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	switch filepath.Ext(p.o.report) {
	case ".json":
		return r.JSON(f)
	case ".csv":
		return report.CSV(ctx, f, src, "")
	}
	o := p.layout()
	o.Width, o.Color = 0, false
	return r.Text(f, o)
}

// keepCaptured leaves the letters of a rehearsal as files: where --dry-run says, or where there is no terminal to show
// their page to.
func (p *pipeline) keepCaptured(ctx context.Context) error {
	if p.capture == nil || p.o.dryRun == "" && p.lingers() {
		return nil
	}
	dir := p.o.dryRun
	if dir == "" || dir == "capture" {
		if p.lingers() {
			return nil
		}
		cache, err := os.UserCacheDir()
		if err != nil {
			cache = os.TempDir()
		}
		dir = filepath.Join(cache, "mailblast", "captured", p.c.Name)
		if err := os.RemoveAll(dir); err != nil {
			return ioFault(err)
		}
	}
	n, err := p.capture.Export(ctx, dir)
	if err != nil {
		return ioFault(err)
	}
	_, err = fmt.Fprintf(p.out, "%d letters kept in %s\n", n, dir)
	return ioFault(err)
}

// lingers tells that a person may want to look at the captured letters.
func (p *pipeline) lingers() bool {
	return p.capture != nil && p.inTTY && p.outTTY && !p.quiet && !p.o.json && p.o.test == ""
}

// linger keeps the capture page up until a signal comes.
func (p *pipeline) linger(ctx context.Context) {
	if !p.lingers() {
		return
	}
	fmt.Fprintf(p.out, "Read the mail at %s   (Ctrl-C to close)\n", p.capture.URL())
	select {
	case <-p.signals:
		fmt.Fprintln(p.out)
	case <-ctx.Done():
	}
}

// verdict is the exit of a send whose summary was printed.
func (p *pipeline) verdict(end ending, err error) error {
	if err != nil {
		return stateFault(err)
	}
	f := p.judgeEnd(end)
	if f.code == exitOK {
		return nil
	}
	f.summed = true
	return f
}

// judgeEnd gives the exit code of how a sending ended.
func (p *pipeline) judgeEnd(end ending) *fault {
	goOn := "run again to continue: " + p.command()
	if p.told || p.rehearsal() { // the summary said so, or there is nothing to continue
		goOn = ""
	}
	switch r := p.result; {
	case end.err != nil:
		f := judge(end.err)
		if f.code == exitUnavailable && r.Sent > 0 {
			f.code = exitPaused
		}
		if f.hint == "" {
			f.hint = goOn
		}
		return f
	case end.sig != nil && end.paused != nil && p.rehearsal():
		return &fault{code: end.sig.code(), err: end.sig}
	case end.sig != nil && end.paused != nil:
		return &fault{code: end.sig.code(), err: fmt.Errorf("%w, state saved", end.sig), hint: goOn}
	case end.paused != nil:
		return failf(exitPaused, "%d put off by their servers; the next try is due %s", end.paused.Waiting, due(end.paused.Next)).
			hinted("%s", goOn)
	case r.Unknown > 0, p.o.strict && r.Failed > 0:
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
