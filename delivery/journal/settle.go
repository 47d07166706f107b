package journal

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/flight"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/store"
)

// settle makes an unknown outcome of every intent that no outcome follows, since an earlier settling. It tells whether the run has
// any outcome.
func (g *beginning) settle(ctx context.Context, tx *store.Tx) (any bool, err error) {
	run := g.run.info.ID
	open, err := flight.Open(ctx, tx, g.row.span())
	if err != nil {
		return false, err
	}
	w := g.b.writer(ctx, tx)
	for _, o := range open {
		if err := w.add(run, int(g.row.round), []delivery.Outcome{o}); err != nil {
			return false, err
		}
	}
	g.run.info.Found = len(open)
	g.row.settledOutcome, g.row.settledIntent = tx.Meta.Outcomes, tx.Meta.Intents
	err = tx.GetContext(ctx, &any, `SELECT EXISTS (SELECT 1 FROM outcomes WHERE seq > ? AND run = ?)`, g.row.firstOutcome, int64(run))
	return any, err
}

// span is what was not settled yet.
func (r *runRow) span() flight.Span {
	return flight.Span{Run: uint64(r.id), Intent: r.settledIntent, Outcome: r.settledOutcome}
}

// OnWire counts the messages that were on the wire when the last process of a run was cut off, and which the next one takes for
// unknown. While a process carries the run on, it counts what that one has there.
func (b *Book) OnWire(ctx context.Context, run RunInfo) (n int, err error) {
	if !run.Finished.IsZero() {
		return 0, nil
	}
	tx, err := b.read().BeginTxx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("journal: on the wire: %w", refusal.Of(b.store.File(), err))
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	if n, err = b.onWire(ctx, tx, run.ID); err != nil {
		return 0, fmt.Errorf("journal: on the wire: %w", refusal.Of(b.store.File(), err))
	}
	return n, nil
}

func (b *Book) onWire(ctx context.Context, tx *sqlx.Tx, run uint64) (int, error) {
	m, err := b.store.Meta(ctx, tx)
	if err != nil {
		return 0, err
	}
	rows, err := b.store.Runs(ctx, tx, m)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		if r := parseRun(row); uint64(r.id) == run {
			open, err := flight.Open(ctx, store.Reading(tx, b.store.File(), m), r.span())
			return len(open), err
		}
	}
	return 0, ErrNoRun
}
