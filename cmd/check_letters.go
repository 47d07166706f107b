package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
)

// letters renders the letter of every row that would be sent, and counts the others.
func (k *checkup) letters(ctx context.Context) error {
	if k.rows == nil || k.letter == nil {
		return nil
	}
	if err := k.compose(); err != nil {
		return k.found(err)
	}
	start := time.Now()
	t, err := k.renderAll(ctx)
	if err != nil {
		return err
	}
	k.largest = t.largest
	for _, text := range k.noted {
		k.warn("%s", text)
	}
	if t.failed.n > 0 {
		if err := k.found(failf(exitData, "%s of %s cannot be rendered%s", screen.Comma(t.failed.n), plural(t.rendered+t.failed.n, "letter"), t.failed)); err != nil {
			return err
		}
	} else if t.rendered > 0 {
		k.ok("all %s can be rendered (%s, largest %s)", plural(t.rendered, "letter"), time.Since(start).Round(100*time.Millisecond), bytesText(t.largest))
	}
	if skips := t.skips(); skips != "" {
		k.warn("%s → will be skipped   (mailblast check --show skipped)%s", skips, t.skipped)
	}
	k.warnOdd(t)
	return nil
}

// task is a row whose letter is to be rendered.
type task struct {
	ref   int64
	stamp composer.Stamp
}

// renderAll walks the list in one goroutine and renders in as many as there are cores.
func (k *checkup) renderAll(ctx context.Context) (*tally, error) {
	t := newTally()
	var mu sync.Mutex
	tasks := make(chan []task, 4)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(tasks)
		return k.walk(ctx, tasks, func(s composer.Skipped) {
			mu.Lock()
			defer mu.Unlock()
			t.skip(s)
		}, t.note)
	})
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for batch := range tasks {
				for _, job := range batch {
					o, err := k.render(ctx, job)
					if err != nil {
						return err
					}
					mu.Lock()
					t.add(o)
					mu.Unlock()
				}
			}
			return nil
		})
	}
	return t, g.Wait()
}

// walk sends the rows to render in batches, and looks at them.
func (k *checkup) walk(ctx context.Context, tasks chan<- []task, skip func(composer.Skipped), note func([]odd)) error {
	const size = 256
	var batch []task
	flush := func() error {
		select {
		case tasks <- batch:
			batch = make([]task, 0, size)
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err := k.composer.Walk(ctx, func(s composer.Skipped) error { skip(s); return nil }, func(r *composer.Row, s composer.Stamp) error {
		found, err := k.oddities(r)
		if err != nil {
			return err
		}
		note(found)
		if batch = append(batch, task{r.Ref, s}); len(batch) < size {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

func (d *desk) render(ctx context.Context, job task) (o rendered, err error) {
	r, err := d.rows.At(job.ref)
	if err != nil {
		return o, failf(exitIO, "row store: %w", err)
	}
	body, err := d.letter.Render(ctx, r, job.stamp, d.form())
	if err == nil {
		_, err = body.WriteTo(io.Discard)
		o.size, _, _ = body.Needs()
		err = errors.Join(err, body.Close())
	}
	u := (*delivery.Unfit)(nil)
	switch {
	case err == nil || !errors.As(err, &u):
		return o, err
	case u.Status == delivery.Skipped:
		o.skipped = &composer.Skipped{Number: r.Number, Line: r.Line, To: d.letter.Addressee(r), Class: u.Class, Text: u.Text}
	default:
		o.fault = fmt.Sprintf("%s: %s: %s", rowName(r.Number, r.Line), d.letter.Addressee(r), u.Text)
	}
	return o, nil
}
