// Package server is a journal in PostgreSQL, which several machines share:
//
//  1. Open finds the journal's tables in a schema of their own, or makes them. It refuses what is not whole, and a server that
//     has fewer commits than this machine's mark says: one that was put back from a backup;
//  2. Update is every write: one transaction, which has the one row of meta to itself, so that all follow each other, whichever
//     machine they are of; it counts itself in that row;
//  3. when the connection breaks, what was not committed is done again. Each process counts its own commits in the server, which
//     tells whether one that was not answered came through, and whether the server was put back;
//  4. a server that stays away, or has no room, is the end of all writing.
//
// The mark and the list of runs are in the state directory of each machine. That no two machines send the same campaign is not seen
// to here.
package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/lock"
	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/register"
)

// Options of a Store.
type Options struct {
	DSN      string        // postgres://…; search_path names the schema, mailblast without one
	Dir      string        // of this machine's mark and list of runs; made with mode 0700 if it is missing
	Log      *slog.Logger  // not nil
	Patience time.Duration // how long a server that is away is waited for; 0: 1 min
	Look     bool          // only read: nothing is made, and writing is refused
	Brief    bool          // it is used no longer than Open's context: the end of that cuts it off
	// StartOver makes a new journal although this machine knows of one in this place.
	StartOver bool
	number    [16]byte // of a new journal; none: one is made up
	draft     bool     // a repair makes it
}

// Store is an open journal. It is safe for concurrent use.
type Store struct {
	*ledger.View
	o     Options
	place place
	write *sqlx.DB // one connection
	read  *sqlx.DB
	mark  *mark.File
	mine  *mark.File    // by me, how many commits this process has made
	me    [16]byte      // this process
	own   int64         // commits it has made; this and doubt are of who has turn
	doubt bool          // there may be one more, which was not answered
	turn  chan struct{} // one Update at a time
	home  int64         // of the table meta, by which it is told from another in its place

	sockets sockets
	untie   func() bool // of Open's context

	mu     sync.Mutex
	err    error  // why nothing is written any more
	seen   uint64 // commits; never fewer later
	dimmed bool   // the mark could not be written
}

// Marks is where in the state directory the mark is: a journal in a file beside it has one of its own.
const Marks = "shared"

