package journal

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/jmoiron/sqlx"
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
	err := b.update(ctx, func(tx *sqlx.Tx) error {
		for i := range es {
			e := &es[i]
			_, err := tx.ExecContext(ctx, `INSERT INTO suppressed (whom, scope, reason, until, at, removed) VALUES (?, ?, ?, ?, ?, ?)`,
				e.Whom, e.Scope, clip(e.Reason), micro(e.Until), micro(e.At), e.Removed)
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

// Suppressions gives the entries behind a place, in the order they were made.
func (b *Book) Suppressions(ctx context.Context, after int64) iter.Seq2[Suppression, error] {
	return func(yield func(Suppression, error) bool) {
		rows, err := b.read.QueryContext(ctx, `SELECT seq, whom, scope, reason, until, at, removed FROM suppressed WHERE seq > ? ORDER BY seq`, after)
		if err != nil {
			yield(Suppression{}, fmt.Errorf("journal: suppression list: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var s Suppression
			var until, at int64
			err := rows.Scan(&s.Seq, &s.Whom, &s.Scope, &s.Reason, &until, &at, &s.Removed)
			s.Until, s.At = fromMicro(until), fromMicro(at)
			if !yield(s, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Suppression{}, fmt.Errorf("journal: suppression list: %w", err))
		}
	}
}
