package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
)

// fewShown is how many rows of a kind are named; --show skipped has all.
const fewShown = 3

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
	return nil
}

// tally counts what becomes of the rows of a list.
type tally struct {
	rendered int
	largest  int64
	failed   examples // letters that cannot be rendered
	skipped  examples
	by       map[delivery.Class]int // skipped rows
}

// examples counts rows and names the first few.
type examples struct {
	n     int
	first []string
}

func (x *examples) add(line string) {
	if x.n++; len(x.first) < fewShown {
		x.first = append(x.first, line)
	}
}

func (x examples) String() string {
	var b strings.Builder
	for _, line := range x.first {
		b.WriteString("\n    " + line)
	}
	if more := x.n - len(x.first); more > 0 {
		fmt.Fprintf(&b, "\n    and %s more", screen.Comma(more))
	}
	return b.String()
}

func (t *tally) skips() string {
	var parts []string
	for _, c := range []struct {
		class delivery.Class
		name  string
	}{{delivery.ClassInvalid, "invalid row"}, {delivery.ClassDuplicate, "duplicate"}, {delivery.ClassNull, "NULL"}} {
		if n := t.by[c.class]; n > 0 {
			parts = append(parts, plural(n, c.name))
		}
	}
	return strings.Join(parts, ", ")
}

// task is a row whose letter is to be rendered.
type task struct {
	ref   int64
	stamp composer.Stamp
}

// renderAll walks the list in one goroutine and renders in as many as there are cores.
func (k *checkup) renderAll(ctx context.Context) (*tally, error) {
	t := &tally{by: map[delivery.Class]int{}}
	var mu sync.Mutex
	tasks := make(chan []task, 4)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(tasks)
		return k.walk(ctx, tasks, func(s composer.Skipped) {
			mu.Lock()
			defer mu.Unlock()
			t.skip(s)
		})
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

func (t *tally) skip(s composer.Skipped) {
	t.by[s.Class]++
	t.skipped.add(skippedText(s))
}

func skippedText(s composer.Skipped) string {
	return fmt.Sprintf("%s: %s: %s", rowName(s.Number, s.Line), s.To, s.Text)
}

// rendered is what became of one row's letter.
type rendered struct {
	size    int64
	skipped *composer.Skipped // on_null: skip
	fault   string
}

func (t *tally) add(o rendered) {
	switch {
	case o.skipped != nil:
		t.skip(*o.skipped)
	case o.fault != "":
		t.failed.add(o.fault)
	default:
		t.rendered++
		t.largest = max(t.largest, o.size)
	}
}

// walk sends the rows to render in batches.
func (k *checkup) walk(ctx context.Context, tasks chan<- []task, skip func(composer.Skipped)) error {
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
