package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery/lanes"
	"github.com/mailblast/mailblast/delivery/pace"
	"pgregory.net/rapid"
)

// wild is a Sender that does everything a Sender may: windows of several batches, outcomes in any order, time, early
// returns.
type wild struct {
	mu     sync.Mutex
	random *rand.Rand
	sites  int
	cap    int
	block  int // of a hundred messages, so many are refused since they are ours
	busy   map[string]int
	took   []time.Time // a message each
	back   []time.Time // a message each that was not tried
	faults []string
}

func (s *wild) Site(domain string, _ int) (string, bool) {
	if s.sites == 0 {
		return "", false
	}
	return fmt.Sprint("site", int(domain[1])%s.sites), true
}

func (s *wild) roll(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

func (s *wild) count(b *Batch, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := b.Messages[0]
	lane := fmt.Sprint(m.Domain, m.Via)
	if s.busy[lane] += by; s.cap > 0 && s.busy[lane] > s.cap {
		s.faults = append(s.faults, fmt.Sprintf("%d transactions of %s", s.busy[lane], lane))
	}
	for _, x := range b.Messages {
		if x.Content.Ref() != m.Content.Ref() || x.From != m.From || x.Via != m.Via || x.To == "" || x.First.IsZero() {
			s.faults = append(s.faults, fmt.Sprintf("in one batch: %+v, %+v", m, x))
		}
		if by > 0 {
			s.took = append(s.took, time.Now())
		}
	}
}

func (s *wild) Serve(ctx context.Context, _ string, via int, f Feed) error {
	var window []*Batch
	settle := func() {
		for len(window) > 0 {
			i := s.roll(len(window))
			b := window[i]
			window = append(window[:i], window[i+1:]...)
			if s.roll(4) == 0 {
				wait(ctx, time.Duration(s.roll(30_000))*time.Millisecond)
			}
			s.count(b, -1)
			f.Done(s.outcomes(ctx, b)...)
		}
	}
	for n := s.roll(30); n >= 0; n-- {
		b := f.Next(ctx, 1+s.roll(5), len(window) == 0)
		if b != nil {
			s.count(b, 1)
			window = append(window, b)
			if b.Messages[0].Via != via {
				s.faults = append(s.faults, "a message of the other way")
			}
		}
		if b == nil && len(window) == 0 {
			break
		}
		if b == nil || len(window) > s.roll(5) {
			settle()
		}
	}
	settle()
	return nil
}

func (s *wild) outcomes(ctx context.Context, b *Batch) (os []Outcome) {
	for _, m := range b.Messages {
		o := []Outcome{sent, sent, sent, softRcpt, greyRcpt, deadHost, refused, lost, {Status: NotTried}}[s.roll(9)]
		if s.roll(100) < s.block {
			o = blockedRcpt
		}
		if ctx.Err() != nil {
			o = []Outcome{lost, {Status: NotTried}}[s.roll(2)]
		}
		if o.ID = m.ID; o.Status != NotTried {
			_ = b.Intent(ctx)
		}
		if o.Status == NotTried {
			s.mu.Lock()
			s.back = append(s.back, time.Now())
			s.mu.Unlock()
		}
		os = append(os, o)
	}
	return os
}

// Whatever is submitted, whatever comes of it, whenever the run is drained or cut: every message has exactly one final
// outcome or is counted as waiting; caps and rates hold.
func TestEveryMessageEndsOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sender := func(name string) *wild {
			return &wild{random: rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, name), 1)), sites: rapid.IntRange(0, 2).Draw(rt, "sites"),
				cap: rapid.IntRange(0, 3).Draw(rt, "cap"), block: rapid.SampledFrom([]int{0, 0, 10, 90}).Draw(rt, "block"), busy: map[string]int{}}
		}
		general, own := sender("general"), sender("own")
		if general.sites > 0 || own.sites > 0 {
			general.cap, own.cap = 0, 0 // a lane may carry other domains of its site, which this count cannot see
		}
		rate := pace.Rate{N: float64(rapid.SampledFrom([]int{0, 5, 300}).Draw(rt, "rate")), Per: time.Second}
		o := Options{
			Connections: rapid.IntRange(2, 12).Draw(rt, "connections"), Memory: rapid.SampledFrom([]int64{1, 4096, 1 << 20}).Draw(rt, "memory"),
			Rate: rate, Fallback: rapid.Bool().Draw(rt, "fallback"), Direct: rapid.Bool().Draw(rt, "direct"), Resend: rapid.Bool().Draw(rt, "resend"),
			Retry:   pace.Retry{Jitter: rapid.Bool().Draw(rt, "jitter"), Wait: rapid.SampledFrom([]time.Duration{0, 90 * time.Second}).Draw(rt, "wait")},
			Random:  rand.New(rand.NewPCG(1, 2)),
			General: QueueOptions{Sender: general, PerDomain: general.cap},
			Queues:  []QueueOptions{{Name: "own", Domains: []string{"d0.example", "d1.example"}, Sender: own, PerDomain: own.cap}},
		}
		letters := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 5), 1, 4), 0, 150).Draw(rt, "letters")
		end := rapid.SampledFrom([]string{"close", "close", "drain", "cut"}).Draw(rt, "end")
		after := time.Duration(rapid.IntRange(0, 120).Draw(rt, "after")) * time.Second
		synctest.Test(t, func(t *testing.T) { endsOnce(t, rt, o, letters, end, after) })
		checkPace(rt, rate, append(general.took, own.took...), append(general.back, own.back...))
		for _, fault := range append(general.faults, own.faults...) {
			rt.Error(fault)
		}
	})
}

