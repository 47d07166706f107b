package delivery

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/mailblast/mailblast/delivery/pace"
)

// set gives the same moment by a clock that was put forward, or back for less than 0: the monotonic reading stays. Only the
// system's clock can do that to a time.Time, and a test cannot have it changed.
func set(t *testing.T, at time.Time, by time.Duration) time.Time {
	t.Helper()
	was := at
	(*[2]uint64)(unsafe.Pointer(&at))[0] += uint64(by/time.Second) << 30 // wall: a bit, 33 bits of seconds, 30 of nanoseconds
	if at.Sub(was) != 0 || at.Round(0).Sub(was.Round(0)) != by {
		t.Fatalf("%v is not %v later than %v, with the same monotonic reading", at, by, was)
	}
	return at
}

// The clock is put a day forward or back while messages wait for their next try, in memory and spilled. Each is tried as often, after
// the same waits, as if it had not been, and those that nobody takes are given up in time. The Date of what is tried again stays.
func TestFaultClockIsSet(t *testing.T) {
	const day = 24 * time.Hour
	real := time.Now() // a time of virtual time has no monotonic reading
	var usual map[ID][]time.Duration // when each is tried
	for _, by := range []time.Duration{0, day, -day, -5 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			dates, tries := map[ID]time.Time{}, map[ID][]time.Duration{}
			s := &fakeSender{answer: func(_ context.Context, _ string, _ int, b *Batch) []Outcome {
				m := b.Messages[0]
				if date, again := dates[m.ID]; again && b.Date.Unix() != date.Unix() {
					t.Errorf("%s is of %v, was of %v", m.To, b.Date, date)
				}
				dates[m.ID] = b.Date
				tries[m.ID] = append(tries[m.ID], time.Since(began))
				return all(b, softRcpt)
			}}
			r := newRig(t, Options{Connections: 1, Memory: 20_000, General: QueueOptions{Sender: s}, Retry: pace.Retry{For: 4 * time.Hour}})
			r.d.clock = func() time.Time {
				at := real.Add(time.Since(began))
				if time.Since(began) > 10*time.Minute {
					at = set(t, at, by)
				}
				return at
			}
			end := r.start(context.Background())
			for i := range 300 {
				r.submit(fmt.Sprintf("d%d.example", i%7), 1)
				wait(t.Context(), 2*time.Second)
			}
			r.d.Close()
			if err := end(); err != nil {
				t.Error(err)
			}
			if took, n := time.Since(began), r.j.finals(); n[Failed] != 300 || took < 3*time.Hour || took > 4*time.Hour+11*time.Minute {
				t.Errorf("clock set by %v: %v after %v", by, n, took)
			}
			if usual == nil {
				usual = tries
			}
			for id, at := range tries {
				if !slices.Equal(at, usual[id]) {
					t.Fatalf("clock set by %v: %v was tried after %v, not %v", by, id.Key, at, usual[id])
				}
			}
		})
	}
	t.Attr("fault", "R18 the clock is put forward or back by a day while a run waits")
	t.Attr("expected", "intervals monotonic: nothing expires at once, nothing waits for ever; Date of a resend kept")
	t.Attr("seen", "300 messages, each tried at the very moments at which it is with a clock that is left alone; one Date each")
}

// What an earlier process noted by another clock: the next try is no later than the longest wait, and what was first tried in days to
// come is given up in the end all the same, by its tries.
func TestFaultClockSetBetweenRuns(t *testing.T) {
	for _, by := range []time.Duration{-24 * time.Hour, 24 * time.Hour, 20 * 365 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			first := map[ID]time.Duration{}
			s := &fakeSender{answer: func(_ context.Context, _ string, _ int, b *Batch) []Outcome {
				m := b.Messages[0]
				if _, again := first[m.ID]; !again {
					first[m.ID] = time.Since(began)
				}
				if !b.Date.Equal(began.Add(by)) {
					t.Errorf("Date %v", b.Date)
				}
				return all(b, softRcpt)
			}}
			r := newRig(t, Options{Connections: 1, General: QueueOptions{Sender: s}, Retry: pace.Retry{For: 4 * time.Hour, Max: 30 * time.Minute}})
			end := r.start(context.Background())
			for range 20 {
				m := r.message("a.example")
				m.First, m.Next, m.Tries, m.Attempts = began.Add(by), began.Add(by+5*time.Minute), 3, 3
				if err := r.d.Submit(context.Background(), m); err != nil {
					t.Fatal(err)
				}
			}
			r.d.Close()
			if err := end(); err != nil {
				t.Error(err)
			}
			for id, after := range first {
				if after > 31*time.Minute || by < 0 && after > 0 {
					t.Errorf("clock was %v ahead: %v was tried after %v", by, id.Key, after)
				}
			}
			if n, took := r.j.finals(), time.Since(began); n[Failed] != 20 || len(first) != 20 || took > 4*time.Hour+30*time.Minute {
				t.Errorf("clock was %v ahead: %v after %v", by, n, took)
			}
		})
	}
	t.Attr("fault", "R18 the clock is put back by a day, or twenty years, or forward by a day, between two runs")
	t.Attr("expected", "next-try clamped to at most the longest wait from now; tried once more at least, given up in the end; Date of a resend kept")
	t.Attr("seen", "tried after at most 30 min, at once after a clock that was slow, given up within retry.for; Date as first noted")
}
