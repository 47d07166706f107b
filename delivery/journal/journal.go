// Package journal remembers what became of every delivery, in the files of a state directory.
//
//  1. Open checks the directory and opens journal.db, unless it is damaged, from a later version, or gone;
//  2. Begin finds or makes a run, after every row that it rests on was held against its checksum; what an earlier process
//     left on the wire becomes unknown, and the state of every delivery is laid out, so that Lookup takes flat memory;
//  3. Serve, the one writer, takes all intents and outcomes that wait, commits them once, wakes those who wait for
//     their intent, and repeats: group commit without a timer;
//  4. counters move after the commit, so that no screen shows what is not on disk;
//  5. readers (status, report) look at the same file at any time, without a lock.
//
// The journal is append-only in what it says of deliveries. The state of a delivery is its highest rank: sent, failed,
// suppressed, skipped, unknown, deferred; a deliberate reopening starts it anew. docs/journal.md tells about the files.
package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/server"
	"github.com/mailblast/mailblast/delivery/journal/store"
)

// Options of a Book.
type Options struct {
	Dir string // the state directory; made with mode 0700 if it is missing
	// Server is the URL of a PostgreSQL database that the journal is in, for several machines; empty: it is in a file in Dir.
	Server string
	Log    *slog.Logger // nil: none
	// Connections says how much may be on the wire at once: a file that takes 1 MiB and 8 KiB for each of these is given up
	// when the disk is full, so that what is on the wire can still be recorded. Begin makes it.
	Connections int
	// StartOver makes a new journal although runs were begun here of which there is none any more, and lets these be begun
	// anew: whoever got their mail gets it again. False gives a *refusal.LostError instead. A person decides that.
	StartOver bool

	// Brief says that the Book is used no longer than Open's context: a server that is silent is then not waited for.
	Brief bool

	look bool // only read
}

// Book is an open journal. It is safe for concurrent use.
type Book struct {
	o     Options
	store ledger.Store
	st    statements
	temp  string // directory to remove at Close
	of    string // what the journal is called that this is a copy of; empty: it is none
	// shared is of a copy of a journal on a server, and secret what that one has.
	shared bool
	secret []byte

	mu      sync.Mutex
	filling *batch
	wake    chan struct{}
	err     error // why nothing is written any more
	noRoom  error // why nothing but outcomes is
	lost    int   // outcomes that could not be recorded
}

// Open opens the journal of a state directory, or makes it. Errors are *refusal.DamagedError, *refusal.NewerError and
// *refusal.LostError where they fit; nothing was changed then.
func Open(ctx context.Context, o Options) (*Book, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	b := &Book{o: o, filling: newBatch(), wake: make(chan struct{}, 1)}
	var err error
	if b.store, err = openStore(ctx, o); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err = b.st.prepare(b.store); err == nil && b.store.Upgraded() {
		err = b.enlistAll(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), b.Close())
	}
	return b, nil
}

func openStore(ctx context.Context, o Options) (ledger.Store, error) {
	if o.Server == "" {
		return store.Open(ctx, store.Options{Dir: o.Dir, Log: o.Log, StartOver: o.StartOver})
	}
	return server.Open(ctx, server.Options{DSN: o.Server, Dir: o.Dir, Log: o.Log, StartOver: o.StartOver, Look: o.look, Brief: o.Brief})
}

// Cut ends all waiting for a server, for good: what was not kept by then is not kept.
func (b *Book) Cut() {
	if s, ok := b.store.(*server.Store); ok {
		s.Cut()
	}
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
	b.mu.Lock()
	if b.lost > 0 {
		b.o.Log.Error("outcomes are not on disk, these deliveries will be unknown", "count", b.lost)
		b.lost = 0
	}
	b.mu.Unlock()
	errs := []error{b.store.Close()}
	if b.temp != "" {
		errs = append(errs, os.RemoveAll(b.temp))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("journal: close: %w", err)
	}
	return nil
}

// Exists tells whether there is a journal in a place, or was one, without making one.
func Exists(ctx context.Context, o Options) (bool, error) {
	if o.Server != "" {
		return server.Exists(ctx, o.Server, o.Dir)
	}
	for _, name := range []string{store.Name, register.Name, store.Repaired, store.Ready} {
		_, err := os.Stat(filepath.Join(o.Dir, name))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return err == nil, err
		}
	}
	return store.Told(o.Dir)
}

// ErrOwnSecret says that a journal has no secret, as it is not on a server.
var ErrOwnSecret = errors.New("the journal has no secret of its own")

// Secret gives the secret of a journal on a server, which all machines share: what the first of them has said.
func (b *Book) Secret(ctx context.Context, fresh []byte) ([]byte, error) {
	s, ok := b.store.(*server.Store)
	switch {
	case !ok && !b.shared:
		return nil, ErrOwnSecret
	case !ok && b.secret == nil:
		b.secret = fresh
		return fresh, nil
	case !ok:
		return b.secret, nil
	}
	secret, err := s.Secret(ctx, fresh)
	if err != nil {
		return nil, fmt.Errorf("journal: secret: %w", err)
	}
	return secret, nil
}

// file is what the journal is called to people.
func (b *Book) file() string { return cmp.Or(b.of, b.store.File()) }

func (b *Book) read() *sqlx.DB { return b.store.Reader() }
