// Package journal remembers what became of every delivery, in one SQLite file of the state directory.
//
//  1. Open checks the directory, opens journal.db and brings its schema up to date;
//  2. Begin finds or makes a run; what an earlier process left on the wire becomes unknown, and the state of every
//     delivery is laid out in a temporary table, so that Lookup answers with flat memory;
//  3. Serve, the one writer, takes all intents and outcomes that wait, commits them once, wakes those who wait for
//     their intent, and repeats: group commit without a timer;
//  4. counters move after the commit, so that no screen shows what is not on disk;
//  5. readers (status, report) look at the same file at any time, without a lock.
//
// The file is append-only in what it says of deliveries. The state of a delivery is its highest rank: sent, failed,
// suppressed, skipped, unknown, deferred; a deliberate reopening starts it anew.
package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite" // the database/sql driver "sqlite" as well
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mailblast/mailblast/delivery/journal/lock"
)

// Options of a Book.
type Options struct {
	Dir string       // the state directory; made with mode 0700 if it is missing
	Log *slog.Logger // nil: none
}

// Book is an open journal. It is safe for concurrent use.
type Book struct {
	write *sqlx.DB // one connection
	read  *sqlx.DB
	st    statements // of write
	log   *slog.Logger
	temp  string // directory to remove at Close

	mu      sync.Mutex
	filling *batch
	wake    chan struct{}
	err     error // why nothing is written any more
}

// NewerError says that a later version of the program wrote the journal.
type NewerError struct {
	File       string
	Have, Know int // schema versions
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s: written by a newer version of this program (schema %d, this one knows %d)", e.File, e.Have, e.Know)
}

const version = 1

// DDL of schema 1. Times are Unix microseconds, 0 for none; after and settled columns are places in outcomes or intents.
const schema = `
CREATE TABLE schema (version INTEGER NOT NULL);
CREATE TABLE runs (
	id INTEGER PRIMARY KEY, campaign TEXT NOT NULL, key TEXT NOT NULL, generation INTEGER NOT NULL,
	started INTEGER NOT NULL, finished INTEGER NOT NULL DEFAULT 0,
	rows INTEGER NOT NULL DEFAULT 0, deliveries INTEGER NOT NULL DEFAULT 0, columns TEXT NOT NULL DEFAULT '[]',
	round INTEGER NOT NULL DEFAULT 0,
	first_outcome INTEGER NOT NULL, settled_outcome INTEGER NOT NULL, settled_intent INTEGER NOT NULL,
	UNIQUE (campaign, key, generation));
CREATE TABLE intents (
	seq INTEGER PRIMARY KEY, run INTEGER NOT NULL, at INTEGER NOT NULL, after INTEGER NOT NULL, entries BLOB NOT NULL);
CREATE TABLE outcomes (
	seq INTEGER PRIMARY KEY, run INTEGER NOT NULL, key BLOB NOT NULL, copy INTEGER NOT NULL,
	status INTEGER NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT NULL, try INTEGER NOT NULL, charged INTEGER NOT NULL,
	via INTEGER NOT NULL, stage INTEGER NOT NULL, class INTEGER NOT NULL, code INTEGER NOT NULL,
	first INTEGER NOT NULL, at INTEGER NOT NULL, next INTEGER NOT NULL, took INTEGER NOT NULL,
	rcpt TEXT NOT NULL, enhanced TEXT NOT NULL, text TEXT NOT NULL, host TEXT NOT NULL, tls TEXT NOT NULL, queue TEXT NOT NULL);
CREATE TABLE skipped (
	run INTEGER NOT NULL, number INTEGER NOT NULL, line INTEGER NOT NULL, class INTEGER NOT NULL,
	rcpt TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (run, number)) WITHOUT ROWID;
CREATE TABLE kept (
	run INTEGER NOT NULL, key BLOB NOT NULL, copy INTEGER NOT NULL, rcpt TEXT NOT NULL, fields TEXT NOT NULL,
	PRIMARY KEY (run, key, copy)) WITHOUT ROWID;
CREATE TABLE suppressed (
	seq INTEGER PRIMARY KEY, whom TEXT NOT NULL, scope TEXT NOT NULL, reason TEXT NOT NULL, until INTEGER NOT NULL,
	at INTEGER NOT NULL, removed INTEGER NOT NULL);
`

