package salvage

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/sum"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

var errFound = errors.New("found")

// survey looks at every row there is.
func (w *Wreck) survey(ctx context.Context) error {
	if err := w.identify(ctx); err != nil {
		return err
	}
	err := w.left.each(ctx, func(t table.Table, row table.Row) error {
		n := w.tally(t)
		if !table.Intact(t, w.sealer, row) {
			n.changed++
			return nil
		}
		n.intact++
		if t.Columns[0] == "seq" {
			n.places.add(row.Int(0))
		}
		w.count(t, row)
		return nil
	})
	for _, n := range w.tallies {
		n.places.merge()
	}
	return err
}

func (w *Wreck) tally(t table.Table) *tally {
	n := w.tallies[t.Name]
	if n == nil {
		n = &tally{}
		w.tallies[t.Name] = n
	}
	return n
}

// count says of which run a row is.
func (w *Wreck) count(t table.Table, row table.Row) {
	switch t.Name {
	case table.Runs.Name:
		if r := w.run(row.Int(0)); r.row == nil || row.Int(1) > r.row.Int(1) {
			r.row = slices.Clone(row)
		}
	case table.Outcomes.Name:
		if row.Int(1) == 0 { // what a repair put in the place of one that was lost
			return
		}
		r := w.run(row.Int(1))
		r.outcomes++
		r.round = max(r.round, row.Int(5))
	case table.Intents.Name:
		if row.Int(1) != 0 {
			w.run(row.Int(1)).intents++
		}
	}
}

func (w *Wreck) run(id int64) *run {
	r := w.runs[id]
	if r == nil {
		r = &run{}
		w.runs[id] = r
	}
	return r
}

// identify finds the number of the journal, which all seals rest on: it says so itself, or else mark and list do.
func (w *Wreck) identify(ctx context.Context) error {
	err := w.left.each(ctx, func(t table.Table, row table.Row) error {
		if t.Name != table.Meta.Name {
			return nil
		}
		if m, ok := ledger.ParseMeta(row); ok {
			w.meta, w.told = m, true
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		w.sealer = sum.New(w.meta.ID)
		return nil
	}
	if err != nil {
		return err
	}
	return w.guess(ctx)
}

// guess takes the number that most rows were sealed with.
func (w *Wreck) guess(ctx context.Context) error {
	numbers := w.candidates()
	sealers, votes := make([]*sum.Sealer, len(numbers)), make([]int, len(numbers))
	for i, n := range numbers {
		sealers[i] = sum.New(n)
	}
	err := w.left.each(ctx, func(t table.Table, row table.Row) error {
		for i := range numbers {
			if table.Intact(t, sealers[i], row) {
				votes[i]++
			}
		}
		return nil
	})
	best := 0
	for i, n := range votes {
		if n > votes[best] {
			best = i
		}
	}
	w.meta.ID, w.sealer = numbers[best], sealers[best]
	return err
}

func (w *Wreck) candidates() (all [][16]byte) {
	if w.marked == nil {
		all = append(all, w.mark.Journal)
	}
	for _, r := range slices.Backward(w.list.Runs) {
		var n [16]byte
		if len(r.Journal) != 2*len(n) {
			continue
		}
		if _, err := hex.Decode(n[:], []byte(r.Journal)); err == nil && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		all = append(all, [16]byte{})
	}
	return all
}
