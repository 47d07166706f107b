package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/jmoiron/sqlx"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mailblast/mailblast/delivery/journal/disk"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/sum"
	"github.com/mailblast/mailblast/delivery/journal/table"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// Tx is one transaction. What f of Update changes in Meta is written with it.
type Tx struct {
	*sqlx.Tx
	Meta Meta // Commits counts this one already
	*sum.Sealer
	file string
}

// Reading is a transaction of a Reader, of which m is the Meta.
func Reading(tx *sqlx.Tx, file string, m Meta) *Tx {
	return &Tx{Tx: tx, Meta: m, Sealer: sum.New(m.ID), file: file}
}

// File is the path of the journal.
func (t *Tx) File() string { return t.file }

// Update runs f in one transaction, which is on disk when Update returns nil. An error of f undoes it. An error of the
// disk is the last thing that happens to the file, unless refusal.NoRoom: then nothing was changed, and there may be room later.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error {
	if err := s.Fault(); err != nil {
		return err
	}
	tx, err := s.write.BeginTxx(ctx, nil)
	if err != nil {
		return s.judge(err, false)
	}
	t := &Tx{Tx: tx, Sealer: s.Sealer(), file: s.file}
	if err := s.run(ctx, t, f); err != nil {
		_ = tx.Rollback() // after a full disk SQLite has rolled it back itself
		return s.judge(err, false)
	}
	if err := tx.Commit(); err != nil {
		return s.judge(fmt.Errorf("commit: %w", err), true)
	}
	s.note(t.Meta)
	s.carry(ctx)
	return nil
}

func (s *Store) run(ctx context.Context, t *Tx, f func(*Tx) error) (err error) {
	defer panicked.Contain(&err)
	if err := s.Fault(); err != nil { // of a transaction that this one waited for
		return err
	}
	if err := t.Meta.scan(s.file, t.StmtContext(ctx, s.meta.read.Stmt).QueryRowContext(ctx)); err != nil {
		return err
	}
	// A repair puts another file in its place, and nothing may be written to one that was put aside.
	if now, err := os.Stat(s.file); err != nil || !os.SameFile(now, s.inode) {
		return s.damaged("damaged: it was replaced while it was in use")
	}
	if t.Meta.ID != s.id || t.Meta.Commits < s.commits() {
		return s.damaged("damaged: it was replaced while it was in use")
	}
	t.Meta.Commits++
	if err := f(t); err != nil {
		return err
	}
	_, err = t.StmtContext(ctx, s.meta.write.Stmt).ExecContext(ctx, t.Meta.row()...)
	return err
}

// Put writes one row.
func (t *Tx) Put(ctx context.Context, into table.Table, row ...any) error {
	_, err := t.ExecContext(ctx, into.Insert(1), into.Seal(t.Sealer, row)...)
	return err
}

// judge says whether an error is the end of all writing.
func (s *Store) judge(err error, committing bool) error {
	err = s.typed(err)
	code, ofSQLite := refusal.Code(err)
	var damaged *refusal.DamagedError
	switch {
	case refusal.NoRoom(err):
	case errors.As(err, new(*panicked.Error)): // there is no telling what else is wrong
		s.stop(err)
	case ofSQLite && (code&0xff == sqlite3.SQLITE_BUSY || code&0xff == sqlite3.SQLITE_INTERRUPT): // it was rolled back
	case errors.As(err, &damaged), ofSQLite && (code&0xff == sqlite3.SQLITE_IOERR || committing):
		s.stop(err)
	}
	return err
}

// typed gives an error of SQLite its type. Where SQLite does not tell what the disk said, the disk is asked: whether a quota is used
// up, say, or the file system read-only.
func (s *Store) typed(err error) error {
	switch code, _ := refusal.Code(err); code {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_READONLY_DIRECTORY:
		var why syscall.Errno
		if errors.As(disk.Probe(s.o.Dir), &why) {
			return &refusal.DiskError{File: s.file, Why: why, Err: err}
		}
	}
	return refusal.Of(s.file, err)
}

func (s *Store) commits() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// note writes the mark. Without it the journal is no worse, it only has one witness less.
func (s *Store) note(m Meta) {
	err := s.mark.Write(m.mark())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = max(s.seen, m.Commits)
	if err != nil && !s.dimmed {
		s.dimmed = true
		s.o.Log.Warn("the journal's mark cannot be written", "error", err)
	}
}
