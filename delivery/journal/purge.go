package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/purge"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/server"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// ErrUsed says that a purge was not done, or not to its end, since another program uses the journal.
var ErrUsed = ledger.ErrUsed

// Holds tells whether a run has personal data that Purge would delete.
func (b *Book) Holds(ctx context.Context, run RunInfo) (bool, error) {
	holds, err := purge.Holds(ctx, b.store, run.ID, run.first)
	if err != nil {
		return false, fmt.Errorf("journal: %s: %w", run.Name(), refusal.Of(b.store.File(), err))
	}
	return holds, nil
}

// Purge deletes the personal data of runs for good, and leaves what Begin and Lookup need; source gives what stays of
// Spec.Source. The caller holds the locks of their campaigns. It may be cut at any moment and be called again: the rows
// change all at once or not at all. A journal that is damaged anywhere is left as it is, for what could be saved of it.
// Errors are *refusal.DamagedError and ErrUsed where they fit.
func (b *Book) Purge(ctx context.Context, runs []RunInfo, now time.Time, source func(string) string) error {
	err := b.fault() // above all: not of a copy
	if err == nil {
		err = b.purge(ctx, runs, now, source)
	}
	if err != nil {
		return fmt.Errorf("journal: purge: %w", refusal.Of(b.store.File(), err))
	}
	return nil
}

// Aside names the damaged journals that a repair on a server put aside there, which tell of people as this one does. Those beside a file
// are in the state directory.
func (b *Book) Aside(ctx context.Context) ([]string, error) {
	s, ok := b.store.(*server.Store)
	if !ok {
		return nil, nil
	}
	return s.Aside(ctx)
}

// DropAside deletes them for good.
func (b *Book) DropAside(ctx context.Context) error {
	s, ok := b.store.(*server.Store)
	if !ok {
		return nil
	}
	return s.DropAside(ctx)
}

func (b *Book) purge(ctx context.Context, runs []RunInfo, now time.Time, source func(string) string) error {
	m, err := b.store.Meta(ctx, b.read())
	if err != nil {
		return err
	}
	if err := b.store.Verify(ctx, table.Outcomes, m.OutcomesFrom-1, m.Outcomes); err != nil {
		return err
	}
	if err := b.store.Verify(ctx, table.Intents, m.From-1, m.Intents); err != nil {
		return err
	}
	ids := make([]uint64, len(runs))
	for i := range runs {
		ids[i] = runs[i].ID
	}
	return b.store.Erase(ctx, func(tx *ledger.Tx) error {
		had, err := purge.Erase(ctx, tx, b.store.File(), ids)
		if err != nil {
			return err
		}
		for _, id := range had { // the others keep the date when they were purged
			err := b.change(ctx, tx, id, func(r *runRow) {
				r.columns, r.source = "[]", source(r.source)
				r.note = parseNotes(r.note).purged(outcome.Micro(now)).String()
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
