package composer

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailblast/mailblast/delivery"
)

// Plan says what a run has to do, in rows. Rows = ToSend + Ended + Barred + LeftOut + Skipped.
type Plan struct {
	Rows       int
	Skipped    map[delivery.Class]int  // invalid, duplicate and null rows
	Ended      int                     // every delivery of the row has a final outcome
	Past       map[delivery.Status]int // those, by the worst outcome of the row
	Barred     int                     // what is open of the row must not be written to
	LeftOut    int                     // not among those asked for, or past the limit
	ToSend     int
	Widest     int   // open deliveries of one row to send, at most
	Waiting    int   // of ToSend: deferred by an earlier try
	Doubtful   int   // of ToSend: with a delivery that is tried again after it was unknown
	Differ     int   // deliveries that are tried again after they were unknown, with another letter than the one they may have got
	Deliveries int   // open ones of the rows to send
	Left       int   // open ones of the rows left out
	Bars       int   // open ones that get their outcome at the gate, as they must not be written to
	First      int64 // Ref of the first row to send; -1: none
}

// Open is how many deliveries have no outcome yet.
func (p *Plan) Open() int { return p.Deliveries + p.Left + p.Bars }

// Plan reads the whole list once to find repeated rows, and again to count what is to be done.
func (c *Composer) Plan(ctx context.Context) (Plan, error) {
	if err := c.dedupe(ctx, c.known); err != nil {
		return Plan{}, err
	}
	p := Plan{Rows: c.o.Rows.Len(), Skipped: map[delivery.Class]int{}, Past: map[delivery.Status]int{}, First: -1}
	skip := func(s Skipped) error { p.Skipped[s.Class]++; return nil }
	err := c.gate(ctx, skip, func(batch []candidate) error {
		for i := range batch {
			if r := &batch[i]; p.count(r, c) {
				c.choose(r)
			}
		}
		return nil
	})
	return p, err
}

// count tells whether something of the row is to be decided by this run: it is sent, or barred. What is tried again is open in
// those rows alone.
func (p *Plan) count(r *candidate, c *Composer) bool {
	open, barred, waiting, doubtful, worst := 0, 0, false, false, delivery.NotTried
	out := !r.wanted() || c.o.Limit > 0 && p.ToSend >= c.o.Limit
	for i, past := range r.past {
		_, no := c.barred(r.env.Recipients[i])
		switch {
		case past.Status.Final() && (out || !c.reopened(past, no)):
			worst = max(worst, past.Status)
		case no && !out:
			barred++
		default:
			open++
			waiting = waiting || past.Status == delivery.Deferred
			doubtful = doubtful || past.Status == delivery.Unknown
			if !out && past.Status == delivery.Unknown && past.Print != 0 && past.Print != r.print {
				p.Differ++
			}
		}
	}
	p.Bars += barred
	switch {
	case open+barred == 0:
		p.Ended++
		p.Past[worst]++
	case out:
		p.LeftOut++
		p.Left += open
	case open == 0:
		p.Barred++
		return true
	default:
		p.toSend(r, open, waiting)
		if doubtful {
			p.Doubtful++
		}
		return true
	}
	return false
}

func (p *Plan) toSend(r *candidate, open int, waiting bool) {
	if p.First < 0 {
		p.First = r.ref
	}
	p.ToSend++
	p.Widest = max(p.Widest, open)
	p.Deliveries += open
	if waiting {
		p.Waiting++
	}
}

// reopened tells whether a delivery that ended is begun anew. Of those who must not be written to only the unknown are: whoever
// wants to try them again has decided about them, and hears that they are suppressed. A refusal stays one.
func (c *Composer) reopened(p Past, barred bool) bool {
	return p.Status.Final() && c.o.Again != nil && c.o.Again(p) && (!barred || p.Status == delivery.Unknown)
}

// choose notes what of the row is tried again.
func (c *Composer) choose(r *candidate) {
	for i, past := range r.past {
		if _, no := c.barred(r.env.Recipients[i]); !c.reopened(past, no) {
			continue
		}
		if c.chosen == nil {
			c.chosen = map[delivery.ID]struct{}{}
		}
		c.chosen[r.ids[i]] = struct{}{}
	}
}

// Chosen tells whether Plan counted on a delivery that ended to be tried again, as Options.Again has it: its row is on the
// list, among those asked for and within the limit.
func (c *Composer) Chosen(id delivery.ID) bool {
	_, ok := c.chosen[id]
	return ok
}

// dedupe finds the rows that repeat an earlier one, by key and by the unique column. Of rows that share a unique value the
// one that known tells of goes first, whatever the list's order is this time: its mail may have gone already.
func (c *Composer) dedupe(ctx context.Context, known func(context.Context, []candidate) ([]bool, error)) (err error) {
	if c.keys, err = c.o.Dedupe(); err != nil {
		return err
	}
	if c.unique != noColumn && c.unique != c.key {
		if c.uniques, err = c.o.Dedupe(); err != nil {
			return err
		}
	}
	batch := make([]candidate, 0, batchSize)
	err = c.o.Rows.Each(ctx, func(r *Row) error {
		m, s := c.read(r)
		if s != nil {
			return nil
		}
		if err := c.keys.Add(r.Number, m.key); err != nil || c.uniques == nil {
			return err
		}
		unique, ok := value(r, c.unique, m.env)
		if !ok {
			return nil // NULLs are not equal
		}
		m.unique = c.mac.of("unique", unique)
		if batch = append(batch, m); len(batch) < batchSize {
			return nil
		}
		err := c.addUniques(ctx, batch, known)
		batch = batch[:0]
		return err
	})
	if err == nil {
		err = c.addUniques(ctx, batch, known)
	}
	if err != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("looking for repeated rows: %w", err)
	}
	return err
}

func (c *Composer) addUniques(ctx context.Context, batch []candidate, known func(context.Context, []candidate) ([]bool, error)) error {
	old := make([]bool, len(batch))
	if known != nil && len(batch) > 0 {
		var err error
		if old, err = known(ctx, batch); err != nil {
			return err
		}
	}
	for i, m := range batch {
		add := c.uniques.Add
		if old[i] {
			add = c.uniques.AddKnown
		}
		if err := add(m.number, m.unique); err != nil {
			return err
		}
	}
	return nil
}

// known asks the ledger which rows an earlier process has begun with.
func (c *Composer) known(ctx context.Context, batch []candidate) ([]bool, error) {
	ids := make([]delivery.ID, len(batch))
	for i := range batch {
		ids[i] = delivery.ID{Run: c.o.RunID, Key: batch[i].key}
	}
	return c.o.Ledger.Known(ctx, ids)
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
		for i, id := range c.ids(&m) {
			if err := f(r, id, m.env.Recipients[i].String()); err != nil {
				return err
			}
		}
		return nil
	})
}
