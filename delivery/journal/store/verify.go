package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/sum"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Verify reads all rows of an append-only table behind a place, up to another: each must be as it was sealed, and none may
// be missing. The error is a *refusal.DamagedError that counts what is not so. It reads in several parts at once.
func (s *Store) Verify(ctx context.Context, t table.Table, from, to int64) error {
	parts := int64(min(runtime.GOMAXPROCS(0), 4))
	if to-from < 10_000 {
		parts = 1
	}
	found := make([]damage, parts)
	errs := make([]error, parts)
	var g sync.WaitGroup
	for i := range parts {
		low, high := from+(to-from)*i/parts, from+(to-from)*(i+1)/parts
		g.Go(func() { found[i], errs[i] = s.part(ctx, t, low, high) })
	}
	g.Wait()
	var all damage
	for _, d := range found {
		all.missing, all.changed = all.missing+d.missing, all.changed+d.changed
	}
	if err := errors.Join(errs...); err != nil && all.none() {
		return refusal.Of(s.file, err)
	} else if err != nil || !all.none() {
		return &refusal.DamagedError{File: s.file, What: all.String(t), Rows: int(all.missing + all.changed), Err: err}
	}
	return nil
}

type damage struct{ missing, changed int64 }

func (d damage) none() bool { return d.missing+d.changed == 0 }

func (d damage) String(t table.Table) string {
	var says []string
	if d.changed > 0 {
		says = append(says, t.Are(d.changed)+" not as written")
	}
	if d.missing > 0 {
		says = append(says, t.Are(d.missing)+" missing")
	}
	return "damaged: " + strings.Join(says, ", ")
}

// part asks the driver itself: going through database/sql costs as much again.
func (s *Store) part(ctx context.Context, t table.Table, from, to int64) (d damage, err error) {
	conn, err := s.read.Conn(ctx)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	err = conn.Raw(func(raw any) (err error) {
		query := fmt.Sprintf("SELECT %s FROM %s WHERE seq > ? AND seq <= ? ORDER BY seq", t.List(""), t.Name)
		rows, err := raw.(driver.QueryerContext).QueryContext(ctx, query, []driver.NamedValue{{Ordinal: 1, Value: from}, {Ordinal: 2, Value: to}})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		sealer, row, last := s.Sealer(), make([]driver.Value, len(t.Columns)), from
		for {
			switch err := rows.Next(row); {
			case errors.Is(err, io.EOF):
				d.missing += to - last
				return nil
			case err != nil:
				return err
			}
			seq, _ := row[0].(int64)
			if seq <= last { // a page in the place of another: its rows are intact, and those it covers would not be missed
				d.changed++
				continue
			}
			d.missing += seq - last - 1
			last = seq
			if !table.Intact(t, sealer, row) {
				d.changed++
			}
		}
	})
	return d, err
}

// Walk reads an append-only table in order, and stops at the first row that is damaged or missing.
type Walk struct {
	file   string
	t      table.Table
	rows   *sqlx.Rows
	sc     table.Scanner
	sealer *sum.Sealer
	last   int64
	to     int64
}

// Walk begins behind a place. All rows up to the transaction's last must be there.
func (t *Tx) Walk(ctx context.Context, of table.Table, from, to int64) (*Walk, error) {
	rows, err := t.QueryxContext(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE seq > ? ORDER BY seq", of.List(""), of.Name), from)
	return &Walk{file: t.file, t: of, rows: rows, sealer: t.Sealer, last: from, to: to}, err
}

// Next gives the next row, nil at the end.
func (w *Walk) Next() (table.Row, error) {
	if !w.rows.Next() {
		if err := w.rows.Err(); err != nil {
			return nil, err
		}
		if w.last < w.to {
			return nil, w.damaged(damage{missing: w.to - w.last})
		}
		return nil, nil
	}
	row, err := w.sc.Scan(w.t, w.rows)
	if err != nil {
		return nil, err
	}
	seq := row.Int(0)
	switch {
	case seq != w.last+1:
		return nil, w.damaged(damage{missing: seq - w.last - 1})
	case !table.Intact(w.t, w.sealer, row):
		return nil, w.damaged(damage{changed: 1})
	}
	w.last = seq
	return row, nil
}

func (w *Walk) damaged(d damage) error {
	return &refusal.DamagedError{File: w.file, What: d.String(w.t), Rows: int(d.missing + d.changed)}
}

// Close ends the walk.
func (w *Walk) Close() error { return w.rows.Close() }

// Runs reads all rows of runs, the first begun first, and makes sure that none is damaged or missing. It goes through the
// table itself, never through its index.
func (s *Store) Runs(ctx context.Context, db sqlx.QueryerContext, m Meta) (all []table.Row, err error) {
	rows, err := db.QueryContext(ctx, "SELECT "+table.Runs.List("")+" FROM runs NOT INDEXED ORDER BY id")
	if err != nil {
		return nil, refusal.Of(s.file, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	sealer := s.Sealer()
	var d damage
	last := int64(0)
	for rows.Next() {
		var sc table.Scanner
		row, err := sc.Scan(table.Runs, rows)
		if err != nil {
			return nil, refusal.Of(s.file, err)
		}
		if row.Int(0) <= last || !table.Intact(table.Runs, sealer, row) { // a row that comes twice stands for one that is missing
			d.changed++
			continue
		}
		last = row.Int(0)
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		return nil, refusal.Of(s.file, err)
	}
	if d.missing = m.Runs - int64(len(all)) - d.changed; d.missing < 0 {
		return nil, s.damaged("damaged: it has runs: %d, but says %d", int64(len(all))+d.changed, m.Runs)
	}
	if !d.none() {
		return nil, &refusal.DamagedError{File: s.file, What: d.String(table.Runs), Rows: int(d.missing + d.changed)}
	}
	return all, nil
}
