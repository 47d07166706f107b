package guard

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer/rows/pgtest"
)

// watched is a guard that is looked after.
type watched struct {
	*Guard
	end  context.CancelFunc
	done chan error
}

func watch(t *testing.T, g *Guard) *watched {
	ctx, cancel := context.WithCancel(t.Context())
	w := &watched{g, cancel, make(chan error, 1)}
	go func() { w.done <- g.Watch(ctx) }()
	return w
}

func (w *watched) ends(t *testing.T, within time.Duration) error {
	t.Helper()
	select {
	case err := <-w.done:
		return err
	case <-time.After(within):
		t.Fatal("Watch does not end")
		return nil
	}
}

// holds tells whether Hold returns at once, without trouble.
func holds(t *testing.T, g *Guard) bool {
	t.Helper()
	ended, end := context.WithCancel(t.Context())
	end()
	return g.Hold(ended) == nil
}

// until waits for what happens soon.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

const killThem = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'mailblast send 5 %' AND datname = current_database()`

// A lock that is lost is had again before anything more is sent; where another has it by then, nothing is.
func TestFaultLockLost(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db := admin(t, dsn)
	o := machine(t, dsn, "alpha")
	connect, shut := o.Connect, make(chan struct{})
	var once sync.Once
	o.Connect = func(ctx context.Context) (*sql.Conn, error) { // waits for the server to be back
		select {
		case <-shut:
			return connect(ctx)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	open := func() { once.Do(func() { close(shut) }) }
	mine := o
	mine.Connect = connect
	g := take(t, mine)
	g.o.Connect = o.Connect
	w := watch(t, g)
	_, err := db.Exec(killThem)
	check(t, err)
	until(t, "the loss is noticed", func() bool { return w.session() == nil })
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.Hold(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with the lock lost: %v", err)
	}
	open()
	check(t, w.Hold(t.Context()))
	held(t, machine(t, dsn, "beta"), Holder{PID: 5, Host: "alpha", Start: o.Me.Start.UTC()})

	quicker := machine(t, dsn, "delta-9")
	g.o.Connect = func(ctx context.Context) (*sql.Conn, error) {
		theirs, err := Take(ctx, quicker)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { check(t, theirs.Close()) })
		return connect(ctx)
	}
	_, err = db.Exec(killThem)
	check(t, err)
	var other *HeldError
	if err := <-w.done; !errors.As(err, &other) || other.Holder.Host != "delta-9" {
		t.Errorf("taken by another: %v", err)
	}
	if err := w.Hold(t.Context()); !errors.As(err, &other) {
		t.Errorf("taken by another: %v", err)
	}
	w.end()
	check(t, w.Close())
	t.Attr("fault", "R16 the session with the lock ends while mail is sent")
	t.Attr("expected", "no dot until the lock is held again; none at all where another has it")
	t.Attr("seen", "Hold waited and went on; with the lock in another's hands it named him")
}

// A server that stays away ends the waiting.
func TestFaultLockGone(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db := admin(t, dsn)
	o := machine(t, dsn, "alpha")
	o.Patience = 300 * time.Millisecond
	g := take(t, o)
	g.o.Connect = func(context.Context) (*sql.Conn, error) { return nil, errors.New("connection refused") }
	w := watch(t, g)
	_, err := db.Exec(killThem)
	check(t, err)
	var lost *LostError
	if err := <-w.done; !errors.As(err, &lost) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
	if err := w.Hold(t.Context()); !errors.As(err, &lost) {
		t.Errorf("error %v", err)
	}
	w.end()
	check(t, w.Close())
}

// A pool that shows only later ends what has a lock of its own name; what has the usual one goes on with a warning.
func TestFaultLockPooledLater(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	for lock, lost := range map[string]bool{"state mailblast spring": true, "": false} {
		o := machine(t, dsn, "alpha")
		o.Lock = lock
		g := take(t, o)
		g.s.pid++ // as if the next statement had got another session
		w := watch(t, g)
		err := w.ends(t, 10*time.Second)
		var gone *LostError
		if errors.As(err, &gone) != lost || (err == nil) == lost || lost && !strings.Contains(err.Error(), "its lock in the database was lost: no advisory locks: a pool") {
			t.Errorf("lock %q: %v", lock, err)
		}
		if err := w.Hold(t.Context()); errors.As(err, &gone) != lost || (err == nil) == lost {
			t.Errorf("lock %q: Hold: %v", lock, err)
		}
		w.end()
		check(t, w.Close())
	}
	t.Attr("fault", "R16 a pool before a journal's server, or a list's, shows while mail is sent")
	t.Attr("expected", "the journal's lock counts as lost for good, as at the start; the list's is gone on without")
	t.Attr("seen", "LostError from Watch and Hold for the first; a warning and no more looks for the second")
}

// Whoever waits in Hold is told when nobody looks after the lock any more.
func TestFaultUnwatched(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db := admin(t, dsn)
	g := take(t, machine(t, dsn, "alpha"))
	asked := make(chan error, 1)
	g.o.Connect = func(context.Context) (*sql.Conn, error) {
		go func() { asked <- g.Hold(t.Context()) }()
		time.Sleep(20 * time.Millisecond) // into Hold
		panic("on purpose")
	}
	failed := make(chan any, 1)
	go func() {
		defer func() { failed <- recover() }()
		_ = g.Watch(t.Context()) // panics
	}()
	_, err := db.Exec(killThem)
	check(t, err)
	if p := <-failed; p != "on purpose" {
		t.Fatalf("panic: %v", p)
	}
	select {
	case err = <-asked:
	case <-time.After(10 * time.Second):
		t.Fatal("Hold waits for ever")
	}
	if !errors.Is(err, errUnwatched) || !errors.Is(g.Hold(t.Context()), errUnwatched) {
		t.Errorf("Hold: %v", err)
	}
	check(t, g.Close())
}
