package server

import (
	"context"
	"database/sql"
	"errors"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
)

// Secret gives the secret that all machines derive Message-IDs from. It is what the first to ask has said.
func (s *Store) Secret(ctx context.Context, fresh []byte) (secret []byte, err error) {
	err = s.Update(ctx, func(tx *ledger.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO secret VALUES (1, $1) ON CONFLICT DO NOTHING`, fresh); err != nil {
			return err
		}
		return tx.GetContext(ctx, &secret, `SELECT value FROM secret`)
	})
	return secret, err
}

// Known is the secret that there is; nil: nobody has asked for one yet.
func (s *Store) Known(ctx context.Context) (secret []byte, err error) {
	err = s.read.GetContext(ctx, &secret, `SELECT value FROM secret`)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return secret, s.typed(err)
}
