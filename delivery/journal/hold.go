package journal

import (
	"context"
	"fmt"
	"slices"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/store"
)

// Hold is for a process that resends nothing: what an earlier one has put off to be resent, and did not come to, is unknown. It comes
// before all else, and for everybody else nothing changes until Withhold.
func (r *Run) Hold(ctx context.Context) error {
	if r.states == nil || r.states.Counts().Open == 0 {
		return nil
	}
	all := map[delivery.ID]struct{}{}
	err := r.states.Each(ctx, delivery.NotTried, false, func(os []delivery.Outcome) error {
		for i := range os {
			if !os[i].Charged && !os[i].Next.IsZero() {
				all[os[i].ID] = struct{}{}
			}
		}
		return nil
	})
	if err == nil && len(all) > 0 {
		r.held = all
		err = r.states.Hold(ctx)
	}
	if err != nil {
		return fmt.Errorf("journal: hold: %w", refusal.Of(r.book.store.File(), err))
	}
	return nil
}

// Withhold has the journal say what Hold found. Nothing may have been sent yet.
func (r *Run) Withhold(ctx context.Context) error {
	if len(r.held) == 0 {
		return nil
	}
	err := r.states.Each(ctx, delivery.Unknown, false, func(os []delivery.Outcome) error {
		os = slices.DeleteFunc(os, func(o delivery.Outcome) bool { _, ok := r.held[o.ID]; return !ok })
		return r.book.update(ctx, func(tx *store.Tx) error { return r.book.writer(ctx, tx).add(r.info.ID, r.round, os) })
	})
	if err != nil {
		return fmt.Errorf("journal: hold: %w", refusal.Of(r.book.store.File(), err))
	}
	r.held = nil
	return nil
}
