package store

import (
	"context"
	"errors"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
)

// Erase is Update for what must not be found again: no octet of what f overwrites or removes is left in the file, its free
// pages or its write-ahead log when Erase returns nil. It may be called again after ledger.ErrUsed, and by the next process after
// any error.
func (s *Store) Erase(ctx context.Context, f func(*ledger.Tx) error) error {
	if err := s.Fault(); err != nil {
		return err
	}
	if _, err := s.write.ExecContext(ctx, "PRAGMA secure_delete = ON"); err != nil {
		return s.judge(fmt.Errorf("secure_delete: %w", err), false)
	}
	if err := s.Update(ctx, f); err != nil {
		return used(err)
	}
	// Earlier processes did not overwrite what they removed: pages that are free, and ends of pages.
	if _, err := s.write.ExecContext(ctx, "VACUUM"); err != nil {
		return used(s.judge(fmt.Errorf("vacuum: %w", err), true))
	}
	return s.Empty(ctx)
}

// Empty brings the write-ahead log into the file, and cuts it to nothing. It waits two seconds for those who read: a report
// may take its time, and whoever waits for it would hold up all who write. The error is ledger.ErrUsed when they are not done by then.
func (s *Store) Empty(ctx context.Context) error {
	if _, err := s.write.ExecContext(ctx, "PRAGMA busy_timeout = 2000"); err != nil {
		return s.judge(fmt.Errorf("busy_timeout: %w", err), false)
	}
	var busy, frames, done int
	err := s.write.QueryRowxContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &done)
	_, again := s.write.ExecContext(ctx, "PRAGMA busy_timeout = "+patience)
	err = errors.Join(err, again)
	switch {
	case err != nil:
		return used(s.judge(fmt.Errorf("checkpoint: %w", err), true))
	case busy != 0:
		return ledger.ErrUsed
	}
	return nil
}

func used(err error) error {
	if code, ok := refusal.Code(err); ok && code&0xff == sqlite3.SQLITE_BUSY {
		return fmt.Errorf("%w: %w", ledger.ErrUsed, err)
	}
	return err
}
