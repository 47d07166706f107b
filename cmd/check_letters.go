package cmd

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
)

// letters renders the letter of every row that would be sent, and counts the others.
func (k *checkup) letters(ctx context.Context) error {
	if k.rows == nil || k.letter == nil {
		return nil
	}
	if err := errors.Join(k.heed(ctx), k.compose()); err != nil {
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
	if n := t.by[delivery.ClassSuppressed]; n > 0 {
		k.ok("%s suppressed, left out   (%s)", screen.Comma(n), k.env.onFile("check", "--show", "skipped"))
	}
	if skips := t.skips(); skips != "" {
		k.warn("%s → will be skipped   (%s)%s", skips, k.env.onFile("check", "--show", "skipped"), t.skipped)
	}
	k.warnOdd(t)
	if n := k.rows.Len(); n > 0 && t.by[delivery.ClassInvalid] == n {
		return k.found(failf(exitData, "nobody is left to send to: %s of %s", plural(n, "invalid row"), screen.Comma(n)))
	}
	return nil
}

// renderAll renders every letter, and throws it away.
func (k *checkup) renderAll(ctx context.Context) (*tally, error) {
	t := newTally(len(k.looking))
	err := k.eachLetter(ctx, t, func(_ *composer.Row, body delivery.Body) error {
		_, err := body.WriteTo(io.Discard)
		return err
	})
	return t, err
}
