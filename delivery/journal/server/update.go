package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// Update runs f in one transaction, which is kept when Update returns nil. An error of f undoes it. While the server is away it is
// tried again, for as long as Options.Patience says, so f may be run more than once; it is kept once. One comes after the other.
func (s *Store) Update(ctx context.Context, f func(*ledger.Tx) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := s.Fault(); err != nil {
		return err
	}
	a := attempt{s: s, f: f, since: time.Now()}
	late := time.AfterFunc(lateAnswer, a.warn)
	defer late.Stop()
	for {
		err := a.try(ctx)
		if err == nil {
			a.relieve()
			return nil
		}
		if ctx.Err() != nil { // the server was told to leave it; nothing else is wrong with it
			return context.Cause(ctx)
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
	since time.Time // its begin
	told  sync.Once // that the server does not answer
	said  atomic.Bool
	doubt bool // its commit was not answered, and may or may not have come through
}

// errKept says that the commit in doubt came through.
var errKept = errors.New("it was kept before")

// try runs f once, unless it turns out to have been kept already.
func (a *attempt) try(ctx context.Context) error {
	tx, err := a.s.write.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	t := a.s.NewTx(tx)
	t.Writer = a.s.me[:]
	err = a.run(ctx, t)
	if err != nil {
		_ = tx.Rollback() // a broken connection has done so itself
		if errors.Is(err, errKept) {
			err = nil
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		a.doubt = true
		a.s.doubt = true
		return fmt.Errorf("commit: %w", err)
	}
	a.s.own++
	a.s.note(t.Meta)
	return nil
}

// lateAnswer is when a server is said not to answer.
const lateAnswer = 3 * time.Second

func (a *attempt) warn() {
	a.told.Do(func() {
		a.said.Store(true)
		a.s.o.Log.Warn("the journal's server does not answer; nothing is sent until it does", "journal", a.s.place.name, "trying_for", a.s.o.Patience)
	})
}

func (a *attempt) relieve() {
	if a.said.Load() {
		a.s.o.Log.Warn("the journal's server answers again", "journal", a.s.place.name, "after", time.Since(a.since).Round(time.Second))
	}
}

// rest waits before the next try; its error is why there is none.
func (a *attempt) rest(ctx context.Context, err error) error {
	a.warn()
	var said *pq.Error
	if errors.As(err, &said) && said.Code == "55P03" { // it is there, and another has the journal to himself
		a.since = time.Now()
	}
	if time.Since(a.since) > a.s.o.Patience || a.s.sockets.isOver() {
		return &refusal.ServerError{File: a.s.place.name, Lost: true, Err: fmt.Errorf("not there for %v: %w", time.Since(a.since).Round(time.Second), err)}
	}
	return pause(ctx, again)
}

// run is one transaction up to its commit. It has the row of meta to itself, and holds what the server knows of this process against
// what that has committed: as many transactions, or one more whose commit was not answered. Fewer, and the server was put back, or
// another has taken its place that had not heard of all.
func (a *attempt) run(ctx context.Context, t *ledger.Tx) (err error) {
	defer panicked.Contain(&err)
	s := a.s
	if err := t.Meta.Scan(s.place.name, t.QueryRowContext(ctx, ledger.ReadMeta+" FOR UPDATE")); err != nil {
		return err
	}
	var home *int64
	var own int64
	known := t.QueryRowContext(ctx, `SELECT to_regclass('meta')::oid::bigint, coalesce((SELECT own FROM writers WHERE id = $1), 0)`, s.me[:])
	if err := known.Scan(&home, &own); err != nil {
		return err
	}
	kept := s.doubt && own == s.own+1 // by this attempt, or by one that was given up since
	if kept {
		s.own++
	}
	switch { // a repair puts another table in its place, which is seen by who has the row
	case home == nil || *home != s.home || markOf(t.Meta).String() != s.ID():
		return s.damaged("damaged: it was replaced while it was in use")
	case own != s.own || t.Meta.Commits < s.commits():
		return s.damaged("damaged: it was put back while it was in use: what this process has committed is not all there")
	}
	if err := s.beside(ctx, t); err != nil {
		return err
	}
	mine := a.doubt
	if s.doubt, a.doubt = false, false; kept {
		s.note(t.Meta)
	}
	if kept && mine {
		return errKept
	}
	t.Meta.Commits++
	if err := a.f(t); err != nil {
		return err
	}
	if _, err = t.ExecContext(ctx, writeWriter, s.me[:], s.own+1); err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, writeMeta, t.Meta.Row()...)
	return err
}

// beside holds the server against what other processes of this machine have committed to it: one that ended has nobody else to miss
// it. Marks are written after commits, so an honest server never has less.
func (s *Store) beside(ctx context.Context, t *ledger.Tx) error {
	dir := filepath.Join(s.o.Dir, Marks)
	if m, err := mark.Read(dir); err == nil && m.Journal == t.Meta.ID && m.Commits > t.Meta.Commits {
		return s.damaged("damaged: it was put back while it was in use: its last %d commits are gone", m.Commits-t.Meta.Commits)
	}
	mine, err := mark.Read(filepath.Join(dir, own))
	if err != nil || mine.Journal == s.me {
		return nil
	}
	return s.forked(ctx, t, witness{mine: mine})
}

const writeWriter = `INSERT INTO writers VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET own = excluded.own`

func (s *Store) commits() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// note writes the marks. Without them the journal is no worse, it only has witnesses less.
func (s *Store) note(m ledger.Meta) {
	err := errors.Join(s.mark.Write(markOf(m)), s.mine.Write(mark.Mark{Journal: s.me, Commits: uint64(s.own)}))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = max(s.seen, m.Commits)
	if err != nil && !s.dimmed {
		s.dimmed = true
		s.o.Log.Warn("the journal's mark cannot be written", "error", err)
	}
}
