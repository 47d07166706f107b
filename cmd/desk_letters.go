package cmd

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
)

// task is a row whose letter is to be rendered.
type task struct {
	ref   int64
	stamp composer.Stamp
}

// eachLetter walks the list in one goroutine and renders in as many as there are cores; each of these calls write with the
// letters it has rendered. What became of every row is counted in t, which is nobody else's until it returns.
func (d *desk) eachLetter(ctx context.Context, t *tally, write func(*composer.Row, delivery.Body) error) error {
	var mu sync.Mutex
	tasks := make(chan []task, 4)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(tasks)
		return d.walk(ctx, tasks, func(s composer.Skipped) {
			mu.Lock()
			defer mu.Unlock()
			t.skip(s)
		}, t.note)
	})
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for batch := range tasks {
				for _, job := range batch {
					o, err := d.render(ctx, job, write)
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
	return g.Wait()
}

// walk sends the rows to render in batches, and looks at them.
func (d *desk) walk(ctx context.Context, tasks chan<- []task, skip func(composer.Skipped), note func([]odd)) error {
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
	err := d.composer.Walk(ctx, func(s composer.Skipped) error { skip(s); return nil }, func(r *composer.Row, s composer.Stamp) error {
		found, err := d.oddities(r)
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

// render makes one letter and has it written. A row that is at fault is no error.
func (d *desk) render(ctx context.Context, job task, write func(*composer.Row, delivery.Body) error) (o rendered, err error) {
	if ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	r, err := d.rows.At(job.ref)
	if err != nil {
		return o, failf(exitIO, "row store: %w", err)
	}
	body, err := d.letter.Render(ctx, r, job.stamp, d.form())
	if err == nil {
		err = write(r, body)
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
