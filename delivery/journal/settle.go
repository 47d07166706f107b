package journal

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

// settle makes an unknown outcome of every intent that no outcome follows. It walks intents and outcomes side by side
// in the order they were given, from where an earlier settling ended, and holds only those in flight. It tells whether
// the run has any outcome.
func (g *beginning) settle(ctx context.Context, tx *store.Tx) (any bool, err error) {
	run := g.run.info.ID
	intents, err := tx.Walk(ctx, table.Intents, g.row.settledIntent, tx.Meta.Intents)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, intents.Close()) }()
	outcomes, err := tx.QueryxContext(ctx, `SELECT seq, run, key, copy FROM outcomes WHERE seq > ? ORDER BY seq`, g.row.settledOutcome)
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
	err = tx.GetContext(ctx, &any, `SELECT EXISTS (SELECT 1 FROM outcomes WHERE seq > ? AND run = ?)`, g.row.firstOutcome, int64(run))
	return any, err
}

// settling is the walk of settle. The checksums of outcomes were verified before; that none is missing is seen here.
type settling struct {
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
		if !s.more {
			if !s.outcomes.Next() {
				return s.outcomes.Err()
			}
			if err := s.outcomes.Scan(&s.head.seq, &s.head.run, &s.head.key, &s.head.copy); err != nil {
				return err
			}
			if s.head.seq != s.last+1 {
				return s.gap()
			}
			s.last, s.more = s.head.seq, true
		}
		if place >= 0 && s.head.seq > place {
			return nil
		}
		if uint64(s.head.run) == s.run {
			id := delivery.ID{Run: s.run, Copy: s.head.copy}
			copy(id.Key[:], s.head.key)
			delete(s.open, id)
		}
		s.more = false
	}
}

func (s *settling) gap() error {
	return &refusal.DamagedError{File: s.file, What: fmt.Sprintf("damaged: what follows place %d of outcomes is missing", s.last)}
}
