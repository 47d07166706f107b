package delivery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery/pace"
)

var (
	softRcpt = Outcome{Status: Deferred, Stage: StageRcpt, Class: ClassSoft, Code: 451, Text: "try again", Charged: true}
	greyRcpt = Outcome{Status: Deferred, Stage: StageRcpt, Class: ClassThrottle, Code: 450, Text: "greylisted", Charged: true}
	deadHost = Outcome{Status: Deferred, Stage: StageConnect, Class: ClassSoft, Text: "connection refused"}
	refused  = Outcome{Status: Failed, Stage: StageRcpt, Class: ClassHard, Code: 550, Text: "no such user", Charged: true}
	lost     = Outcome{Status: Unknown, Stage: StageDot, Text: "connection lost"}
	sent     = Outcome{Status: Sent, Stage: StageDot, Code: 250}
)

// try is a step of a message's story: which way, when after the start, and what came of it.
type try struct {
	via    int
	after  time.Duration
	status Status
}

// story runs one message through answers, given try by try, and tells what happened to it.
func story(t *testing.T, o Options, answers map[int][]Outcome) (tries []try, os []Outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began, next := time.Now(), map[int]int{}
		s := &fakeSender{answer: func(_ context.Context, _ string, via int, b *Batch) []Outcome {
			list := answers[via]
			i := min(next[via], len(list)-1)
			next[via]++
			return all(b, list[i])
		}}
		o.General = QueueOptions{Sender: s}
		r := newRig(t, o)
		end := r.start(context.Background())
		m := r.submit("a.example", 1)[0]
		r.d.Close()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		os = r.j.of(m)
		for i, o := range os {
			tries = append(tries, try{o.Via, o.At.Sub(began), o.Status})
			if o.Try != i+1 || !o.First.Equal(began) || o.To != m.To || o.Queue != "general" {
				t.Errorf("outcome %d: %+v", i, o)
			}
		}
	})
	return tries, os
}

// Row 11: what follows an unsuccessful first try.
func TestFallbackTable(t *testing.T) {
	minute := time.Minute
	for _, c := range []struct {
		name     string
		fallback bool
		answers  map[int][]Outcome
		want     []try
	}{
		{"dead relay goes to the fallback at once", true, map[int][]Outcome{0: {deadHost}, 1: {sent}},
			[]try{{0, 0, Deferred}, {1, 0, Sent}}},
		{"4xx goes to the fallback at once", true, map[int][]Outcome{0: {softRcpt}, 1: {sent}},
			[]try{{0, 0, Deferred}, {1, 0, Sent}}},
		{"greylisting gets one more try on its own path", true, map[int][]Outcome{0: {greyRcpt, sent}},
			[]try{{0, 0, Deferred}, {0, 5 * minute, Sent}}},
		{"greylisted twice goes to the fallback", true, map[int][]Outcome{0: {greyRcpt}, 1: {sent}},
			[]try{{0, 0, Deferred}, {0, 5 * minute, Deferred}, {1, 5 * minute, Sent}}},
		{"5xx never goes to the fallback", true, map[int][]Outcome{0: {refused}, 1: {sent}},
			[]try{{0, 0, Failed}}},
		{"unknown never goes to the fallback", true, map[int][]Outcome{0: {lost}, 1: {sent}},
			[]try{{0, 0, Unknown}}},
		{"both temporary: the ways alternate", true, map[int][]Outcome{0: {softRcpt, softRcpt, sent}, 1: {softRcpt}},
			[]try{{0, 0, Deferred}, {1, 0, Deferred}, {0, 2 * minute, Deferred}, {1, 6 * minute, Deferred}, {0, 14 * minute, Sent}}},
		{"no fallback: the same way, after its delay", false, map[int][]Outcome{0: {deadHost, sent}},
			[]try{{0, 0, Deferred}, {0, minute, Sent}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := story(t, Options{Fallback: c.fallback}, c.answers); !slices.Equal(got, c.want) {
				t.Errorf("%v\nwant %v", got, c.want)
			}
		})
	}
}

