// Package store is the file of the journal, and the one way to write to it:
//
//  1. Open refuses what is not a whole journal before anything is written: its tables, its own row, its mark and the list
//     of runs must agree;
//  2. a file of the schema before is brought up to date, in one transaction;
//  3. Update is every write: one transaction that counts itself, and notes its number in the mark when it is on disk;
//  4. a failed write is the last: after a failed fsync nobody knows what the file holds, and asking again lies.
package store

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/lock"
	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Name of the file.
const Name = "journal.db"

// Options of a Store.
type Options struct {
	Dir       string       // made with mode 0700 if it is missing
	Log       *slog.Logger // not nil
	StartOver bool         // make a new journal although runs were begun here
}

// Store is an open journal file. It is safe for concurrent use.
type Store struct {
	*ledger.View
	o     Options
	file  string
	write *sqlx.DB // one connection
	read  *sqlx.DB
	id    [16]byte // the journal's number
	mark  *mark.File
	meta  struct{ read, write *sqlx.Stmt }
	old   bool        // it was of schema 1
	first os.FileInfo // of the file before it was opened
	inode os.FileInfo

	mu      sync.Mutex
	err     error  // why nothing is written any more
	seen    uint64 // commits; never fewer later
	waiting int    // commits that are in the log alone
	dimmed  bool   // the mark could not be written
}

// Open opens the journal of a directory, or makes it. Errors are *refusal.DamagedError, *refusal.NewerError and
// *refusal.LostError where they fit.
func Open(ctx context.Context, o Options) (s *Store, err error) {
	for range 3 { // readers have no lock that would keep a repair out
		if s, err = open(ctx, o); !errors.Is(err, errReplaced) {
			break
		}
	}
	return s, err
}

func open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{o: o, file: filepath.Join(o.Dir, Name)}
	s.first, _ = os.Stat(s.file) // what is wrong with it is told by who reads it
	err := s.examine(ctx)
	if err == nil {
		err = s.identify()
	}
	if err == nil {
		err = s.connect(ctx)
	}
	if err == nil {
		err = s.migrate(ctx)
	}
	if err == nil {
		err = s.prepare(ctx)
	}
	err = s.same(err)
	if ctx.Err() != nil { // what an examination found that was cut short is nothing to go by
		err = ctx.Err()
	}
	if err != nil {
		err = s.typed(err)
		if errors.As(err, new(*refusal.DiskError)) {
			s.stop(err)
		}
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// examine makes the directory and an empty file with no rights for others, whatever the umask, and refuses a directory
// that others could have changed, and files that do not belong together. SQLite gives its side files the mode of the main
// one. The list and the mark are read before the journal, so that another process may write meanwhile.
func (s *Store) examine(ctx context.Context) error {
	if err := os.MkdirAll(s.o.Dir, 0o700); err != nil {
		return err
	}
	if err := lock.CheckOwner(s.o.Dir); err != nil {
		return err
	}
	if halfway, err := Halfway(s.o.Dir); err != nil {
		return err
	} else if halfway {
		return s.damaged("a repair of it was cut short")
	}
	w, err := witnesses(s.o.Dir)
	if err != nil {
		return err
	}
	info, err := os.Stat(s.file)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && info.Size() > 1: // SQLite takes a file of one octet for an empty one, and throws its log away
		return s.trust(ctx, w)
	case w.silent():
	case !s.o.StartOver:
		return &refusal.LostError{File: s.file, Missing: true, Runs: w.list.Runs}
	default:
		if err := aside(s.o.Dir); err != nil {
			return err
		}
	}
	f, err := private(s.file)
	if err != nil {
		return err
	}
	return f.Close()
}

func (s *Store) connect(ctx context.Context) (err error) {
	if s.write, err = dial(s.file, "_txlock=immediate&"+writing, writeCache); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = dial(s.file, "_txlock=deferred&"+writing, readCache); err != nil {
		return err
	}
	return reach(ctx, s.write)
}