// Open opens the journal of a server, or makes it. Errors are *refusal.DamagedError, *refusal.NewerError, *refusal.LostError and
// *refusal.ServerError where they fit.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Patience = cmp.Or(o.Patience, time.Minute); o.Look {
		o.Patience = soon
	}
	s := &Store{o: o, turn: make(chan struct{}, 1)}
	if s.untie = func() bool { return true }; o.Brief {
		s.untie = cutAfter(ctx, s.sockets.cut)
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(s.typed(err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	dir := filepath.Join(s.o.Dir, Marks)
	if err := s.ours(dir); err != nil {
		return err
	}
	if s.place, err = locate(s.o.DSN); err != nil {
		return err
	}
	if s.write, err = s.place.dial(writing, &s.sockets); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = s.place.dial(reading, &s.sockets); err != nil {
		return err
	}
	// Before the journal, so that another process may write meanwhile.
	w, err := witnesses(s.o.Dir)
	if err != nil {
		return err
	}
	if err := s.reach(ctx); err != nil {
		return err
	}
	made, err := s.migrate(ctx, w)
	if err != nil {
		return err
	}
	var m ledger.Meta
	if err := m.Scan(s.place.name, s.read.QueryRowxContext(ctx, ledger.ReadMeta)); err != nil {
		return err
	}
	if err := s.read.GetContext(ctx, &s.home, `SELECT 'meta'::regclass::oid::bigint`); err != nil {
		return err
	}
	if !made {
		if err := s.compare(ctx, s.read, m, w); err != nil {
			return err
		}
	}
	s.seen, s.View = m.Commits, ledger.NewView(s.place.name, s.read, m.ID)
	if s.o.Look {
		s.stop(errLook)
		return nil
	}
	return s.openMarks(dir, m, w, made)
}

// openMarks opens the two marks. That of another journal is replaced where a person has said so: compare refuses it else.
func (s *Store) openMarks(dir string, m ledger.Meta, w witness, made bool) (err error) {
	if s.me, err = newID(); err != nil {
		return err
	}
	mine := w.mine
	if made || w.marked != nil || w.mark.Journal != m.ID { // what is beside is of another journal, or may be
		mine = mark.Mark{}
		old := []string{filepath.Join(dir, own, mark.Name)}
		if w.marked == nil && w.mark.Journal != m.ID {
			old = append(old, filepath.Join(dir, mark.Name))
		}
		for _, file := range old {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if mine.Commits == 0 {
		mine.Journal = s.me
	}
	if err := os.MkdirAll(filepath.Join(dir, own), 0o700); err != nil {
		return err
	}
	if s.mark, err = mark.Open(dir, markOf(m)); err != nil {
		return err
	}
	for range 100 { // another process may write its own between the two
		if s.mine, err = mark.Open(filepath.Join(dir, own), mine); !errors.Is(err, mark.ErrOther) {
			return err
		}
		if mine, err = mark.Read(filepath.Join(dir, own)); err != nil {
			mine = mark.Mark{Journal: s.me}
		}
	}
	return err
}

// own is where, beside the mark of the journal, that of the last process is which wrote to it from this machine.
const own = "own"

var errLook = errors.New("it is open for reading only")

// ours makes this machine's directory, and refuses one that others could have changed.
func (s *Store) ours(dir string) error {
	if s.o.Look {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return lock.CheckOwner(s.o.Dir)
}

// reach waits for a server that is away.
func (s *Store) reach(ctx context.Context) error {
	until := time.Now().Add(min(s.o.Patience, atFirst))
	for {
		err := s.write.PingContext(ctx)
		if err == nil || !away(err) || time.Now().After(until) {
			return err
		}
		if err := pause(ctx, again); err != nil {
			return err
		}
	}
}

// atFirst is how long Open waits for a server that is away.
const atFirst = 30 * time.Second

// again is how long to wait before the server is asked once more.
const again = 100 * time.Millisecond

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// moment is what a server that answers has for that, when it is not wanted any more.
const moment = time.Second / 2

// cutAfter has cut called a moment after ctx ends, unless untie is called before.
func cutAfter(ctx context.Context, cut func()) (untie func() bool) {
	return context.AfterFunc(ctx, func() { time.AfterFunc(moment, cut) })
}

// Cut ends all waiting for the server, for good.
func (s *Store) Cut() { s.sockets.cut() }

// Close closes the connections. A second call does nothing.
func (s *Store) Close() error {
	s.untie()
	s.stop(errClosed)
	var errs []error
	for _, db := range []*sqlx.DB{s.read, s.write} {
		if db == nil {
			continue
		}
		if err := db.Close(); !s.sockets.isOver() { // what was cut off is closed
			errs = append(errs, err)
		}
	}
	for _, f := range []*mark.File{s.mark, s.mine} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	s.mark, s.mine = nil, nil
	return errors.Join(errs...)
}

var errClosed = errors.New("closed")

// Upgraded is false: there is no earlier schema in PostgreSQL.
func (s *Store) Upgraded() bool { return false }

// Shared tells that other machines may use it as well.
func (s *Store) Shared() bool { return true }

// Prepare prepares a statement for use in Update.
func (s *Store) Prepare(query string) (*sqlx.Stmt, error) { return s.write.Preparex(query) }

// Fault is why nothing is written any more; nil as long as it is.
func (s *Store) Fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Store) stop(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

func (s *Store) damaged(format string, args ...any) error {
	return &refusal.DamagedError{File: s.place.name, What: fmt.Sprintf(format, args...)}
}

func newID() (id [16]byte, err error) {
	if _, err := rand.Read(id[:]); err != nil {
		return id, fmt.Errorf("a number for the journal: %w", err)
	}
	return id, nil
}

func markOf(m ledger.Meta) mark.Mark { return mark.Mark{Journal: m.ID, Commits: m.Commits} }

// witness is what this machine knows of the journal.
type witness struct {
	list   register.List
	mark   mark.Mark
	marked error     // of mark.Read
	mine   mark.Mark // of the last process here that wrote to it, and how many commits that has made; none: 0
}

func witnesses(dir string) (w witness, err error) {
	if w.list, err = register.Read(dir); err != nil {
		return w, err
	}
	w.mark, w.marked = mark.Read(filepath.Join(dir, Marks))
	if w.marked != nil && !errors.Is(w.marked, fs.ErrNotExist) && !errors.Is(w.marked, mark.ErrDamaged) {
		return w, w.marked
	}
	if w.mine, err = mark.Read(filepath.Join(dir, Marks, own)); err != nil { // without it there is a witness less
		w.mine = mark.Mark{}
	}
	return w, nil
}

// runs are those of the list that were begun in a journal.
func (w *witness) runs(journal string) (all []register.Run) {
	for _, r := range w.list.Runs {
		if r.Journal == journal {
			all = append(all, r)
		}
	}
	return all
}

// compare holds what the journal says of itself against what this machine knows of it.
func (s *Store) compare(ctx context.Context, db sqlx.QueryerContext, m ledger.Meta, w witness) error {
	id, commits := markOf(m).String(), m.Commits
	if w.marked == nil && w.mark.Journal != m.ID {
		if !s.o.StartOver {
			return &refusal.LostError{File: s.place.name, Runs: w.runs(w.mark.String())}
		}
	} else if w.marked == nil {
		commits = max(commits, w.mark.Commits)
		if err := s.forked(ctx, db, w); err != nil {
			return err
		}
	}
	for _, r := range w.runs(id) {
		commits = max(commits, r.Commit)
	}
	if gone := commits - m.Commits; gone > 0 {
		return &refusal.DamagedError{File: s.place.name, What: fmt.Sprintf("damaged: its last %d commits are gone (it has %d of %d)", gone, m.Commits, commits), Gone: gone}
	}
	return nil
}

// forked is the error that the server does not have what this machine committed last, although others may have written more since:
// it was put back, or another has taken its place that had not heard of all.
func (s *Store) forked(ctx context.Context, db sqlx.QueryerContext, w witness) error {
	if w.mine.Commits == 0 {
		return nil
	}
	var have int64
	err := sqlx.GetContext(ctx, db, &have, `SELECT coalesce(max(own), 0) FROM writers WHERE id = $1`, w.mine.Journal[:])
	if gone := int64(w.mine.Commits) - have; err == nil && gone > 0 {
		err = &refusal.DamagedError{File: s.place.name, What: fmt.Sprintf("damaged: of what this machine wrote last, %d commits are gone", gone), Gone: uint64(gone)}
	}
	return err
}
