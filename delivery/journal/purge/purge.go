// Package purge takes out of the rows of a journal what tells of people, and leaves what the promise needs that nobody gets a
// letter twice:
//
//  1. Erase writes the rows of some runs anew without addresses, texts, hosts, queues and fingerprints of rows, each with a
//     new seal; a row that is damaged is refused, for a new seal would make it look whole;
//  2. Holds tells whether a run still has any of that.
//
// Keys stay: they are MACs, of which no address can be read. Status, class, codes, times and numbers stay.
package purge

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/entry"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/sum"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// chunk is how many rows are read at once.
const chunk = 2000

// Places of columns that change.
const (
	outcomeRun, outcomePrint, outcomeTo, outcomeText, outcomeHost, outcomeQueue = 1, 17, 18, 20, 21, 23
	intentRun, intentEntries                                                    = 1, 4
	skippedNumber, skippedChanged, skippedTo, skippedText                       = 1, 2, 5, 6
	pauseChanged, pauseText, pauseHost                                          = 4, 10, 11
)

// Erase erases the personal data of runs, and tells which of them had any. The run's own row is the caller's.
func Erase(ctx context.Context, tx *ledger.Tx, file string, runs []uint64) (had []uint64, err error) {
	e := erasing{reading: reading{db: tx, file: file, sealer: tx.Sealer, runs: map[int64]bool{}}, ctx: ctx, tx: tx, had: map[int64]bool{}}
	for _, r := range runs {
		e.runs[int64(r)] = true
	}
	if err := e.outcomes(); err != nil {
		return nil, fmt.Errorf("outcomes: %w", err)
	}
	if err := e.intents(); err != nil {
		return nil, fmt.Errorf("intents: %w", err)
	}
	for run := range e.runs {
		for _, f := range []func(int64) error{e.skipped, e.pauses, e.kept} {
			if err := f(run); err != nil {
				return nil, fmt.Errorf("run %d: %w", run, err)
			}
		}
	}
	for run := range e.had {
		had = append(had, uint64(run))
	}
	return had, nil
}

// erasing is one call of Erase.
type erasing struct {
	reading
	ctx context.Context
	tx  *ledger.Tx
	had map[int64]bool // runs of which rows were changed or removed
}

// outcomes keeps its rows in their places: nothing is added or removed there.
func (e *erasing) outcomes() error {
	stmt, err := e.tx.PreparexContext(e.ctx, e.tx.Rebind(`UPDATE outcomes SET print = 0, rcpt = '', text = '', host = '', queue = '', sum = ? WHERE seq = ?`))
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }() // it belongs to the transaction
	return e.each(e.ctx, table.Outcomes, e.tx.Meta.Outcomes, outcomeRun, func(r table.Row) (func() error, error) {
		if !told(r) {
			return nil, nil
		}
		r[outcomePrint] = int64(0)
		for _, i := range []int{outcomeTo, outcomeText, outcomeHost, outcomeQueue} {
			r[i] = ""
		}
		seq, seal := r.Int(0), e.anew(table.Outcomes, outcomeRun, r)
		return func() error { _, err := stmt.ExecContext(e.ctx, seal, seq); return err }, nil
	})
}

// told says whether an outcome tells of somebody.
func told(r table.Row) bool {
	return r.Int(outcomePrint) != 0 || r.Text(outcomeTo)+r.Text(outcomeText)+r.Text(outcomeHost)+r.Text(outcomeQueue) != ""
}

func (e *erasing) intents() error {
	stmt, err := e.tx.PreparexContext(e.ctx, e.tx.Rebind(`UPDATE intents SET entries = ?, sum = ? WHERE seq = ?`))
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }() // it belongs to the transaction
	return e.each(e.ctx, table.Intents, e.tx.Meta.Intents, intentRun, func(r table.Row) (func() error, error) {
		without, had, err := nameless(r.Blob(intentEntries))
		if err != nil || !had {
			return nil, err
		}
		r[intentEntries] = without
		seq, seal := r.Int(0), e.anew(table.Intents, intentRun, r)
		return func() error { _, err := stmt.ExecContext(e.ctx, without, seal, seq); return err }, nil
	})
}

