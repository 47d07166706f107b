package server

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Remains is a journal as it is at one moment, whole or not. It is not safe for concurrent use.
type Remains struct {
	s    *Store
	tx   *sqlx.Tx
	meta string // its one row, as text
	void bool   // there is no table at all

	untie func() bool // of Inspect's context
}

// Inspect looks at what there is, and makes nothing.
func Inspect(ctx context.Context, dsn, dir string) (r *Remains, err error) {
	r = &Remains{s: &Store{o: Options{Dir: dir, Log: slog.New(slog.DiscardHandler), Patience: soon}}}
	defer func() {
		if err != nil {
			err = errors.Join(r.s.typed(err), r.Close())
		}
	}()
	r.untie = cutAfter(ctx, r.s.sockets.cut)
	if r.s.place, err = locate(dsn); err != nil {
		return r, err
	}
	if r.s.write, err = r.s.place.dial(reading, &r.s.sockets); err != nil {
		return r, err
	}
	if err := r.s.reach(ctx); err != nil {
		return r, err
	}
	r.tx, err = r.s.write.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return r, err
	}
	lines, err := r.s.shapes(ctx, r.tx)
	if r.void = len(lines) == 0; err == nil {
		r.meta, err = r.own(ctx, r.tx)
	}
	return r, err
}

// Own is what the journal says of itself, as text.
func (r *Remains) Own() string { return r.meta }

// Name is what the journal is called.
func (r *Remains) Name() string { return r.s.place.name }

// own gives what the journal says of itself, as text.
func (r *Remains) own(ctx context.Context, db sqlx.QueryerContext) (text string, err error) {
	if has, err := r.has(ctx, db, table.Meta); err != nil || !has {
		return "", err
	}
	err = sqlx.GetContext(ctx, db, &text, `SELECT coalesce(string_agg(m::text, ' '), '') FROM meta m`)
	return text, err
}

// has tells whether a table is there, with its columns.
func (r *Remains) has(ctx context.Context, db sqlx.QueryerContext, t table.Table) (has bool, err error) {
	lines, err := r.s.shapes(ctx, db)
	return lines[t.Name] == shape(t), err
}

// Empty tells that there is no table at all.
func (r *Remains) Empty() bool { return r.void }

// Refused gives the schema's version, 0 for none, and what Open would refuse the journal for.
func (r *Remains) Refused(ctx context.Context) (have int, err error) {
	w, err := witnesses(r.s.o.Dir)
	if err != nil {
		return 0, err
	}
	if have, err = r.s.versionOf(ctx, r.tx); err != nil || have == 0 {
		return have, r.s.typed(err)
	}
	var m ledger.Meta
	if err := m.Scan(r.s.place.name, r.tx.QueryRowxContext(ctx, ledger.ReadMeta)); err != nil {
		return have, r.s.typed(err)
	}
	return have, r.s.typed(r.s.compare(ctx, r.tx, m, w))
}

// Each calls f with every row, table by table. A row is valid until f returns.
func (r *Remains) Each(ctx context.Context, f func(table.Table, table.Row) error) error {
	for _, t := range tables {
		has, err := r.has(ctx, r.tx, t)
		if err == nil && has {
			err = r.each(ctx, t, f)
		}
		if err != nil {
			return r.s.typed(err)
		}
	}
	return nil
}

func (r *Remains) each(ctx context.Context, t table.Table, f func(table.Table, table.Row) error) (err error) {
	rows, err := r.tx.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM %s ORDER BY %s", t.List(""), t.Name, t.Columns[0]))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var sc table.Scanner
	for rows.Next() {
		row, err := sc.Scan(t, rows)
		if err == nil {
			err = f(t, row)
		}
		if err != nil {
			return err
		}
	}
	return rows.Err()
}

// DB is for what else is asked of the journal. What fails there leaves Each alone.
func (r *Remains) DB() *sqlx.DB { return r.s.write }

// Stable tells whether nobody has written since. What Remains shows stays what it was.
func (r *Remains) Stable(ctx context.Context) (same bool, err error) {
	s := &Store{o: r.s.o, place: r.s.place}
	defer cutAfter(ctx, s.sockets.cut)()
	if s.write, err = s.place.dial(reading, &s.sockets); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.write.Close()) }()
	now, err := r.own(ctx, s.write)
	return now == r.meta, r.s.typed(err)
}

// Close ends the looking.
func (r *Remains) Close() error {
	var errs []error
	if r.untie != nil {
		r.untie()
	}
	if r.tx != nil {
		errs = append(errs, r.tx.Rollback())
	}
	if r.s.write != nil {
		errs = append(errs, r.s.write.Close())
	}
	r.tx, r.s.write = nil, nil
	return errors.Join(errs...)
}
