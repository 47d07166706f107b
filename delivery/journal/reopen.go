package journal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/state"
)

// Lookup gives the state of each delivery as this process found it, and notes that this reading of the list has it. A
// fresh run answers at once. In a run that a repair left in doubt, a delivery of which nothing is known is unknown; the addresses
// say whose that is, one an ID, where they are at hand.
func (r *Run) Lookup(ctx context.Context, ids []delivery.ID, to ...string) ([]state.State, error) {
	if r.states == nil {
		return make([]state.State, len(ids)), nil
	}
	a, err := r.states.Lookup(ctx, ids)
	if err == nil && len(a.Back) > 0 {
		err = r.back(ctx, a.Back)
	}
	if err == nil && !r.info.Doubt.IsZero() && len(a.None) > 0 {
		err = r.doubt(ctx, ids, to, &a)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: lookup: %w", refusal.Of(r.book.store.File(), err))
	}
	return a.States, nil
}

// Known tells of which deliveries this process found something in the journal. It decides nothing: in a run in doubt, what is known
// of nobody stays so until Lookup is asked, since the row may turn out to be a repeated one, which is no delivery.
func (r *Run) Known(ctx context.Context, ids []delivery.ID) ([]bool, error) {
	known := make([]bool, len(ids))
	if r.states == nil {
		return known, nil
	}
	a, err := r.states.Lookup(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("journal: lookup: %w", refusal.Of(r.book.store.File(), err))
	}
	for i := range known {
		known[i] = a.States[i].Status != delivery.NotTried
	}
	return known, nil
}

// back reopens deliveries whose row has come back to the list.
func (r *Run) back(ctx context.Context, back []delivery.Outcome) error {
	return r.decide(ctx, back, false, func(w *writer, o *delivery.Outcome) error { return w.reopen(r.info.ID, r.round, o) })
}

// doubt makes deliveries unknown of which nothing is known, since what was known of them may be lost.
func (r *Run) doubt(ctx context.Context, ids []delivery.ID, to []string, a *state.Answer) error {
	os := make([]delivery.Outcome, len(a.None))
	none := make(map[delivery.ID]int, len(a.None))
	for i, id := range a.None {
		os[i] = delivery.Outcome{ID: id, Status: delivery.Unknown, Text: "the journal lost what became of it", At: r.info.Doubt}
		none[id] = i
	}
	for i, who := range to {
		if n, ok := none[ids[i]]; ok {
			os[n].To = who
		}
	}
	err := r.decide(ctx, os, true, func(w *writer, o *delivery.Outcome) error {
		return w.add(r.info.ID, r.round, []delivery.Outcome{*o})
	})
	for i, id := range ids {
		if _, ok := none[id]; ok {
			a.States[i] = state.State{Status: delivery.Unknown}
		}
	}
	return err
}