// prepare readies what every transaction needs.
func (s *Store) prepare(ctx context.Context) (err error) {
	var errs [2]error
	s.meta.read, errs[0] = s.write.PreparexContext(ctx, ledger.ReadMeta)
	s.meta.write, errs[1] = s.write.PreparexContext(ctx, writeMeta)
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	var m ledger.Meta
	if err := m.Scan(s.file, s.read.QueryRowxContext(ctx, ledger.ReadMeta)); err != nil {
		return err
	}
	s.id, s.seen, s.View = m.ID, m.Commits, ledger.NewView(s.file, s.read, m.ID)
	if s.inode, err = os.Stat(s.file); err != nil {
		return err
	}
	s.mark, err = mark.Open(s.o.Dir, markOf(m))
	return err
}

// Close closes the files. A second call does nothing.
func (s *Store) Close() error {
	if err := s.Fault(); err != nil && !errors.Is(err, errClosed) {
		s.hold()
	}
	s.stop(errClosed)
	var errs []error
	for _, db := range []*sqlx.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.mark != nil {
		errs = append(errs, s.mark.Close())
		s.mark = nil
	}
	return errors.Join(errs...)
}

// hold keeps closing from what SQLite does with the last connection: it would sync the write-ahead log once more, and carry over into
// the file what after a failed sync may not be in the log. So one connection stays open until the process ends, as if it had crashed;
// the next one finds the log.
func (s *Store) hold() {
	name, err := source(s.file, "mode=ro", readCache)
	if err != nil {
		return
	}
	c, err := new(sqlite.Driver).Open(name)
	if err != nil {
		return
	}
	if q, ok := c.(driver.QueryerContext); ok {
		if rows, err := q.QueryContext(context.Background(), "SELECT count(*) FROM sqlite_schema", nil); err == nil {
			_ = rows.Close()
		}
	}
}

var errClosed = errors.New("closed")

// Upgraded tells that Open found a journal of an earlier schema.
func (s *Store) Upgraded() bool { return s.old }

// Shared tells that other machines may use it as well, which a file is not for.
func (s *Store) Shared() bool { return false }

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

var writeMeta = table.Meta.Insert(1)

func markOf(m ledger.Meta) mark.Mark { return mark.Mark{Journal: m.ID, Commits: m.Commits} }

func newID() (id [16]byte, err error) {
	if _, err := rand.Read(id[:]); err != nil {
		return id, fmt.Errorf("a number for the journal: %w", err)
	}
	return id, nil
}

// witnesses are the files that tell of a journal.
type witness struct {
	list   register.List
	mark   mark.Mark
	marked error // of mark.Read
	wal    bool  // there is a write-ahead log with something in it
	locked bool  // a campaign had its lock here, which it takes after the journal is there
}

func witnesses(dir string) (w witness, err error) {
	if w.list, err = register.Read(dir); err != nil {
		return w, err
	}
	w.mark, w.marked = mark.Read(dir)
	if w.marked != nil && !errors.Is(w.marked, fs.ErrNotExist) && !errors.Is(w.marked, mark.ErrDamaged) {
		return w, w.marked
	}
	if w.locked, err = lock.Used(dir); err != nil {
		return w, err
	}
	info, err := os.Stat(filepath.Join(dir, Name+"-wal"))
	if errors.Is(err, fs.ErrNotExist) {
		return w, nil
	}
	w.wal = err == nil && info.Size() > 0
	return w, err
}

// Told tells that what lies beside the journal of a directory says that there was one, and more in it than its tables.
func Told(dir string) (bool, error) {
	w, err := witnesses(dir)
	return err == nil && !w.silent(), err
}

// silent tells that no run can have been begun here. The first commit makes the tables.
func (w *witness) silent() bool {
	return len(w.list.Runs)+w.list.Damaged == 0 && !w.wal && !w.locked &&
		(errors.Is(w.marked, fs.ErrNotExist) || w.marked == nil && w.mark.Commits <= 1)
}
