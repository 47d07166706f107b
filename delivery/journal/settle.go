package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery"
)

// settle makes an unknown outcome of every intent that no outcome follows. It walks intents and outcomes side by side
// in the order they were given, from where an earlier settling ended, and holds only those in flight.
func (r *Run) settle(ctx context.Context, tx *sqlx.Tx) error {
	var from struct {
		Outcome int64 `db:"settled_outcome"`
		Intent  int64 `db:"settled_intent"`
	}
	err := tx.GetContext(ctx, &from, `SELECT settled_outcome, settled_intent FROM runs WHERE id = ?`, r.id())
	if err != nil {
		return err
	}
	intents, err := tx.QueryxContext(ctx, `SELECT seq, at, after, entries FROM intents WHERE seq > ? AND run = ? ORDER BY seq`, from.Intent, r.id())
	if err != nil {
		return err
	}
	defer intents.Close()
	outcomes, err := tx.QueryxContext(ctx, `SELECT seq, key, copy FROM outcomes WHERE seq > ? AND run = ? ORDER BY seq`, from.Outcome, r.id())
	if err != nil {
		return err
	}
	defer outcomes.Close()
	s := settling{run: r.info.ID, outcomes: outcomes, open: map[delivery.ID]delivery.Outcome{}}
	last := from.Intent
	for intents.Next() {
		var row struct {
			Seq, At, After int64
			Entries        []byte
		}
		if err := intents.StructScan(&row); err != nil {
			return err
		}
		if err := s.intend(row.At, row.After, row.Entries); err != nil {
			return fmt.Errorf("intents %d: %w", row.Seq, err)
		}
		last = row.Seq
	}
	if err := errors.Join(intents.Err(), s.until(-1)); err != nil {
		return err
	}
	return r.settled(ctx, tx, last, s.open)
}

