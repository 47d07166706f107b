// Package flight tells which messages of a run were on the wire when its process ended: intents that no outcome answers.
//
//  1. intents and outcomes are walked side by side in the order they were given, from where an earlier settling ended;
//  2. an intent opens its deliveries, an outcome closes one, so that only those in flight are held.
package flight

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/entry"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/store"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Span is where to look: what a run has behind the places up to which it was settled.
type Span struct {
	Run             uint64
	Intent, Outcome int64
}

// Open gives the deliveries that are open at the end of a transaction's journal, each with the outcome that it has if nobody can
// tell any more what came of it. Rows that are damaged or missing are a *refusal.DamagedError; the checksums of outcomes are
// the caller's to verify.
func Open(ctx context.Context, tx *store.Tx, of Span) (open map[delivery.ID]delivery.Outcome, err error) {
	intents, err := tx.Walk(ctx, table.Intents, of.Intent, tx.Meta.Intents)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, intents.Close()) }()
	outcomes, err := tx.QueryxContext(ctx, `SELECT seq, run, key, copy FROM outcomes WHERE seq > ? ORDER BY seq`, of.Outcome)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, outcomes.Close()) }()
	w := walk{file: tx.File(), run: of.Run, outcomes: outcomes, last: of.Outcome, open: map[delivery.ID]delivery.Outcome{}}
	for {
		row, err := intents.Next()
		if err != nil {
			return nil, err
		}
		if row == nil {
			break
		}
		if uint64(row.Int(1)) != of.Run {
			continue
		}
		if err := w.intend(row.Int(2), row.Int(3), row.Blob(4)); err != nil {
			return nil, fmt.Errorf("intents %d: %w", row.Int(0), err)
		}
	}
	if err := w.until(-1); err != nil {
		return nil, err
	}
	if w.last != tx.Meta.Outcomes {
		return nil, w.gap()
	}
	return w.open, nil
}

// walk is one call of Open. The checksums of outcomes were verified before; that none is missing is seen here.
type walk struct {
	file     string
	run      uint64
	outcomes *sqlx.Rows
	head     struct {
		seq, run int64
		key      []byte
		copy     uint16
	}
	more bool  // head holds an outcome
	last int64 // place of the latest that was read
	open map[delivery.ID]delivery.Outcome
}

// intend opens the entries of one row, each after the outcomes that were given before it.
func (w *walk) intend(at, after int64, entries []byte) error {
	for len(entries) > 0 {
		var e entry.Entry
		rest, err := e.Parse(entries, 2)
		if err != nil {
			return err
		}
		entries = rest
		if err := w.until(after + int64(e.After)); err != nil {
			return err
		}
		w.open[e.ID(w.run)] = delivery.Outcome{
			ID: e.ID(w.run), To: e.To, Status: delivery.Unknown, Stage: delivery.StageDot, Text: "interrupted before the reply",
			Via: e.Via, Attempt: e.Attempts + 1, Try: e.Tries + 1, Charged: true, First: outcome.FromMicro(e.First), At: outcome.FromMicro(at),
			Print: e.Print,
		}
	}
	return nil
}

// until closes what the outcomes up to a place answer; -1 is all.
func (w *walk) until(place int64) error {
	for {
		if !w.more {
			if !w.outcomes.Next() {
				return w.outcomes.Err()
			}
			if err := w.outcomes.Scan(&w.head.seq, &w.head.run, &w.head.key, &w.head.copy); err != nil {
				return err
			}
			if w.head.seq != w.last+1 {
				return w.gap()
			}
			w.last, w.more = w.head.seq, true
		}
		if place >= 0 && w.head.seq > place {
			return nil
		}
		if uint64(w.head.run) == w.run {
			id := delivery.ID{Run: w.run, Copy: w.head.copy}
			copy(id.Key[:], w.head.key)
			delete(w.open, id)
		}
		w.more = false
	}
}

func (w *walk) gap() error {
	return &refusal.DamagedError{File: w.file, What: fmt.Sprintf("damaged: what follows place %d of outcomes is missing", w.last)}
}
