// Package journaltest is the suite of tests that every maker of a delivery.Journal that outlives its process passes:
//
//  1. an intent that was on disk is sent, failed, deferred, taken back, or unknown to the next process; never forgotten;
//  2. what was given before an intent that is on disk is on disk as well;
//  3. of several outcomes of one delivery the highest rank counts, over any number of processes;
//  4. many goroutines may give at once.
package journaltest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/delivery"
)

// Process is one process's view of a run.
type Process struct {
	Run     uint64
	Journal delivery.Journal
	// Status tells of each delivery what it was when the process began; NotTried is nothing.
	Status func(ctx context.Context, ids []delivery.ID) ([]delivery.Status, error)
	End    func(testing.TB) // leaves everything on disk
}

// Open begins or resumes the one run of a directory.
type Open func(t testing.TB, dir string) Process

// Run runs the suite. The ranks are tried in as many stories as checks says.
func Run(t *testing.T, checks int, open Open) {
	t.Run("interrupted", func(t *testing.T) { interrupted(t, open) })
	t.Run("rank", func(t *testing.T) { rank(t, checks, open) })
	t.Run("concurrent", func(t *testing.T) { concurrent(t, open) })
}

func id(run uint64, n int) delivery.ID {
	i := delivery.ID{Run: run, Copy: uint16(n % 3)}
	i.Key[0], i.Key[8], i.Key[9] = byte(n*73), byte(n), byte(n>>8)
	return i
}

func messages(p Process, from, n int) []*delivery.Message {
	ms := make([]*delivery.Message, n)
	for i := range ms {
		ms[i] = &delivery.Message{ID: id(p.Run, from+i), To: fmt.Sprintf("p%d@x.test", from+i), Journal: p.Journal}
	}
	return ms
}

func statuses(t testing.TB, p Process, n int) []delivery.Status {
	t.Helper()
	ids := make([]delivery.ID, n)
	for i := range ids {
		ids[i] = id(p.Run, i)
	}
	got, err := p.Status(context.Background(), ids)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func await(t testing.TB, onDisk func(context.Context) error) {
	t.Helper()
	if err := onDisk(context.Background()); err != nil {
		t.Error(err)
	}
}

func interrupted(t *testing.T, open Open) {
	dir := t.TempDir()
	p := open(t, dir)
	await(t, p.Journal.Intend(messages(p, 0, 4)))
	p.Journal.Record([]delivery.Outcome{{ID: id(p.Run, 0), Status: delivery.Sent}, {ID: id(p.Run, 1), Status: delivery.NotTried}})
	await(t, p.Journal.Intend(messages(p, 4, 1))) // so the outcomes before it are on disk
	p.Journal.Record([]delivery.Outcome{{ID: id(p.Run, 2), Status: delivery.NotTried}})
	await(t, p.Journal.Intend(messages(p, 2, 1))) // taken back, then given anew
	p.End(t)
	want := []delivery.Status{delivery.Sent, delivery.NotTried, delivery.Unknown, delivery.Unknown, delivery.Unknown, delivery.NotTried}
	for range 2 { // beginning is idempotent
		p = open(t, dir)
		got := statuses(t, p, len(want))
		for n := range want {
			if got[n] != want[n] {
				t.Errorf("%d: got %v, want %v", n, got[n], want[n])
			}
		}
		p.End(t)
	}
}

// ranks from the lowest.
var ranks = []delivery.Status{delivery.Deferred, delivery.Unknown, delivery.Skipped, delivery.Suppressed, delivery.Failed, delivery.Sent}

func higher(a, b delivery.Status) delivery.Status {
	at := func(s delivery.Status) int {
		for i, r := range ranks {
			if r == s {
				return i
			}
		}
		return -1
	}
	if at(a) >= at(b) {
		return a
	}
	return b
}

func rank(t *testing.T, checks int, open Open) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		if n++; n > checks {
			return
		}
		dir := fmt.Sprintf("%s/%d", t.TempDir(), n)
		const people = 8
		var want [people]delivery.Status
		inFlight := map[int]bool{}
		for range rapid.IntRange(1, 3).Draw(rt, "processes") {
			p := open(t, dir)
			for i, got := range statuses(t, p, people) {
				if got != want[i] {
					rt.Fatalf("delivery %d: got %v, want %v", i, got, want[i])
				}
			}
			for range rapid.IntRange(0, 7).Draw(rt, "steps") {
				who := rapid.IntRange(0, people-1).Draw(rt, "who")
				if rapid.Bool().Draw(rt, "intent") {
					onDisk := p.Journal.Intend(messages(p, who, 1))
					if rapid.IntRange(0, 8).Draw(rt, "wait") == 0 {
						await(t, onDisk)
					}
					inFlight[who] = true
					continue
				}
				s := rapid.SampledFrom(append(ranks, delivery.NotTried)).Draw(rt, "status")
				p.Journal.Record([]delivery.Outcome{{ID: id(p.Run, who), Status: s, Class: delivery.ClassInvalid}})
				delete(inFlight, who)
				if s != delivery.NotTried {
					want[who] = higher(s, want[who])
				}
			}
			p.End(t)
			for who := range inFlight {
				want[who] = higher(want[who], delivery.Unknown)
			}
			clear(inFlight)
		}
	})
}

func concurrent(t *testing.T, open Open) {
	const threads, each = 8, 50
	dir := t.TempDir()
	p := open(t, dir)
	var g sync.WaitGroup
	for thread := range threads {
		g.Go(func() {
			for n := range each {
				who := thread*each + n
				await(t, p.Journal.Intend(messages(p, who, 1)))
				p.Journal.Record([]delivery.Outcome{{ID: id(p.Run, who), Status: delivery.Sent, At: time.Now()}})
			}
		})
	}
	g.Wait()
	p.End(t)
	p = open(t, dir)
	for n, s := range statuses(t, p, threads*each) {
		if s != delivery.Sent {
			t.Errorf("%d: %v", n, s)
		}
	}
	p.End(t)
}
