package cmd

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// cut ends sessions that read the list, each when it has read for a while, until ctx ends; limit bounds how many. It gives how many.
func (b *peopled) cut(ctx context.Context, after []time.Duration, limit int) (n int) {
	seen := map[int]bool{}
	for n < limit && ctx.Err() == nil {
		var pid int
		err := b.db.QueryRowContext(ctx, `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'mailblast' AND query LIKE '%nap FROM people%'
			AND state = 'active' AND query_start < clock_timestamp() - make_interval(secs => $1)`, after[n%len(after)].Seconds()).Scan(&pid)
		if err != nil || seen[pid] {
			time.Sleep(time.Millisecond)
			continue
		}
		if _, err := b.db.ExecContext(ctx, "SELECT pg_terminate_backend($1)", pid); err == nil {
			seen[pid] = true
			n++
		}
	}
	return n
}

const slowly = "SELECT email, name, pg_sleep(0.002)::text AS nap FROM people ORDER BY n"

// A list whose read is cut again and again is read to its end, or nobody gets anything.
func TestFaultReadCut(t *testing.T) {
	t.Parallel()
	p, b := build(t), newPeopled(t, 100)
	b.open()
	moments := []time.Duration{0, 40 * time.Millisecond, 80 * time.Millisecond, 150 * time.Millisecond}
	for _, c := range []struct{ cuts, code, sent int }{{5, exitUnavailable, 0}, {4, exitOK, 100}} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cut := make(chan int, 1)
		go func() { cut <- b.cut(ctx, moments, c.cuts) }()
		r := p.start(t, b.machine(t, b.dsn, slowly), "send", "-y")
		code := r.code(t, time.Minute)
		cancel()
		n, to := <-cut, map[string]bool{}
		for _, m := range b.peer.Messages() {
			to[m.To[0]] = true
		}
		if n != c.cuts || code != c.code || b.peer.Accepted() != c.sent || len(to) != c.sent {
			t.Errorf("cut %d times: exit code %d, %d letters to %d people, want %v\n%s", n, code, b.peer.Accepted(), len(to), c, r.err.String())
		}
		if c.code == exitUnavailable && !strings.Contains(r.err.String(), "the read broke 5 times") {
			t.Errorf("it says %s", r.err.String())
		}
	}
	t.Attr("fault", "B1 the connection is cut while the list is read, at several moments")
	t.Attr("expected", "four cuts: everybody gets one letter; five: exit code 69, nothing is sent")
	t.Attr("seen", fmt.Sprintf("four cuts: %d letters to 100 people; five: exit code 69, 0 letters", b.peer.Accepted()))
}

// A database that does not come back in time ends the run before anything is sent.
func TestFaultDatabaseAway(t *testing.T) {
	t.Parallel()
	p, b := build(t), newPeopled(t, 1)
	r := p.start(t, b.machine(t, "postgres://ana:pw@127.0.0.1:1/shop?sslmode=disable", everybody), "send", "-y", "--patience", "300ms")
	if code := r.code(t, time.Minute); code != exitUnavailable || !strings.Contains(r.err.String(), "postgres://ana@127.0.0.1:1/shop: not reachable for 300ms") {
		t.Errorf("exit code %d\n%s", code, r.err.String())
	}
	r = p.start(t, b.machine(t, b.dsn+"&statement_timeout=200", "SELECT email, name, pg_sleep(20)::text AS nap FROM people"), "send", "-y")
	if code := r.code(t, time.Minute); code != exitUnavailable || !strings.Contains(r.err.String(), "hint: it had run for 2") {
		t.Errorf("exit code %d\n%s", code, r.err.String())
	}
	if n := b.peer.Accepted(); n != 0 {
		t.Errorf("%d letters", n)
	}
	t.Attr("fault", "B1, B2 the database stays away; a query that is slower than its limit")
	t.Attr("expected", "exit code 69, nothing is sent")
	t.Attr("seen", "exit code 69 twice, 0 letters")
}
