package journal

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailblast/mailblast/delivery/journal/disk"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// download opens a copy in a file of a journal on a server.
func download(ctx context.Context, o Options, temp string) (b *Book, err error) {
	o.look = true
	from, err := openStore(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := disk.Copy(o.Dir, temp, register.Name); err != nil {
		return nil, err
	}
	o.Server, o.Dir, o.StartOver, o.look = "", temp, true, false // the list is of another journal
	if b, err = Open(ctx, o); err != nil {
		return nil, err
	}
	if err := copyRows(ctx, from, b.store); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: copy: %w", err), b.Close())
	}
	return b, nil
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
