package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Skipped is a row of the list that is not sent.
type Skipped struct {
	Number, Line int
	To           string // what stands in its address column
	Class        delivery.Class
	Text         string
}

// Skip notes skipped rows. The first call after Begin replaces what an earlier process noted, since it read another list.
func (r *Run) Skip(ctx context.Context, rows []Skipped) error {
	err := r.book.update(ctx, func(tx *ledger.Tx) error {
		if !r.noted {
			if _, err := tx.Do(ctx, `DELETE FROM skipped WHERE run = ?`, int64(r.info.ID)); err != nil {
				return err
			}
			err := r.book.change(ctx, tx, r.info.ID, func(row *runRow) { row.reading = int64(tx.Meta.Commits) })
			if err != nil {
				return err
			}
		}
		stmt, err := tx.PreparexContext(ctx, ledger.Insert(tx.DriverName(), table.Skipped, 1))
		if err != nil {
			return err
		}
		for _, s := range rows {
			row := []any{int64(r.info.ID), int64(s.Number), int64(tx.Meta.Commits), int64(s.Line), int64(s.Class), outcome.Clip(s.To), outcome.Clip(s.Text)}
			if _, err := stmt.ExecContext(ctx, tx.Seal(table.Skipped, row)...); err != nil {
				return errors.Join(err, stmt.Close())
			}
		}
		return stmt.Close()
	})
	if err != nil {
		return fmt.Errorf("journal: skipped rows: %w", err)
	}
	r.noted = true
	return nil
}

// Skipped gives the rows that the latest reading skipped, in the list's order.
func (b *Book) Skipped(ctx context.Context, run RunInfo) iter.Seq2[Skipped, error] {
	return func(yield func(Skipped, error) bool) {
		query := "SELECT " + table.Skipped.List("") + " FROM skipped WHERE run = ? ORDER BY number"
		for r, err := range b.intact(ctx, table.Skipped, query, int64(run.ID)) {
			if err != nil {
				yield(Skipped{}, fmt.Errorf("journal: skipped rows: %w", err))
				return
			}
			s := Skipped{Number: int(r.Int(1)), Line: int(r.Int(3)), Class: delivery.Class(r.Int(4)), To: r.Text(5), Text: r.Text(6)}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// intact gives rows of a table that are as they were sealed. Another one is an error, and so is a place without its row.
func (b *Book) intact(ctx context.Context, t table.Table, query string, args ...any) iter.Seq2[table.Row, error] {
	return func(yield func(table.Row, error) bool) {
		rows, err := b.read().QueryContext(ctx, b.read().Rebind(query), args...)
		if err != nil {
			yield(nil, refusal.Of(b.store.File(), err))
			return
		}
		defer rows.Close()
		var sc table.Scanner
		sealer := b.store.Sealer()
		for rows.Next() {
			r, err := sc.Scan(t, rows)
			if err == nil && !table.Intact(t, sealer, r) {
				err = &refusal.DamagedError{File: b.store.File(), What: "damaged: a row of " + t.Name + " is not as it was written", Rows: 1}
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, refusal.Of(b.store.File(), err))
		}
	}
}

// Kept is a row of the list as it was read, kept for the report of those who did not get their mail.
type Kept struct {
	ID     delivery.ID
	To     string
	Fields []string // one a column
}

// Keep notes the columns of the list, and rows; it replaces what is known of the same deliveries.
func (r *Run) Keep(ctx context.Context, columns []string, rows []Kept) error {
	err := r.book.update(ctx, func(tx *ledger.Tx) error {
		names, err := json.Marshal(columns)
		if err != nil {
			return err
		}
		if err := r.book.change(ctx, tx, r.info.ID, func(row *runRow) { row.columns = string(names) }); err != nil {
			return err
		}
		for i := range rows {
			fields, err := json.Marshal(rows[i].Fields)
			if err != nil {
				return err
			}
			err = tx.Put(ctx, table.Kept, int64(r.info.ID), rows[i].ID.Key[:], int64(rows[i].ID.Copy), int64(tx.Meta.Commits), rows[i].To, string(fields))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("journal: kept rows: %w", err)
	}
	return nil
}

// Fields gives the row of a delivery as it was kept; none when it was not.
func (b *Book) Fields(ctx context.Context, id delivery.ID) ([]string, error) {
	row, err := b.kept(ctx, id)
	var fields []string
	if err == nil && row != nil {
		err = json.Unmarshal([]byte(row.Text(5)), &fields)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: kept row: %w", err)
	}
	return fields, nil
}

func (b *Book) kept(ctx context.Context, id delivery.ID) (table.Row, error) {
	query := "SELECT " + table.Kept.List("") + " FROM kept WHERE run = ? AND key = ? AND copy = ?"
	for row, err := range b.intact(ctx, table.Kept, query, int64(id.Run), id.Key[:], int(id.Copy)) {
		return row, err
	}
	return nil, nil
}
