package rows

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer/rows/pgtest"
	"github.com/mailblast/mailblast/composer/rows/pulse"
)

// reading is a read whose server is asked often whether it is there.
type reading struct {
	store *Store
	err   error
	took  time.Duration
}

// readSlowly begins a read and comes back once the server is at the query.
func readSlowly(t *testing.T, ctx context.Context, direct, way, query string, o pulse.Options) <-chan reading {
	t.Helper()
	so := Options{Dir: t.TempDir(), Wait: time.Second}.filled()
	p, err := newPostgres(Source{DSN: way + "&application_name=slow", Query: query}, so)
	if err != nil {
		t.Fatal(err)
	}
	p.listen(o)
	t.Cleanup(func() { _ = p.close() })
	done := make(chan reading, 1)
	go func() {
		begun := time.Now()
		s, err := readInto(ctx, p, so)
		done <- reading{s, err, time.Since(begun)}
	}()
	db, err := sql.Open("postgres", direct)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for n, end := 0, time.Now().Add(10*time.Second); n == 0; time.Sleep(5 * time.Millisecond) {
		err := db.QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'slow' AND state = 'active' AND wait_event = 'PgSleep'
			AND datname = current_database()`).Scan(&n)
		if err != nil || time.Now().After(end) {
			t.Fatalf("the query does not run: %v", err)
		}
	}
	return done
}

func ended(t *testing.T, done <-chan reading) reading {
	t.Helper()
	select {
	case r := <-done:
		if r.store != nil {
			t.Cleanup(func() { _ = r.store.Close() })
		}
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("the read waits for ever")
		return reading{}
	}
}

var often = pulse.Options{Quiet: 200 * time.Millisecond, Answer: 200 * time.Millisecond}

// Nothing more comes over the way to the server, and nobody ends the connection: the read breaks, and may start again.
func TestFaultSilentRead(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	way, vanish, _ := pgtest.Behind(t, dsn)
	done := readSlowly(t, t.Context(), dsn, way, "SELECT 1 AS n FROM pg_sleep(60)", often)
	time.Sleep(often.Quiet) // so that it was asked once
	vanish()
	r := ended(t, done)
	if again := (*broken)(nil); !errors.As(r.err, &again) || again.err.Kind != Unreachable || !strings.Contains(again.err.Text, "nothing came for ") {
		t.Errorf("%v", r.err)
	}
	t.Attr("fault", "B1 the database's host goes silent while the list is read: its connection stays open, nothing comes")
	t.Attr("expected", "after three questions over another connection that nobody answers the read breaks, and is started again; 45 s by default")
	t.Attr("seen", fmt.Sprintf("asked each %v, with as much for the answer: %v", often.Quiet, r.err))
}

// A query that takes its time on a server that is there has all of it.
func TestFaultSlowButThere(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	way, _, _ := pgtest.Behind(t, dsn)
	o := pulse.Options{Quiet: 20 * time.Millisecond, Answer: 5 * time.Second}
	r := ended(t, readSlowly(t, t.Context(), dsn, way, "SELECT 1 AS n FROM pg_sleep(1)", o))
	if r.err != nil || r.store.Len() != 1 {
		t.Fatalf("%v", r.err)
	}
	t.Attr("fault", "B2 a slow query on a server that is there")
	t.Attr("expected", "it goes on, within statement_timeout, however often the server is asked")
	t.Attr("seen", fmt.Sprintf("read after %.1f s, the server asked each 20 ms", r.took.Seconds()))
}

// A server that answers others, and this connection no longer within its limit of time, has lost it.
func TestFaultSilentConnection(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	o := often
	o.Most = 300 * time.Millisecond
	r := ended(t, readSlowly(t, t.Context(), dsn, dsn, "SELECT 1 AS n FROM pg_sleep(60)", o))
	if !errors.As(r.err, new(*broken)) {
		t.Errorf("%v", r.err)
	}
}

// Who interrupts a read is not kept waiting by a server that is silent.
func TestFaultInterruptedSilence(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	way, vanish, _ := pgtest.Behind(t, dsn)
	ctx, interrupt := context.WithCancel(t.Context())
	done := readSlowly(t, ctx, dsn, way, "SELECT 1 AS n FROM pg_sleep(60)", pulse.Options{})
	vanish()
	interrupt()
	begun := time.Now()
	if r := ended(t, done); r.err == nil || time.Since(begun) > cancelTimeout+500*time.Millisecond {
		t.Errorf("%v after %v", r.err, time.Since(begun))
	}
}
