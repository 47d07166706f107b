package repair

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

const chunk = 4096 // rows a transaction

// begin takes over what the old journal says of itself. Its commits go on being counted, since rows name theirs.
func (r *repairing) begin(ctx context.Context) error {
	old := r.w.Meta()
	return r.s.Update(ctx, func(tx *ledger.Tx) error {
		m := &tx.Meta
		m.Commits += old.Commits
		m.Host, m.Outcomes, m.Intents, m.OutcomesFrom, m.From = old.Host, old.Outcomes, old.Intents, old.OutcomesFrom, old.From
		return nil
	})
}

// row is one that waits to be written, its seal apart.
type row struct {
	t      table.Table
	values []any
}

// writer writes rows, some at a time.
type writer struct {
	s       ledger.Store
	waiting []row
}

func (w *writer) put(ctx context.Context, t table.Table, values []any) error {
	if w.waiting = append(w.waiting, row{t, values}); len(w.waiting) < chunk {
		return nil
	}
	return w.flush(ctx)
}

func (w *writer) flush(ctx context.Context) error {
	if len(w.waiting) == 0 {
		return nil
	}
	err := w.s.Update(ctx, func(tx *ledger.Tx) error {
		made := map[string]*sql.Stmt{}
		for _, x := range w.waiting {
			stmt := made[x.t.Name]
			if stmt == nil {
				var err error
				if stmt, err = tx.PrepareContext(ctx, tx.Rebind(insert(x.t))); err != nil {
					return err
				}
				defer func() { _ = stmt.Close() }() // it belongs to the transaction
				made[x.t.Name] = stmt
			}
			if _, err := stmt.ExecContext(ctx, tx.Seal(x.t, x.values)...); err != nil {
				return fmt.Errorf("%s: %w", x.t.Name, err)
			}
		}
		return nil
	})
	w.waiting = w.waiting[:0]
	return err
}

// insert adds a row. Of two in one place the one of the later commit stays; those of the tables that are only added to are alike.
func insert(t table.Table) string {
	if t.Columns[0] == "seq" {
		return t.Insert(1) + " ON CONFLICT DO NOTHING"
	}
	return t.Upsert(1) + " WHERE excluded.changed > " + t.Name + ".changed"
}

// copy writes every row that is intact, but for those of runs and meta, which are made anew.
func (r *repairing) copy(ctx context.Context) error {
	w, reading := &writer{s: r.s}, r.readings()
	err := r.w.Each(ctx, func(t table.Table, old table.Row) error {
		switch {
		case t.Name == table.Meta.Name, t.Name == table.Runs.Name:
			return nil
		case t.Name == table.Skipped.Name && old.Int(2) < reading[old.Int(0)]:
			return nil // of a list that was read earlier
		}
		return w.put(ctx, t, slices.Clone(old[:len(old)-1]))
	})
	if err != nil {
		return err
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	return r.count(ctx)
}

// readings gives the commit from which the skipped rows of each run count.
func (r *repairing) readings() map[int64]int64 {
	all := map[int64]int64{}
	for i := range r.f.Runs {
		if row := r.f.Runs[i].Row; row != nil {
			all[r.f.Runs[i].ID] = row.Int(salvage.Reading)
		}
	}
	return all
}

// count counts what was kept.
func (r *repairing) count(ctx context.Context) error {
	for _, t := range []table.Table{table.Outcomes, table.Intents, table.Skipped, table.Kept, table.Pauses, table.Suppressed} {
		var n int64
		if err := r.s.Reader().GetContext(ctx, &n, "SELECT count(*) FROM "+t.Name); err != nil {
			return err
		}
		r.r.Kept[t.Name] = n
	}
	return nil
}

// fill puts a row that is of no run where one is lost, so that every other stays in its place.
func (r *repairing) fill(ctx context.Context) error {
	w := &writer{s: r.s}
	err := r.w.Gaps(table.Outcomes, func(place int64) error {
		return w.put(ctx, table.Outcomes, outcome.Append(nil, outcome.Place{Seq: place}, &delivery.Outcome{Text: "lost"}))
	})
	if err == nil {
		err = r.w.Gaps(table.Intents, func(place int64) error {
			return w.put(ctx, table.Intents, []any{place, int64(0), outcome.Micro(r.now), int64(0), []byte{}})
		})
	}
	if err != nil {
		return err
	}
	return w.flush(ctx)
}

// renumber closes the gaps of the suppression list: no other row names its places.
func (r *repairing) renumber(ctx context.Context) error {
	before, done := int64(0), int64(0)
	for {
		var rows []row
		var last, next int64
		err := r.s.Update(ctx, func(tx *ledger.Tx) (err error) {
			last, next = before, done // it may be run again
			if rows, err = some(ctx, tx, last); err != nil {
				return err
			}
			for _, x := range rows {
				last, next = x.values[0].(int64), next+1
				if last == next {
					continue
				}
				if _, err := tx.Do(ctx, "DELETE FROM suppressed WHERE seq = ?", last); err != nil {
					return err
				}
				x.values[0] = next
				if err := tx.Put(ctx, x.t, x.values...); err != nil {
					return err
				}
			}
			tx.Meta.Suppressed = next
			return nil
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		before, done = last, next
	}
}

// some reads the next entries of the suppression list.
func some(ctx context.Context, tx *ledger.Tx, after int64) (all []row, err error) {
	rows, err := tx.QueryxContext(ctx, tx.Rebind("SELECT "+table.Suppressed.List("")+" FROM suppressed WHERE seq > ? ORDER BY seq LIMIT ?"), after, chunk)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var sc table.Scanner
		r, err := sc.Scan(table.Suppressed, rows)
		if err != nil {
			return nil, err
		}
		all = append(all, row{table.Suppressed, r[:len(r)-1]})
	}
	return all, rows.Err()
}
