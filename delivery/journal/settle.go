package journal

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

// settle makes an unknown outcome of every intent that no outcome follows. It walks intents and outcomes side by side
// in the order they were given, from where an earlier settling ended, and holds only those in flight. It tells whether
// the run has any outcome.
func (g *beginning) settle(ctx context.Context, tx *ledger.Tx) (any bool, err error) {
	run := g.run.info.ID
	intents, err := tx.Walk(ctx, table.Intents, g.row.settledIntent, tx.Meta.Intents)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, intents.Close()) }()
	outcomes, err := tx.Query(ctx, "settling", 4, `SELECT seq, run, key, copy FROM outcomes WHERE seq > ? ORDER BY seq`, g.row.settledOutcome)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, outcomes.Close()) }()
	s := settling{file: g.b.store.File(), run: run, outcomes: outcomes, last: g.row.settledOutcome, open: map[delivery.ID]delivery.Outcome{}}
	for {
		row, err := intents.Next()
		if err != nil {
			return false, err
		}
		if row == nil {
			break
		}
		if uint64(row.Int(1)) != run {
			continue
		}
		if err := s.intend(row.Int(2), row.Int(3), row.Blob(4)); err != nil {
			return false, fmt.Errorf("intents %d: %w", row.Int(0), err)
		}
	}
	if err := s.until(-1); err != nil {
		return false, err
	}
	if s.last != tx.Meta.Outcomes {
		return false, s.gap()
	}
	w := g.b.writer(ctx, tx)
	for _, o := range s.open {
		if err := w.add(run, int(g.row.round), []delivery.Outcome{o}); err != nil {
			return false, err
		}
	}
	g.run.info.Found = len(s.open)
	g.row.settledOutcome, g.row.settledIntent = tx.Meta.Outcomes, tx.Meta.Intents
	err = tx.GetContext(ctx, &any, tx.Rebind(`SELECT EXISTS (SELECT 1 FROM outcomes WHERE seq > ? AND run = ?)`), g.row.firstOutcome, int64(run))
	return any, err
}

// settling is the walk of settle. The checksums of outcomes were verified before; that none is missing is seen here.
type settling struct {
	file     string
	run      uint64
	outcomes *ledger.Cursor
	head     table.Row // place, run, key and copy of an outcome; nil: none was read yet, or all are done with
	last     int64     // place of the latest that was read
	open     map[delivery.ID]delivery.Outcome
}

// intend opens the entries of one row, each after the outcomes that were given before it.
func (s *settling) intend(at, after int64, entries []byte) error {
	for len(entries) > 0 {
		var e entry.Entry
		rest, err := e.Parse(entries, 2)
		if err != nil {
			return err
		}
		entries = rest
		if err := s.until(after + int64(e.After)); err != nil {
			return err
		}
		s.open[e.ID(s.run)] = delivery.Outcome{
			ID: e.ID(s.run), To: e.To, Status: delivery.Unknown, Stage: delivery.StageDot, Text: "interrupted before the reply",
			Via: e.Via, Attempt: e.Attempts + 1, Try: e.Tries + 1, Charged: true, First: outcome.FromMicro(e.First), At: outcome.FromMicro(at),
			Print: e.Print,
		}
	}
	return nil
}

// until closes what the outcomes up to a place answer; -1 is all.
func (s *settling) until(place int64) error {
	for {
		if s.head == nil {
			var err error
			if s.head, err = s.outcomes.Next(); err != nil || s.head == nil {
				return err
			}
			if s.head.Int(0) != s.last+1 {
				return s.gap()
			}
			s.last = s.head.Int(0)
		}
		if place >= 0 && s.head.Int(0) > place {
			return nil
		}
		if uint64(s.head.Int(1)) == s.run {
			id := delivery.ID{Run: s.run, Copy: uint16(s.head.Int(3))}
			copy(id.Key[:], s.head.Blob(2))
			delete(s.open, id)
		}
		s.head = nil
	}
}

func (s *settling) gap() error {
	return &refusal.DamagedError{File: s.file, What: fmt.Sprintf("damaged: what follows place %d of outcomes is missing", s.last)}
}
