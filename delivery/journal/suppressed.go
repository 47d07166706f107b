package journal

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Suppression is one entry of the list of those who must not be written to, or takes an earlier one back. It is the same
// as a suppress.Entry, with its place.
type Suppression struct {
	Seq                 int64
	Whom, Scope, Reason string
	Until, At           time.Time
	Removed             bool
}

// Suppress appends entries to the list.
func (b *Book) Suppress(ctx context.Context, es []Suppression) error {
	err := b.update(ctx, func(tx *ledger.Tx) error {
		for i := range es {
			e := &es[i]
			removed := int64(0)
			if e.Removed {
				removed = 1
			}
			tx.Meta.Suppressed++
			err := tx.Put(ctx, table.Suppressed, tx.Meta.Suppressed, e.Whom, e.Scope, outcome.Clip(e.Reason), outcome.Micro(e.Until), outcome.Micro(e.At), removed)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("journal: suppression list: %w", err)
	}
	return nil
}

// Suppressions gives the entries behind a place, in the order they were made. None may be missing: who is forgotten would
// be written to.
func (b *Book) Suppressions(ctx context.Context, after int64) iter.Seq2[Suppression, error] {
	return func(yield func(Suppression, error) bool) {
		fail := func(err error) { yield(Suppression{}, fmt.Errorf("journal: suppression list: %w", err)) }
		m, err := b.store.Meta(ctx, b.read())
		if err != nil {
			fail(err)
			return
		}
		last := after
		query := "SELECT " + table.Suppressed.List("") + " FROM suppressed WHERE seq > ? AND seq <= ? ORDER BY seq"
		for r, err := range b.intact(ctx, table.Suppressed, query, after, m.Suppressed) {
			if err == nil && r.Int(0) != last+1 {
				break
			}
			if err != nil {
				fail(err)
				return
			}
			last = r.Int(0)
			s := Suppression{Seq: last, Whom: r.Text(1), Scope: r.Text(2), Reason: r.Text(3), Until: outcome.FromMicro(r.Int(4)),
				At: outcome.FromMicro(r.Int(5)), Removed: r.Int(6) != 0}
			if !yield(s, nil) {
				return
			}
		}
		if last < m.Suppressed {
			fail(&refusal.DamagedError{File: b.store.File(), What: fmt.Sprintf("damaged: what follows place %d of suppressed is missing", last), Rows: int(m.Suppressed - last)})
		}
	}
}