func endsOnce(t *testing.T, rt *rapid.T, o Options, letters [][]int, end string, after time.Duration) {
	r := newRig(t, o)
	ctx, cut := context.WithCancel(context.Background())
	defer cut()
	done := r.start(ctx)
	for i, domains := range letters {
		var ms []*Message
		for _, d := range domains {
			ms = append(ms, r.clone(fmt.Sprintf("d%d.example", d), fmt.Sprint("letter ", i)))
		}
		if err := r.d.Submit(ctx, ms...); err != nil {
			rt.Fatal(err)
		}
	}
	switch time.Sleep(after); end {
	case "drain":
		r.d.Drain()
	case "cut":
		cut()
	}
	r.d.Close()
	err := done()
	waiting, p := 0, (*Paused)(nil)
	switch {
	case errors.As(err, &p):
		waiting = p.Waiting
	case errors.Is(err, context.Canceled) && end == "cut":
		waiting = r.d.outstanding
	case err != nil:
		rt.Fatal(err)
	}
	inQueues := 0
	for _, s := range r.d.Stats() {
		inQueues += s.Waiting + s.Deferred
		if s.InFlight != 0 || s.Threads != 0 {
			rt.Errorf("left over: %+v", s)
		}
	}
	if inQueues != waiting {
		rt.Errorf("%d wait, %d are in queues", waiting, inQueues)
	}
	ended := 0
	for id := range r.ms {
		ended += finals(rt, r.j.outcomes[id], o.Resend)
	}
	if ended+waiting != len(r.ms) {
		rt.Errorf("%d ended and %d waiting of %d", ended, waiting, len(r.ms))
	}
}

// finals tells that a message has ended, and checks that nothing came after that.
func finals(rt *rapid.T, os []Outcome, resend bool) int {
	for i, o := range os {
		if !o.Status.Final() {
			continue
		}
		if again := lanes.When(o.At, o.At.Add(ResendAfter)); o.Status == Unknown && resend && again.Sub(o.First) <= 4*time.Hour {
			continue
		}
		if i < len(os)-1 {
			rt.Errorf("after %v came %v", o.Status, os[i+1].Status)
		}
		return 1
	}
	return 0
}

// checkPace checks that in no window more went than the rate allows in it, one small burst, and what was given back.
func checkPace(rt *rapid.T, rate pace.Rate, took, back []time.Time) {
	if rate.IsZero() {
		return
	}
	slices.SortFunc(took, time.Time.Compare)
	for i := range took {
		for j := i; j < len(took); j++ {
			returned := 0
			for _, at := range back {
				if !at.Before(took[i]) && !at.After(took[j]) {
					returned++
				}
			}
			window := took[j].Sub(took[i]) + 50*time.Millisecond
			if most := rate.N*window.Seconds() + 1 + float64(returned); float64(j-i+1) > most {
				rt.Fatalf("%d in %s at %v", j-i+1, window, rate)
			}
		}
	}
}

// silent is a journal that notes nothing.
type silent struct{}

func (silent) Intend([]*Message) func(context.Context) error {
	return func(context.Context) error { return nil }
}
func (silent) Record([]Outcome)             {}
func (silent) Defer(*Message, Outcome) bool { return false }

// BenchmarkDispatch is the dispatcher's own cost a message: submit, lane, thread, outcome.
func BenchmarkDispatch(b *testing.B) {
	d, err := New(Options{
		Connections: 20, SpillDir: b.TempDir(), Revive: func(m *Message, ref string) error {
			m.Content, m.Journal = letter(ref), silent{}
			return nil
		},
		General: QueueOptions{Name: "general", PerDomain: 3, Sender: faulty(func(ctx context.Context, _ int, f Feed) error {
			serveAll(ctx, f)
			return nil
		})},
	})
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- d.Run(context.Background()) }()
	domains := make([]string, 1000)
	for i := range domains {
		domains[i] = fmt.Sprintf("d%d.example", i)
	}
	b.ReportAllocs()
	for i := range b.N {
		if i%256 == 0 {
			if err := d.Hungry(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		m := &Message{To: "p@d.example", Domain: domains[i%len(domains)], Content: letter("x"), Journal: silent{}}
		m.ID.Run = uint64(i)
		if err := d.Submit(context.Background(), m); err != nil {
			b.Fatal(err)
		}
	}
	d.Close()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
