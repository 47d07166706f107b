package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/entry"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/sum"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// migrate makes the tables of a new file, and brings those of schema 1 up to date. That is the one transaction which is
// none of Update's: there is nothing to count in yet.
func (s *Store) migrate(ctx context.Context) error {
	have, err := s.versionOf(ctx, s.read)
	if err != nil || have == version {
		return err
	}
	tx, err := s.write.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	if have, err = s.versionOf(ctx, tx); err == nil && have < version { // another process may have been quicker
		err = s.bring(ctx, tx, have)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("schema %d: %w", version, err), tx.Rollback())
	}
	s.old = have == 1
	return tx.Commit()
}

func (s *Store) bring(ctx context.Context, tx *sqlx.Tx, have int) error {
	m := ledger.Meta{Commits: 1, OutcomesFrom: 1, From: 1}
	var err error
	if m.ID, err = newID(); err != nil {
		return err
	}
	var before, after []string
	if have == 1 {
		for _, t := range []table.Table{table.Runs, table.Intents, table.Outcomes, table.Skipped, table.Kept} {
			before = append(before, fmt.Sprintf("ALTER TABLE %s RENAME TO old_%s", t.Name, t.Name))
			after = append(after, "DROP TABLE old_"+t.Name)
		}
		before = append(before, "DROP TABLE schema")
		s.o.Log.Info("the journal is brought up to date", "file", s.file)
	}
	for _, q := range append(append(before, ddl(version)...), fmt.Sprintf("INSERT INTO schema VALUES (%d)", version)) {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	if have == 1 {
		if err := upgrade(ctx, tx, &m); err != nil {
			return s.unreadable(ctx, err)
		}
	}
	for _, q := range after {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, writeMeta, m.Row()...)
	return err
}

// What the tables of schema 1 lack, in the order of the columns of schema 2.
const (
	runs1 = `SELECT id, 1, campaign, key, generation, started, finished, rows, deliveries, columns, round, round,
		first_outcome, settled_outcome, settled_intent, 0, 1, '', '', '', '[]' FROM old_runs ORDER BY id`
	intents1  = `SELECT seq, run, at, after, entries FROM old_intents ORDER BY seq`
	outcomes1 = `SELECT seq, run, key, copy, status, round, attempt, try, charged, via, stage, class, code, first, at, next, took, 0,
		rcpt, enhanced, text, host, tls, queue FROM old_outcomes ORDER BY seq`
	skipped1 = `SELECT run, number, 1, line, class, rcpt, text FROM old_skipped ORDER BY run, number`
	kept1    = `SELECT run, key, copy, 1, rcpt, fields FROM old_kept ORDER BY run, key, copy`
)

// upgrade copies the rows of schema 1 and seals them.
func upgrade(ctx context.Context, tx *sqlx.Tx, m *ledger.Meta) error {
	u := upgrading{ctx: ctx, tx: tx, sealer: sum.New(m.ID)}
	var errs [5]error
	m.Runs, errs[0] = u.copy(table.Runs, runs1, nil)
	m.Intents, errs[1] = u.copy(table.Intents, intents1, func(n int64, row []any) error {
		if row[0] != n {
			return fmt.Errorf("intents: row %d is missing", n)
		}
		entries, _ := row[4].([]byte)
		printed, err := withPrints(entries)
		row[4] = printed
		return err
	})
	m.Outcomes, errs[2] = u.copy(table.Outcomes, outcomes1, func(n int64, row []any) error {
		if row[0] != n {
			return fmt.Errorf("outcomes: row %d is missing", n)
		}
		return nil
	})
	_, errs[3] = u.copy(table.Skipped, skipped1, nil)
	_, errs[4] = u.copy(table.Kept, kept1, nil)
	return errors.Join(errs[:]...)
}

// unreadable gives an error of upgrade that is neither SQLite's nor of the context the type of damage.
func (s *Store) unreadable(ctx context.Context, err error) error {
	if _, ok := refusal.Code(err); ok || ctx.Err() != nil {
		return err
	}
	return &refusal.DamagedError{File: s.file, What: "damaged: it is from an older version, and cannot be read", Err: err}
}

type upgrading struct {
	ctx    context.Context
	tx     *sqlx.Tx
	sealer *sum.Sealer
}

// copy gives how many rows there are.
func (u *upgrading) copy(t table.Table, from string, change func(n int64, row []any) error) (n int64, err error) {
	into, err := u.tx.PreparexContext(u.ctx, t.Insert(1))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, into.Close()) }()
	rows, err := u.tx.QueryContext(u.ctx, from)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row, dest := make([]any, len(t.Columns)-1), make([]any, len(t.Columns)-1)
	for i := range row {
		dest[i] = &row[i]
	}
	for rows.Next() {
		n++
		if err := rows.Scan(dest...); err != nil {
			return n, err
		}
		if change != nil {
			if err := change(n, row); err != nil {
				return n, err
			}
		}
		if _, err := into.ExecContext(u.ctx, t.Seal(u.sealer, row)...); err != nil {
			return n, fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	return n, rows.Err()
}

// withPrints lays the entries of a row of schema 1 out anew.
func withPrints(old []byte) (b []byte, err error) {
	b = []byte{}
	for len(old) > 0 {
		var e entry.Entry
		if old, err = e.Parse(old, 1); err != nil {
			return nil, err
		}
		b = e.Append(b)
	}
	return b, nil
}
