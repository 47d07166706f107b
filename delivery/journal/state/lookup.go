package state

import (
	"context"
	"database/sql"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Answer is what Lookup found.
type Answer struct {
	States []State
	None   []delivery.ID      // those of which nothing is known
	Back   []delivery.Outcome // those whose row had left the list and is back: what they begin with when they are reopened
}

// Lookup gives the state of each delivery, and notes that the list has it.
func (t *Table) Lookup(ctx context.Context, ids []delivery.ID) (Answer, error) {
	a := Answer{States: make([]State, len(ids))}
	for at := 0; at < len(ids); at += lookups {
		end := min(at+lookups, len(ids))
		if err := t.find(ctx, ids[at:end], a.States[at:end], &a); err != nil {
			return a, err
		}
	}
	return a, nil
}

// find looks up one statement's worth of deliveries.
func (t *Table) find(ctx context.Context, ids []delivery.ID, out []State, a *Answer) error {
	at := make(map[delivery.ID]int, len(ids))
	args := make([]any, lookups)
	for i := range args {
		n := min(i, len(ids)-1)
		args[i] = ids[n].Key[:]
		at[ids[n]] = n
	}
	rows, err := t.lookup.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var open []int
	known := make([]bool, len(ids))
	for rows.Next() {
		var f found
		if err := f.scan(t.file, rows); err != nil {
			return err
		}
		i, asked := at[f.id]
		if !asked {
			continue
		}
		out[i], known[i] = f.state, true
		switch {
		case f.gone:
			a.Back = append(a.Back, f.anew())
		case !f.state.Status.Final():
			open = append(open, i)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, i := range open {
		if _, err := t.see.ExecContext(ctx, ids[i].Key[:], int(ids[i].Copy)); err != nil {
			return err
		}
	}
	for i, id := range ids {
		switch n := at[id]; {
		case n != i: // asked for twice
			out[i] = out[n]
		case !known[i]:
			a.None = append(a.None, id)
		}
	}
	return nil
}

// found is one answer of the lookup statement.
type found struct {
	id    delivery.ID
	state State
	gone  bool
}

func (f *found) scan(file string, rows *sql.Rows) error {
	var (
		key                     []byte
		run, status, class, via sql.NullInt64
		attempts, tries         int
		first, next, print      sql.NullInt64
	)
	err := rows.Scan(&run, &key, &f.id.Copy, &status, &class, &via, &attempts, &tries, &first, &next, &print)
	if err != nil {
		return err
	}
	if !run.Valid {
		return astray(file)
	}
	f.id.Run = uint64(run.Int64)
	copy(f.id.Key[:], key)
	f.state = State{Status: delivery.Status(status.Int64), Via: int(via.Int64), Attempts: attempts, Tries: tries,
		First: outcome.FromMicro(first.Int64), Next: outcome.FromMicro(next.Int64), Print: uint64(print.Int64)}
	f.gone = f.state.Status == delivery.Skipped && delivery.Class(class.Int64) == delivery.ClassGone
	if f.gone || status.Int64 == outcome.Reopened {
		f.state.Status = delivery.NotTried
	}
	return nil
}

// anew is what a delivery begins with whose row is back.
func (f *found) anew() delivery.Outcome {
	return delivery.Outcome{ID: f.id, First: f.state.First, At: time.Now(), Attempt: f.state.Attempts, Try: f.state.Tries, Charged: true}
}

func astray(file string) error {
	return &refusal.DamagedError{File: file, What: "damaged: an outcome is not in its place", Rows: 1}
}

var columns = table.Outcomes.List("o.")

type scanner struct{ table.Scanner }

func (s *scanner) scan(file string, rows *sql.Rows) (table.Row, error) {
	row, err := s.Scan(table.Outcomes, rows)
	if err == nil && row[0] == nil {
		err = astray(file)
	}
	return row, err
}
