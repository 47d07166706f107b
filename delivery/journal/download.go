package journal

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailblast/mailblast/delivery/journal/disk"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/server"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// download opens a copy in a file of a journal on a server, with its secret. One that is not there has nothing to be copied.
func download(ctx context.Context, o Options, temp string) (b *Book, err error) {
	there, err := Exists(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := disk.Copy(o.Dir, temp, register.Name); err != nil {
		return nil, err
	}
	in := o
	in.Server, in.Dir, in.StartOver = "", temp, true // the list is of another journal
	if b, err = Open(ctx, in); err != nil {
		return nil, err
	}
	if b.shared = true; there || !o.StartOver {
		err = b.copyFrom(ctx, o)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: copy: %w", err), b.Close())
	}
	return b, nil
}

func (b *Book) copyFrom(ctx context.Context, o Options) error {
	from, err := server.Open(ctx, server.Options{DSN: o.Server, Dir: o.Dir, Log: o.Log, StartOver: o.StartOver, Look: true, Brief: true})
	if err != nil {
		return err
	}
	b.of = from.File()
	if b.secret, err = from.Known(ctx); err == nil {
		err = copyRows(ctx, from, b.store)
	}
	return errors.Join(err, from.Close())
}

// copyRows copies all rows into a journal that has none. It begins where the other is, since rows name the commit they are of.
func copyRows(ctx context.Context, from, to ledger.Store) (err error) {
	tx, err := from.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }() // nothing was written
	m, err := from.Meta(ctx, tx)
	if err != nil {
		return err
	}
	sealer := from.Sealer()
	return to.Update(ctx, func(t *ledger.Tx) error {
		m.ID, m.Commits = t.Meta.ID, m.Commits+1
		t.Meta = m
		for _, of := range []table.Table{table.Runs, table.Intents, table.Outcomes, table.Skipped, table.Kept, table.Pauses, table.Suppressed} {
			rows, err := tx.QueryContext(ctx, "SELECT "+of.List("")+" FROM "+of.Name)
			if err != nil {
				return err
			}
			var sc table.Scanner
			for rows.Next() {
				row, err := sc.Scan(of, rows)
				if err == nil && !table.Intact(of, sealer, row) {
					err = &refusal.DamagedError{File: from.File(), What: "damaged: a row of " + of.Name + " is not as it was written", Rows: 1}
				}
				if err == nil {
					err = t.Put(ctx, of, row[:len(row)-1]...)
				}
				if err != nil {
					return errors.Join(err, rows.Close())
				}
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
}
