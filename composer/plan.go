package composer

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailblast/mailblast/delivery"
)

// Plan says what a run has to do, in rows. Rows = ToSend + Ended + LeftOut + Skipped.
type Plan struct {
	Rows       int
	Skipped    map[delivery.Class]int  // invalid, duplicate and null rows
	Ended      int                     // every delivery of the row has a final outcome
	Past       map[delivery.Status]int // those, by the worst outcome of the row
	LeftOut    int                     // not among those asked for, or past the limit
	ToSend     int
	Waiting    int   // of ToSend: deferred by an earlier try
	Deliveries int   // open ones of the rows to send
	Left       int   // open ones of the rows left out
	First      int64 // Ref of the first row to send; -1: none
}

// Plan reads the whole list once to find repeated rows, and again to count what is to be done.
func (c *Composer) Plan(ctx context.Context) (Plan, error) {
	if err := c.dedupe(ctx); err != nil {
		return Plan{}, err
	}
	p := Plan{Rows: c.o.Rows.Len(), Skipped: map[delivery.Class]int{}, Past: map[delivery.Status]int{}, First: -1}
	skip := func(s Skipped) error { p.Skipped[s.Class]++; return nil }
	err := c.gate(ctx, skip, func(batch []candidate) error {
		for i := range batch {
			p.count(&batch[i], c.o)
		}
		return nil
	})
	return p, err
}

func (p *Plan) count(r *candidate, o Options) {
	open, waiting, worst := 0, false, delivery.NotTried
	for i, past := range r.past {
		switch {
		case r.repeats(i):
		case past.Status.Final() && past.Status != o.Retry:
			worst = max(worst, past.Status)
		default:
			open++
			waiting = waiting || past.Status == delivery.Deferred
		}
	}
	switch {
	case open == 0:
		p.Ended++
		p.Past[worst]++
	case !r.wanted() || o.Limit > 0 && p.ToSend >= o.Limit:
		p.LeftOut++
		p.Left += open
	default:
		if p.First < 0 {
			p.First = r.ref
		}
		p.ToSend++
		p.Deliveries += open
		if waiting {
			p.Waiting++
		}
	}
}

// dedupe finds the rows that repeat an earlier one, by key and by the unique column.
func (c *Composer) dedupe(ctx context.Context) (err error) {
	if c.keys, err = c.o.Dedupe(); err != nil {
		return err
	}
	if c.unique != noColumn && c.unique != c.key {
		if c.uniques, err = c.o.Dedupe(); err != nil {
			return err
		}
	}
	err = c.o.Rows.Each(ctx, func(r *Row) error {
		m, s := c.read(r)
		if s != nil {
			return nil
		}
		if err := c.keys.Add(r.Number, m.key); err != nil || c.uniques == nil {
			return err
		}
		value, ok := text(r, c.unique, m.env)
		if !ok {
			return nil // NULLs are not equal
		}
		return c.uniques.Add(r.Number, c.mac.of("unique", value))
	})
	if err != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("looking for repeated rows: %w", err)
	}
	return err
}

// Deliveries calls f with every delivery of every row that is not skipped, in the list's order. Plan must have been called
// before. The row is valid during the call only.
func (c *Composer) Deliveries(ctx context.Context, f func(r *Row, id delivery.ID, to string) error) error {
	repeat, stop := c.repeats(ctx)
	defer stop()
	return c.o.Rows.Each(ctx, func(r *Row) error {
		m, s := c.read(r)
		if s != nil {
			return nil
		}
		if first, err := repeat(r.Number); err != nil || first > 0 {
			return err
		}
		for i, to := range m.env.Recipients {
			if m.repeats(i) {
				continue
			}
			if err := f(r, delivery.ID{Run: c.o.RunID, Key: m.key, Copy: uint16(i)}, to.String()); err != nil {
				return err
			}
		}
		return nil
	})
}
