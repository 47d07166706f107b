package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
)

// writeAll writes every letter into a folder. Rows that are at fault hold up no other.
func (d *desk) writeAll(ctx context.Context, dir string) (err error) {
	root, err := openOut(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	var written, octets atomic.Int64
	buffers := sync.Pool{New: func() any { return newWriter() }}
	t, stop := newTally(len(d.looking)), d.counting(&written)
	err = d.eachLetter(ctx, t, func(r *composer.Row, body delivery.Body) error {
		env, err := d.letter.Envelope(r)
		if err != nil {
			return err
		}
		w := buffers.Get().(*bufio.Writer)
		defer buffers.Put(w)
		n, err := writeLetter(root, letterName(r.Number, env.Recipients[0].String()), body, w)
		if err != nil {
			return outFault(dir, err)
		}
		written.Add(1)
		octets.Add(n)
		return nil
	})
	stop()
	d.say("%s in %s (%s)\n", plural(int(written.Load()), "letter"), dir, bytesText(octets.Load()))
	if err != nil {
		return err
	}
	return d.leftOut(t)
}

func newWriter() *bufio.Writer { return bufio.NewWriterSize(nil, 16<<10) }

// writeLetter writes a file that is whole or not there.
func writeLetter(root *os.Root, name string, body delivery.Body, w *bufio.Writer) (n int64, err error) {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	w.Reset(f)
	n, err = body.WriteTo(w)
	if err = errors.Join(err, w.Flush(), f.Close()); err != nil {
		return 0, errors.Join(err, root.Remove(name))
	}
	return n, nil
}

// leftOut tells of the rows that got no letter.
func (d *desk) leftOut(t *tally) error {
	if skips := t.skips(); skips != "" {
		d.say("left out: %s   (%s)%s\n", skips, d.onFile("check", "--show", "skipped"), printableText(t.skipped.String()))
	}
	if t.failed.n == 0 {
		return nil
	}
	return failf(exitData, "%s of %s cannot be rendered%s", screen.Comma(t.failed.n), plural(t.rendered+t.failed.n, "letter"), printableText(t.failed.String()))
}

// counting shows on a terminal how many letters there are, until it is stopped.
func (d *desk) counting(n *atomic.Int64) (stop func()) {
	if !d.errTTY || d.quiet {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				fmt.Fprint(d.err, "\r\x1b[K")
				return
			case <-tick.C:
				fmt.Fprintf(d.err, "\r%s of %s\x1b[K", plural(int(n.Load()), "letter"), plural(d.rows.Len(), "row"))
			}
		}
	}()
	return func() { close(done); <-gone }
}