func TestRetryUntilGivenUp(t *testing.T) {
	tries, os := story(t, Options{Retry: pace.Retry{For: 20 * time.Minute, Max: 8 * time.Minute}}, map[int][]Outcome{0: {softRcpt, deadHost, softRcpt}})
	m := time.Minute
	if want := []try{{0, 0, Deferred}, {0, m, Deferred}, {0, 3 * m, Deferred}, {0, 7 * m, Deferred}, {0, 15 * m, Failed}}; !slices.Equal(tries, want) {
		t.Errorf("%v\nwant %v", tries, want)
	}
	last := os[4]
	if last.Code != 451 || last.Text != "try again (given up after 5 tries in 15m0s)" || !last.Next.IsZero() {
		t.Errorf("%+v", last)
	}
	if os[1].Attempt != 2 || os[2].Attempt != 2 || os[3].Attempt != 3 {
		t.Errorf("an uncharged try repeats the number: %d %d %d", os[1].Attempt, os[2].Attempt, os[3].Attempt)
	}
	if !os[0].Next.Equal(os[1].At) {
		t.Errorf("said %s, tried %s", os[0].Next, os[1].At)
	}
}

func TestRetryNotBeforeTheSenderSays(t *testing.T) {
	later := softRcpt
	synctest.Test(t, func(t *testing.T) { later.Next = time.Now().Add(10 * time.Minute) })
	tries, _ := story(t, Options{}, map[int][]Outcome{0: {later, sent}})
	if len(tries) != 2 || tries[1].after != 10*time.Minute {
		t.Errorf("%v", tries)
	}
}

func TestUnknownHeldOrResent(t *testing.T) {
	if tries, _ := story(t, Options{}, map[int][]Outcome{0: {lost, sent}}); len(tries) != 1 {
		t.Errorf("hold: %v", tries)
	}
	tries, _ := story(t, Options{Resend: true, Fallback: true}, map[int][]Outcome{0: {lost, sent}, 1: {refused}})
	if want := []try{{0, 0, Unknown}, {0, 15 * time.Minute, Sent}}; !slices.Equal(tries, want) {
		t.Errorf("resend: %v", tries)
	}
}

func TestNotTriedGoesBackAndDoesNotSpin(t *testing.T) {
	idle := Outcome{Status: NotTried}
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := &oneBatch{answer: func(b *Batch) []Outcome {
			if n++; n <= 8 {
				return all(b, idle)
			}
			return all(b, sent)
		}}
		r := newRig(t, Options{Connections: 1, General: QueueOptions{Sender: s, Rate: pace.Rate{N: 1, Per: time.Hour}}})
		end := r.start(context.Background())
		began := time.Now()
		first := r.submit("a.example", 1)[0]
		r.d.Close()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		os := r.j.of(first)
		if len(os) != 9 || os[8].Try != 1 || os[8].Attempt != 1 {
			t.Errorf("%+v", os)
		}
		if took := time.Since(began); took < 10*time.Second || took > time.Minute { // 0.1+0.2+…+12.8 s, and no token lost
			t.Errorf("took %s", took)
		}
	})
}

// oneBatch takes one batch a call.
type oneBatch struct {
	answer func(b *Batch) []Outcome
}

func (s *oneBatch) Site(string, int) (string, bool) { return "", false }

func (s *oneBatch) Serve(ctx context.Context, _ string, _ int, f Feed) error {
	if b := f.Next(ctx, 1, true); b != nil {
		f.Done(s.answer(b)...)
	}
	return nil
}

// What was put back comes first again, in its order.
func TestOrderWithinADomain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := &fakeSender{answer: func(_ context.Context, _ string, _ int, b *Batch) []Outcome {
			if n++; n%3 == 0 {
				return all(b, Outcome{Status: NotTried})
			}
			return nil
		}}
		r := newRig(t, Options{Connections: 1, Memory: 4096, General: QueueOptions{Sender: s}})
		end := r.start(context.Background())
		ms := r.submit("a.example", 2000)
		r.d.Close()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		i := 0
		for _, o := range r.j.order {
			if o.Status != Sent {
				continue
			}
			if o.ID != ms[i].ID {
				t.Fatalf("message %d is %s", i, o.To)
			}
			i++
		}
	})
}

// faulty is a Sender whose Serve does what it is told.
type faulty func(ctx context.Context, via int, f Feed) error

func (faulty) Site(string, int) (string, bool) { return "relay", true }

func (s faulty) Serve(ctx context.Context, _ string, via int, f Feed) error { return s(ctx, via, f) }

// serveAll sends whatever comes.
func serveAll(ctx context.Context, f Feed) {
	for b := f.Next(ctx, 1, true); b != nil; b = f.Next(ctx, 1, true) {
		f.Done(all(b, sent)...)
	}
}

func TestHaltStopsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{General: QueueOptions{Sender: faulty(func(ctx context.Context, _ int, f Feed) error {
			b := f.Next(ctx, 1, true)
			f.Done(all(b, Outcome{Status: NotTried})...)
			return &Halt{Stage: StageAuth, Host: "mx", Code: 535, Text: "login refused"}
		})}})
		for range 5 {
			go func() { _ = r.d.Submit(context.Background(), r.message("a.example")) }()
		}
		h := (*Halt)(nil)
		if err := r.d.Run(context.Background()); !errors.As(err, &h) || h.Code != 535 {
			t.Error(err)
		}
		p := (*Paused)(nil)
		if err := r.d.Submit(context.Background(), r.message("a.example")); !errors.As(err, &p) {
			t.Errorf("submitted after the end: %v", err)
		}
		if err := r.d.Hungry(context.Background()); !errors.As(err, &p) {
			t.Errorf("hungry after the end: %v", err)
		}
	})
}

func TestHaltOfOneWayTakesTheOther(t *testing.T) {
	for _, closed := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Options{Fallback: true, General: QueueOptions{Sender: faulty(func(ctx context.Context, via int, f Feed) error {
				if via == closed {
					return &Halt{Stage: StageAuth, Text: "login refused"}
				}
				serveAll(ctx, f)
				return nil
			})}})
			end := r.start(context.Background())
			for i := range 100 {
				m := r.message([]string{"a.example", "b.example"}[i%2])
				m.Via = i / 2 % 2
				if err := r.d.Submit(context.Background(), m); err != nil {
					t.Fatal(err)
				}
			}
			r.d.Close()
			if err := end(); err != nil {
				t.Fatal(err)
			}
			if got := r.j.finals()[Sent]; got != 100 {
				t.Errorf("way %d closed: %d sent", closed, got)
			}
			for _, o := range r.j.order {
				if o.Via == closed {
					t.Fatalf("sent on way %d", o.Via)
				}
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Fallback: true, General: QueueOptions{Sender: faulty(func(context.Context, int, Feed) error {
			return &Halt{Stage: StageAuth, Text: "login refused"}
		})}})
		end := r.start(context.Background())
		go func() { _ = r.d.Submit(context.Background(), r.message("a.example")) }()
		h := (*Halt)(nil)
		if err := end(); !errors.As(err, &h) {
			t.Errorf("both ways closed: %v", err)
		}
	})
}

func TestFaultOfOurSideStopsTheRun(t *testing.T) {
	broken := errors.New("disk full")
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{General: QueueOptions{Sender: faulty(func(ctx context.Context, _ int, f Feed) error {
			b := f.Next(ctx, 1, true)
			f.Done(all(b, Outcome{Status: NotTried})...)
			return broken
		})}})
		end := r.start(context.Background())
		r.submit("a.example", 1)
		if err := end(); !errors.Is(err, broken) || !strings.Contains(err.Error(), "queue general: a.example:") {
			t.Error(err)
		}
	})
}

// A Sender that forgets messages loses none: those whose dot cannot have been written go back.
func TestForgottenMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r := newRig(t, Options{Connections: 1, General: QueueOptions{Sender: faulty(func(ctx context.Context, _ int, f Feed) error {
			if n++; n == 1 {
				wait(ctx, time.Second) // until all are submitted
				f.Next(ctx, 1, true)
				b := f.Next(ctx, 1, true)
				_ = b.Intent(ctx)
				return nil
			}
			serveAll(ctx, f)
			return nil
		})}})
		end := r.start(context.Background())
		ms := r.submit("a.example", 3)
		r.d.Close()
		if err := end(); err != nil {
			t.Error(err)
		}
		for i, want := range []Status{Sent, Unknown, Sent} {
			if os := r.j.of(ms[i]); os[len(os)-1].Status != want {
				t.Errorf("message %d: %+v", i, os)
			}
		}
	})
}

func TestDrainFinishesWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Connections: 4, General: QueueOptions{Sender: &fakeSender{answer: func(ctx context.Context, _ string, _ int, _ *Batch) []Outcome {
			wait(ctx, 10*time.Second)
			return nil
		}}}})
		end := r.start(context.Background())
		r.submit("a.example", 50)
		time.Sleep(15 * time.Second)
		r.d.Drain()
		p := (*Paused)(nil)
		if err := end(); !errors.As(err, &p) || p.Waiting != 42 || !p.Next.IsZero() {
			t.Errorf("%v, %+v", err, p)
		}
		if got := r.j.finals()[Sent]; got != 8 {
			t.Errorf("%d sent", got)
		}
	})
}

