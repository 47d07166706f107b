package server

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// Update runs f in one transaction, which is kept when Update returns nil. An error of f undoes it. While the server is away it is
// tried again, for as long as Options.Patience says, so f may be run more than once; it is kept once.
func (s *Store) Update(ctx context.Context, f func(*ledger.Tx) error) error {
	if err := s.Fault(); err != nil {
		return err
	}
	for a := (attempt{s: s, f: f}); ; {
		err := a.try(ctx)
		if err == nil {
			return nil
		}
		if !away(err) {
			return s.judge(err)
		}
		if err := a.rest(ctx, err); err != nil {
			return s.judge(err)
		}
	}
}

// attempt is one call of Update.
type attempt struct {
	s     *Store
	f     func(*ledger.Tx) error
	since time.Time // the first trouble
	doubt int64     // the transaction whose commit may or may not have come through; 0: none
	meta  ledger.Meta
}

// try runs f once, unless it turns out to have been kept already.
func (a *attempt) try(ctx context.Context) error {
	if kept, err := a.settle(ctx); err != nil || kept {
		return err
	}
	tx, err := a.s.write.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	t := a.s.NewTx(tx)
	number, err := a.run(ctx, t)
	if err != nil {
		_ = tx.Rollback() // a broken connection has done so itself
		return err
	}
	if err := tx.Commit(); err != nil {
		if away(err) {
			a.doubt, a.meta = number, t.Meta
		}
		return fmt.Errorf("commit: %w", err)
	}
	a.s.note(t.Meta)
	return nil
}

// settle asks the server what came of a transaction whose commit was not answered.
func (a *attempt) settle(ctx context.Context) (kept bool, err error) {
	if a.doubt == 0 {
		return false, nil
	}
	var status *string
	err = a.s.write.GetContext(ctx, &status, `SELECT txid_status($1)`, a.doubt)
	var said *pq.Error
	if errors.As(err, &said) && said.Code == "22023" { // in the future: its crash took the server back to before it
		a.doubt = 0
		return false, nil
	}
	if err != nil {
		return false, err
	}
	switch {
	case status == nil:
		return false, fmt.Errorf("the server does not know any more what came of transaction %d", a.doubt)
	case *status == "committed":
		a.s.note(a.meta)
		return true, nil
	case *status == "in progress": // its session has not noticed yet that nobody is there
		return false, errUndecided
	}
	a.doubt = 0
	return false, nil
}

// errUndecided is trouble that passes.
var errUndecided = fmt.Errorf("a commit is still under way: %w", sql.ErrConnDone)

// rest waits before the next try; its error is why there is none.
func (a *attempt) rest(ctx context.Context, err error) error {
	if a.since.IsZero() {
		a.since = time.Now()
		a.s.o.Log.Warn("the journal's server does not answer; nothing is sent until it does", "journal", a.s.place.name, "error", err.Error(), "trying_for", a.s.o.Patience)
	}
	if time.Since(a.since) > a.s.o.Patience {
		return &refusal.ServerError{File: a.s.place.name, Lost: true, Err: fmt.Errorf("not there for %v: %w", a.s.o.Patience, err)}
	}
	return pause(ctx, again)
}

func (a *attempt) run(ctx context.Context, t *ledger.Tx) (number int64, err error) {
	defer panicked.Contain(&err)
	s := a.s
	if err := s.Fault(); err != nil { // of a transaction that this one waited for
		return 0, err
	}
	if err := t.Meta.Scan(s.place.name, t.QueryRowContext(ctx, ledger.ReadMeta+" FOR UPDATE")); err != nil {
		return 0, err
	}
	// A repair puts another table in its place, which is seen by who has the row.
	var home *int64
	if err := t.QueryRowContext(ctx, `SELECT txid_current(), to_regclass('meta')::oid::bigint`).Scan(&number, &home); err != nil {
		return 0, err
	}
	if home == nil || *home != s.home || markOf(t.Meta).String() != s.ID() || t.Meta.Commits < s.commits() {
		return 0, s.damaged("damaged: it was replaced while it was in use")
	}
	t.Meta.Commits++
	if err := a.f(t); err != nil {
		return 0, err
	}
	_, err = t.ExecContext(ctx, writeMeta, t.Meta.Row()...)
	return number, err
}

func (s *Store) commits() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// note writes the mark. Without it the journal is no worse, it only has one witness less.
func (s *Store) note(m ledger.Meta) {
	err := s.mark.Write(markOf(m))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = max(s.seen, m.Commits)
	if err != nil && !s.dimmed {
		s.dimmed = true
		s.o.Log.Warn("the journal's mark cannot be written", "error", err)
	}
}

// Erase is Update for what must not be found again in the tables: they are written anew. What the server's own log and its backups
// have stays there until it goes. It may be called again after ledger.ErrUsed.
func (s *Store) Erase(ctx context.Context, f func(*ledger.Tx) error) error {
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