func (r *Run) settled(ctx context.Context, tx *sqlx.Tx, intent int64, open map[delivery.ID]delivery.Outcome) error {
	w, err := r.book.writer(ctx, tx)
	if err != nil {
		return err
	}
	for _, o := range open {
		if err := w.add(r.info.ID, r.round, []delivery.Outcome{o}); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE runs SET settled_outcome = ?, settled_intent = ? WHERE id = ?`, w.last, intent, r.id())
	return err
}

// settling is the walk of settle.
type settling struct {
	run      uint64
	outcomes *sqlx.Rows
	head     struct {
		Seq  int64
		Key  []byte
		Copy uint16
	}
	more bool // head holds an outcome
	open map[delivery.ID]delivery.Outcome
}

// intend opens the entries of one row, each after the outcomes that were given before it.
func (s *settling) intend(at, after int64, entries []byte) error {
	for len(entries) > 0 {
		var i intent
		rest, err := i.parse(entries)
		if err != nil {
			return err
		}
		entries = rest
		if err := s.until(after + int64(i.after)); err != nil {
			return err
		}
		s.open[i.id(s.run)] = delivery.Outcome{
			ID: i.id(s.run), To: i.to, Status: delivery.Unknown, Stage: delivery.StageDot, Text: "interrupted before the reply",
			Via: i.via, Attempt: i.attempts + 1, Try: i.tries + 1, Charged: true, First: fromMicro(i.first), At: fromMicro(at),
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
			if err := s.outcomes.Scan(&s.head.Seq, &s.head.Key, &s.head.Copy); err != nil {
				return err
			}
			s.more = true
		}
		if place >= 0 && s.head.Seq > place {
			return nil
		}
		id := delivery.ID{Run: s.run, Copy: s.head.Copy}
		copy(id.Key[:], bytes.Clone(s.head.Key))
		delete(s.open, id)
		s.more = false
	}
}

// Reopen starts the failed or the unknown deliveries of the run anew that chosen tells, nil being all of them, with a pause
// since they ended, and tells how many those are. What was unknown keeps the date of its first try: a second copy of it is
// the same letter. Nothing may have been sent yet.
func (r *Run) Reopen(ctx context.Context, which delivery.Status, pause time.Duration, chosen func(delivery.ID) bool) (n int, err error) {
	if r.states == nil {
		return 0, nil
	}
	err = r.each(ctx, which, nil, func(os []delivery.Outcome) error {
		if chosen != nil {
			os = slices.DeleteFunc(os, func(o delivery.Outcome) bool { return !chosen(o.ID) })
		}
		if len(os) == 0 {
			return nil
		}
		return r.book.update(ctx, func(tx *sqlx.Tx) error {
			w, err := r.book.writer(ctx, tx)
			if err != nil {
				return err
			}
			for i := range os {
				o := anew(&os[i], pause)
				if err := w.reopen(r.info.ID, r.round+1, &o); err != nil {
					return err
				}
			}
			n += len(os)
			_, err = tx.ExecContext(ctx, `UPDATE runs SET round = ? WHERE id = ?`, r.round+1, r.id())
			return err
		})
	})
	if err == nil && n > 0 {
		r.round++
		err = r.states.fill(ctx, r.info)
	}
	if err != nil {
		return n, fmt.Errorf("journal: reopen: %w", err)
	}
	return n, nil
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

// Gone gives an outcome to every delivery that is not final and that no Lookup of this process asked for: its row is no
// longer in the list. Serve must be running. The whole list must have been looked up.
func (r *Run) Gone(ctx context.Context) (n int, err error) {
	if r.states == nil {
		return 0, nil
	}
	unseen := func(os []delivery.Outcome) error {
		for i := range os {
			o := &os[i]
			*o = delivery.Outcome{ID: o.ID, To: o.To, Status: delivery.Skipped, Class: delivery.ClassGone,
				Text: "no longer on the list", Attempt: o.Attempt, Try: o.Try, First: o.First, At: o.At}
		}
		n += len(os)
		r.Record(os)
		return r.book.flush(ctx, r)
	}
	no := 0
	for _, s := range []delivery.Status{delivery.Deferred, reopened} {
		if err := r.each(ctx, s, &no, unseen); err != nil {
			return n, fmt.Errorf("journal: rows that are gone: %w", err)
		}
	}
	return n, nil
}

// each gives the deciding outcomes of all deliveries in a state, some at a time.
func (r *Run) each(ctx context.Context, s delivery.Status, seen *int, f func([]delivery.Outcome) error) error {
	rows, err := r.states.conn.QueryContext(ctx, `SELECT o.* FROM temp.states JOIN outcomes o ON o.seq = `+seqOf+`
		WHERE o.status = ? AND ? IN (-1, seen)`, int(s), seenOr(seen))
	if err != nil {
		return err
	}
	defer rows.Close()
	var os []delivery.Outcome
	for rows.Next() {
		var w row
		if err := w.scan(rows); err != nil {
			return err
		}
		if os = append(os, w.outcome()); len(os) == 512 {
			if err := f(os); err != nil {
				return err
			}
			os = nil
		}
	}
	if err := rows.Err(); err != nil || len(os) == 0 {
		return err
	}
	return f(os)
}

func seenOr(seen *int) int {
	if seen == nil {
		return -1
	}
	return *seen
}

// bring reopens deliveries whose row has come back to the list.
func (r *Run) bring(ctx context.Context, back []delivery.Outcome) error {
	places := make([]int64, len(back))
	err := r.book.update(ctx, func(tx *sqlx.Tx) error {
		w, err := r.book.writer(ctx, tx)
		if err != nil {
			return err
		}
		for i := range back {
			if err := w.reopen(r.info.ID, r.round, &back[i]); err != nil {
				return err
			}
			places[i] = w.last
		}
		return nil
	})
	if err != nil {
		return err
	}
	s := r.states
	for i := range back {
		standing := int64(r.round)<<roundBits | rankReopened<<seqBits | places[i]
		if _, err := s.back.ExecContext(ctx, standing, back[i].ID.Key[:], int(back[i].ID.Copy)); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.counts.Skipped -= len(back)
	s.mu.Unlock()
	return nil
}