func TestPauseForLaterDeferrals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		r := newRig(t, Options{Retry: pace.Retry{First: 4 * time.Minute, Wait: 5 * time.Minute}, General: QueueOptions{Sender: &fakeSender{
			answer: func(_ context.Context, domain string, _ int, b *Batch) []Outcome {
				if domain == "dead.example" {
					return all(b, softRcpt)
				}
				return nil
			}}}})
		end := r.start(context.Background())
		r.submit("dead.example", 3)
		r.submit("a.example", 3)
		r.d.Close()
		p := (*Paused)(nil)
		if err := end(); !errors.As(err, &p) || p.Waiting != 3 || p.Next.Sub(began) != 12*time.Minute {
			t.Fatalf("%v, %+v", err, p)
		}
		if took := time.Since(began); took != 4*time.Minute { // 4 minutes are waited for, the 8 after them are not
			t.Errorf("took %s", took)
		}
	})
}

// What a journal says is its own to bring back has ended here.
func TestDeferredToItsOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{General: QueueOptions{Sender: &fakeSender{answer: func(_ context.Context, _ string, _ int, b *Batch) []Outcome {
			return all(b, softRcpt)
		}}}})
		var got []Message
		r.j.mine = func(m *Message, o Outcome) bool {
			got = append(got, *m)
			return o.Next.Equal(m.Next)
		}
		end := r.start(context.Background())
		r.submit("a.example", 2)
		r.d.Close()
		if err := end(); err != nil || len(got) != 2 || got[0].Tries != 1 || got[0].Attempts != 1 {
			t.Errorf("%v, %+v", err, got)
		}
	})
}

// A message that is not due yet waits for its time, however far a clock that was wrong put it.
func TestSubmitForLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{General: QueueOptions{Sender: &fakeSender{}}})
		began := time.Now()
		end := r.start(context.Background())
		for _, d := range []time.Duration{-time.Hour, 90 * time.Second, 24 * time.Hour} {
			m := r.message("a.example")
			m.Next = began.Add(d)
			if err := r.d.Submit(context.Background(), m); err != nil {
				t.Fatal(err)
			}
		}
		r.d.Close()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		var at []time.Duration
		for _, o := range r.j.order {
			at = append(at, o.At.Sub(began))
		}
		if !slices.Equal(at, []time.Duration{0, 90 * time.Second, 30 * time.Minute}) {
			t.Errorf("%v", at)
		}
	})
}

// Rates hold the run, a queue and single domains; a thread waits for them inside its connection.
func TestRatesHold(t *testing.T) {
	for name, o := range map[string]Options{
		"total":    {Rate: pace.Rate{N: 10, Per: time.Second}},
		"queue":    {General: QueueOptions{Rate: pace.Rate{N: 10, Per: time.Second}}},
		"domain":   {DomainRates: map[string]pace.Rate{"a.example": {N: 10, Per: time.Second}}},
		"wildcard": {DomainRates: map[string]pace.Rate{"*": {N: 10, Per: time.Second}, "b.example": {}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &fakeSender{}
				o.General.Sender = s
				r := newRig(t, o)
				end := r.start(context.Background())
				began := time.Now()
				r.submit("a.example", 101)
				r.d.Close()
				if err := end(); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < 10*time.Second || took > 10*time.Second+20*time.Millisecond {
					t.Errorf("101 messages took %s", took)
				}
				if s.serves > 110 {
					t.Errorf("%d calls of the sender", s.serves)
				}
			})
		})
	}
}

// A time that a journal remembered is waited for by the monotonic clock: setting the wall clock back does not put the mail
// off for as long.
func TestRememberedTimesOutliveClockChanges(t *testing.T) {
	r := newRig(t, Options{General: QueueOptions{Sender: &fakeSender{}}})
	r.d.now = time.Now()
	m := r.message("a.example")
	m.Next = r.d.now.Round(0).Add(90 * time.Second)
	r.d.accept([]*Message{m})
	at := r.d.queues[0].set.NextDue()
	if at == at.Round(0) || at.Sub(r.d.now) < 90*time.Second || at.Sub(r.d.now) > 100*time.Second {
		t.Errorf("due %s, now %s", at, r.d.now)
	}
}