// decide gives deliveries a new deciding outcome.
func (r *Run) decide(ctx context.Context, os []delivery.Outcome, unknown bool, add func(*writer, *delivery.Outcome) error) error {
	places, ids := make([]int64, len(os)), make([]delivery.ID, len(os))
	err := r.book.update(ctx, func(tx *ledger.Tx) error {
		if err := r.mine(ctx, tx); err != nil {
			return err
		}
		w := r.book.writer(ctx, tx)
		for i := range os {
			if err := add(w, &os[i]); err != nil {
				return err
			}
			places[i], ids[i] = tx.Meta.Outcomes, os[i].ID
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.states.Set(ctx, ids, places, r.round, unknown)
}

// Reopen starts the failed or the unknown deliveries of the run anew that chosen tells, nil being all of them, with a pause
// since they ended, and tells how many those are. What was unknown keeps the date of its first try: a second copy of it is
// the same letter. Without a pause that is for this process alone: to the next one, whoever was not tried meanwhile is what
// they were. Nothing may have been sent yet.
func (r *Run) Reopen(ctx context.Context, which delivery.Status, pause time.Duration, chosen func(delivery.ID) bool) (n int, err error) {
	if r.states == nil {
		return 0, nil
	}
	a := reopening{r: r, which: which, pause: pause}
	err = r.states.Each(ctx, which, false, func(os []delivery.Outcome) error {
		if chosen != nil {
			os = slices.DeleteFunc(os, func(o delivery.Outcome) bool { return !chosen(o.ID) })
		}
		if len(os) == 0 {
			return nil
		}
		n += len(os)
		return a.some(ctx, os)
	})
	if err == nil && n > 0 {
		r.round++
		err = a.done(ctx)
	}
	if err != nil {
		return n, fmt.Errorf("journal: reopen: %w", refusal.Of(r.book.store.File(), err))
	}
	return n, nil
}

// reopening is one call of Reopen.
type reopening struct {
	r       *Run
	which   delivery.Status
	pause   time.Duration
	row     runRow // as it is written
	commits uint64
}

func (a *reopening) some(ctx context.Context, os []delivery.Outcome) error {
	b, round := a.r.book, a.r.round+1
	return b.update(ctx, func(tx *ledger.Tx) error {
		if err := a.r.mine(ctx, tx); err != nil {
			return err
		}
		w := b.writer(ctx, tx)
		for i := range os {
			o := anew(&os[i], a.pause)
			if err := w.reopen(a.r.info.ID, round, &o); err != nil {
				return err
			}
		}
		a.commits = tx.Meta.Commits
		return b.change(ctx, tx, a.r.info.ID, func(row *runRow) {
			row.round = int64(round)
			if a.which != delivery.Unknown { // who is in doubt stays so
				row.retried = row.round
			}
			a.row = *row
		})
	})
}

// done has the list of runs say so before anything is sent: if the journal loses its end, those who failed, or
// were suppressed, may have got their mail by then.
func (a *reopening) done(ctx context.Context) error {
	list, err := register.Read(a.r.book.o.Dir)
	if err == nil {
		err = a.r.book.enlist(&a.row, a.commits, list)
	}
	if err != nil {
		return err
	}
	return a.r.states.Fill(ctx, int64(a.r.round))
}

// anew is what a delivery begins with after it was reopened.
func anew(old *delivery.Outcome, pause time.Duration) delivery.Outcome {
	o := delivery.Outcome{ID: old.ID, To: old.To, At: old.At}
	if pause > 0 {
		o.Next = o.At.Add(pause)
	}
	if old.Status == delivery.Unknown {
		o.First = old.First
	}
	return o
}

// retried tells of a delivery that was reopened for this process alone. Were it gone, its row coming back would open it for all.
func retried(o delivery.Outcome) bool {
	return o.Status == delivery.NotTried && !o.Charged && o.Next.IsZero()
}

// Gone gives an outcome to every delivery that is not final and that no Lookup of this process asked for: its row is no
// longer in the list. Serve must be running. The whole list must have been looked up.
func (r *Run) Gone(ctx context.Context) (n int, err error) {
	if r.states == nil {
		return 0, nil
	}
	unseen := func(os []delivery.Outcome) error {
		os = slices.DeleteFunc(os, retried)
		for i := range os {
			o := &os[i]
			*o = delivery.Outcome{ID: o.ID, To: o.To, Status: delivery.Skipped, Class: delivery.ClassGone,
				Text: "no longer on the list", Attempt: o.Attempt, Try: o.Try, First: o.First, At: o.At}
		}
		if n += len(os); len(os) == 0 {
			return nil
		}
		r.Record(os)
		return r.book.flush(ctx, r)
	}
	for _, s := range []delivery.Status{delivery.Deferred, delivery.NotTried} {
		if err := r.states.Each(ctx, s, true, unseen); err != nil {
			return n, fmt.Errorf("journal: rows that are gone: %w", refusal.Of(r.book.store.File(), err))
		}
	}
	return n, nil
}
