package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
)

// Erase is Update for what must not be found again in the tables: they are written anew, which only their owner may do. What the
// server's own log and its backups have stays there until it goes. It may be called again after ledger.ErrUsed.
func (s *Store) Erase(ctx context.Context, f func(*ledger.Tx) error) error {
	var ours bool // the server only warns of tables that it leaves as they are
	err := s.read.GetContext(ctx, &ours, `SELECT coalesce(bool_and(pg_has_role(relowner, 'USAGE')), false) FROM pg_class WHERE oid IN ('meta'::regclass, 'outcomes'::regclass, 'kept'::regclass)`)
	if err == nil && !ours {
		err = &refusal.ServerError{File: s.place.name, Why: fs.ErrPermission, Err: fmt.Errorf("nothing was purged: only the owner of the tables can write them anew")}
	}
	if err != nil {
		return s.typed(err)
	}
	if err := s.Update(ctx, f); err != nil {
		return err
	}
	conn, err := s.read.Connx(ctx) // whose patience is longer
	if err == nil {
		err = errors.Join(rewrite(ctx, conn), conn.Close())
	}
	return s.typed(err)
}

func rewrite(ctx context.Context, conn *sqlx.Conn) error {
	statements := []string{"SET lock_timeout = '2s'"}
	for _, t := range tables {
		statements = append(statements, "VACUUM (FULL) "+t.Name)
	}
	for _, q := range append(statements, "RESET lock_timeout") {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}