// Open opens the journal of a state directory, or makes it. The error is *NewerError when it cannot be understood.
func Open(ctx context.Context, o Options) (*Book, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	file, err := prepare(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	b := &Book{log: o.Log, filling: newBatch(), wake: make(chan struct{}, 1)}
	if b.write, err = connect(file, "_txlock=immediate", writeCache); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	b.write.SetMaxOpenConns(1)
	if b.read, err = connect(file, "_txlock=deferred", readCache); err == nil {
		err = reach(ctx, b.write)
	}
	if err == nil {
		err = b.migrate(ctx, file)
	}
	if err == nil {
		err = b.st.prepare(b.write)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), b.Close())
	}
	return b, nil
}

// OpenTemp opens a journal of its own in a new directory below dir (empty: the system's), which Close removes: for
// what is only rehearsed.
func OpenTemp(ctx context.Context, dir string, log *slog.Logger) (*Book, error) {
	temp, err := os.MkdirTemp(dir, "mailblast-journal-")
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	b, err := Open(ctx, Options{Dir: temp, Log: log})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(temp))
	}
	b.temp = temp
	return b, nil
}

// Close closes the files. Serve must have returned before.
func (b *Book) Close() error {
	b.stop(ErrClosed)
	var errs []error
	for _, db := range []*sqlx.DB{b.read, b.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if b.temp != "" {
		errs = append(errs, os.RemoveAll(b.temp))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("journal: close: %w", err)
	}
	return nil
}

// prepare makes the directory and an empty file with no rights for others, whatever the umask, and refuses a
// directory that others could have changed. SQLite gives its side files the mode of the main one.
func prepare(dir string) (file string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := lock.CheckOwner(dir); err != nil {
		return "", err
	}
	file = filepath.Join(dir, "journal.db")
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	err = f.Chmod(0o600)
	return file, errors.Join(err, f.Close())
}

// Memory of one connection, in KiB. Reports sort, and each of SQLite's sorters takes that much over again.
const writeCache, readCache = 8192, 2048

func connect(file, lock string, cache int) (*sqlx.DB, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}
	pragmas := "_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=temp_store(FILE)"
	return sqlx.Open("sqlite", fmt.Sprintf("%s?%s&_pragma=cache_size(-%d)&%s", u.String(), pragmas, cache, lock))
}

// reach opens the first connection. While another process makes a new file a write-ahead one, SQLite says that it is busy
// at once, whatever busy_timeout says.
func reach(ctx context.Context, db *sqlx.DB) error {
	for try := 0; ; try++ {
		err := db.PingContext(ctx)
		var busy *sqlite.Error
		if !errors.As(err, &busy) || busy.Code()&0xff != sqlite3.SQLITE_BUSY || try == 500 {
			return err
		}
		t := time.NewTimer(20 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
	}
}

// migrate makes the tables of a new file, and refuses one of a later version.
func (b *Book) migrate(ctx context.Context, file string) error {
	return b.update(ctx, func(tx *sqlx.Tx) error {
		var tables int
		if err := tx.GetContext(ctx, &tables, `SELECT count(*) FROM sqlite_schema WHERE name = 'schema'`); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if tables == 0 {
			if _, err := tx.ExecContext(ctx, schema); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO schema VALUES (?)`, version)
			return err
		}
		have := 0
		if err := tx.GetContext(ctx, &have, `SELECT version FROM schema`); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if have > version {
			return &NewerError{File: file, Have: have, Know: version}
		}
		return nil
	})
}

// Exists tells whether a state directory has a journal, without making one.
func Exists(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, "journal.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