// nameless lays entries out without address and fingerprint, and tells whether they had any.
func nameless(entries []byte) (b []byte, had bool, err error) {
	b = []byte{}
	for len(entries) > 0 {
		var e entry.Entry
		if entries, err = e.Parse(entries, 2); err != nil {
			return nil, false, err
		}
		had = had || e.To != "" || e.Print != 0
		e.To, e.Print = "", 0
		b = e.Append(b)
	}
	return b, had, nil
}

// skipped keeps its rows: they are counted.
func (e *erasing) skipped(run int64) error {
	for last := int64(-1); ; {
		rows, err := e.read(e.ctx, table.Skipped, fmt.Sprintf("run = ? AND number > ? ORDER BY number LIMIT %d", chunk), run, last)
		if err != nil || len(rows) == 0 {
			return err
		}
		last = rows[len(rows)-1].Int(skippedNumber)
		for _, r := range rows {
			if r.Text(skippedTo)+r.Text(skippedText) == "" {
				continue
			}
			r[skippedChanged], r[skippedTo], r[skippedText] = int64(e.tx.Meta.Commits), "", ""
			if err := e.put(table.Skipped, r); err != nil {
				return err
			}
		}
	}
}

// pauses keeps those of the way out, for the next process to begin with a few trials; the others name recipients' domains.
func (e *erasing) pauses(run int64) error {
	if err := e.remove(`DELETE FROM pauses WHERE run = ? AND kind <> 'route'`, run); err != nil {
		return err
	}
	rows, err := e.read(e.ctx, table.Pauses, "run = ?", run)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Text(pauseText)+r.Text(pauseHost) == "" {
			continue
		}
		r[pauseChanged], r[pauseText], r[pauseHost] = int64(e.tx.Meta.Commits), "", ""
		if err := e.put(table.Pauses, r); err != nil {
			return err
		}
	}
	return nil
}

func (e *erasing) kept(run int64) error { return e.remove(`DELETE FROM kept WHERE run = ?`, run) }

func (e *erasing) remove(query string, run int64) error {
	n, err := e.tx.Do(e.ctx, query, run)
	if n > 0 {
		e.had[run] = true
	}
	return err
}

// put writes a row anew that has its old seal, and its run first.
func (e *erasing) put(t table.Table, r table.Row) error {
	e.had[r.Int(0)] = true
	return e.tx.Put(e.ctx, t, r[:len(r)-1]...)
}

// anew gives the new seal of a row that has its old one.
func (e *erasing) anew(t table.Table, run int, r table.Row) int64 {
	e.had[r.Int(run)] = true
	seal, _ := sum.Of(e.sealer, t.Name, r[:len(r)-1])
	return seal
}

// reading reads rows that are intact.
type reading struct {
	db interface {
		sqlx.QueryerContext
		Rebind(string) string
	}
	file   string
	sealer *sum.Sealer
	runs   map[int64]bool
}

// each walks an append-only table up to a place. What f gives for a row of the runs is done when the rows around it have
// been read: a table is not changed under a query.
func (r *reading) each(ctx context.Context, t table.Table, to int64, run int, f func(table.Row) (func() error, error)) error {
	for last := int64(0); last < to; last += chunk {
		rows, err := r.read(ctx, t, "seq > ? AND seq <= ? ORDER BY seq", last, min(last+chunk, to))
		if err != nil {
			return err
		}
		for _, row := range rows {
			if !r.runs[row.Int(run)] {
				continue
			}
			do, err := f(row)
			if err == nil && do != nil {
				err = do()
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// read gives rows, each with values of its own.
func (r *reading) read(ctx context.Context, t table.Table, where string, args ...any) (all []table.Row, err error) {
	rows, err := r.db.QueryContext(ctx, r.db.Rebind(fmt.Sprintf("SELECT %s FROM %s WHERE %s", t.List(""), t.Name, where)), args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err has told
	for rows.Next() {
		var sc table.Scanner
		row, err := sc.Scan(t, rows)
		if err != nil {
			return nil, err
		}
		if !table.Intact(t, r.sealer, row) {
			return nil, &refusal.DamagedError{File: r.file, What: "damaged: a row of " + t.Name + " is not as it was written", Rows: 1}
		}
		all = append(all, row)
	}
	return all, rows.Err()
}
