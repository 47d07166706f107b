// Package flight tells which messages of a run were on the wire when its process ended: intents that no outcome answers.
//
//  1. intents and outcomes are walked side by side in the order they were given, from where an earlier settling ended;
//  2. an intent opens its deliveries, an outcome closes one, so that only those in flight are held.
package flight

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/entry"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
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
func Open(ctx context.Context, tx *ledger.Tx, of Span) (open map[delivery.ID]delivery.Outcome, err error) {
	intents, err := tx.Walk(ctx, table.Intents, of.Intent, tx.Meta.Intents)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, intents.Close()) }()
	outcomes, err := tx.Query(ctx, "settling", 4, `SELECT seq, run, key, copy FROM outcomes WHERE seq > ? ORDER BY seq`, of.Outcome)
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
	outcomes *ledger.Cursor
	head     table.Row // place, run, key and copy of an outcome; nil: none was read yet, or all are done with
	last     int64     // place of the latest that was read
	open     map[delivery.ID]delivery.Outcome
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
		if w.head == nil {
			var err error
			if w.head, err = w.outcomes.Next(); err != nil || w.head == nil {
				return err
			}
			if w.head.Int(0) != w.last+1 {
				return w.gap()
			}
			w.last = w.head.Int(0)
		}
		if place >= 0 && w.head.Int(0) > place {
			return nil
		}
		if uint64(w.head.Int(1)) == w.run {
			id := delivery.ID{Run: w.run, Copy: uint16(w.head.Int(3))}
			copy(id.Key[:], w.head.Blob(2))
			delete(w.open, id)
		}
		w.head = nil
	}
}

func (w *walk) gap() error {
	return &refusal.DamagedError{File: w.file, What: fmt.Sprintf("damaged: what follows place %d of outcomes is missing", w.last)}
}
