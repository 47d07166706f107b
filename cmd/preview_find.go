package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

// pick is a row whose letter is to be shown.
type pick struct {
	ref   int64
	stamp composer.Stamp
	why   []string // it was chosen, with --hard
}

var errFound = errors.New("found")

// find gives the row that is asked for, or says why it cannot be sent.
func (d *desk) find(ctx context.Context, number int, key string) (p pick, err error) {
	unusable := ""
	skip := func(s composer.Skipped) error {
		if unusable == "" || s.Number == number {
			unusable = fmt.Sprintf("%s: %s", rowName(s.Number, s.Line), s.Text)
		}
		if s.Number == number {
			return failf(exitData, "%s", unusable)
		}
		return nil
	}
	err = d.composer.Walk(ctx, skip, func(r *composer.Row, s composer.Stamp) error {
		if number > 0 && r.Number != number || key != "" && !d.goesTo(r, key) {
			return nil
		}
		p.ref, p.stamp = r.Ref, s
		return errFound
	})
	switch n := d.rows.Len(); {
	case errors.Is(err, errFound):
		return p, nil
	case err != nil:
		return p, err
	case number > 0:
		return p, failf(exitData, "there is no row %d, the list has %d", number, n)
	case key != "":
		return p, failf(exitData, "%s is not in the list of %s, or its row cannot be sent", key, plural(n, "row")).
			hinted("rows that are skipped: %s", d.onFile("check", "--show", "skipped"))
	case n == 0:
		return p, failf(exitData, "the list is empty")
	}
	return p, failf(exitData, "no row of the list can be sent; the first: %s", unusable)
}

func (d *desk) goesTo(r *composer.Row, key string) bool {
	env, err := d.letter.Envelope(r)
	return err == nil && slices.ContainsFunc(env.Recipients, func(a address.Address) bool { return a.Key() == key })
}

// form is how a letter is laid out for looking at.
func (e *env) form() delivery.Form { return delivery.Form{EightBit: true, UTF8: true, Date: e.now()} }

// hardRows looks for the hardest rows among those that would be sent.
func (d *desk) hardRows(ctx context.Context) ([]pick, error) {
	h := newHardest(d.rows.Columns(), d.letter.Language)
	first := ""
	skip := func(s composer.Skipped) error {
		first = cmp.Or(first, fmt.Sprintf("%s: %s", rowName(s.Number, s.Line), s.Text))
		return nil
	}
	err := d.composer.Walk(ctx, skip, func(r *composer.Row, s composer.Stamp) error { h.add(r, s); return nil })
	picks := h.picks()
	switch {
	case err != nil:
		return nil, err
	case len(picks) == 0 && d.rows.Len() == 0:
		return nil, failf(exitData, "the list is empty")
	case len(picks) == 0:
		return nil, failf(exitData, "no row of the list can be sent; the first: %s", first)
	}
	return picks, nil
}
