package delivery

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// letter is a content without bytes.
type letter string

func (l letter) Ref() string { return string(l) }
func (l letter) Open(context.Context, Form) (Body, error) {
	return nil, errors.New("no bytes")
}

// ledger is a journal in memory.
type ledger struct {
	mu       sync.Mutex
	intends  map[ID]int
	outcomes map[ID][]Outcome
	order    []Outcome
	mine     func(*Message, Outcome) bool
}

func newLedger() *ledger {
	return &ledger{intends: map[ID]int{}, outcomes: map[ID][]Outcome{}}
}

func (l *ledger) Intend(ms []*Message) func(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range ms {
		l.intends[m.ID]++
	}
	return func(context.Context) error { return nil }
}

func (l *ledger) Record(os []Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range os {
		l.outcomes[o.ID] = append(l.outcomes[o.ID], o)
	}
	l.order = append(l.order, os...)
}

func (l *ledger) Defer(m *Message, o Outcome) bool { return l.mine != nil && l.mine(m, o) }

// finals counts final outcomes by status.
func (l *ledger) finals() map[Status]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := map[Status]int{}
	for _, os := range l.outcomes {
		for _, o := range os {
			if o.Status.Final() {
				n[o.Status]++
			}
		}
	}
	return n
}

func (l *ledger) of(m *Message) []Outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.outcomes[m.ID]
}

// answer is what a fakeSender makes of a batch; nil outcomes are Sent.
type answer func(ctx context.Context, domain string, via int, b *Batch) []Outcome

// fakeSender pumps a feed, one batch at a time.
type fakeSender struct {
	room   int
	site   func(domain string, via int) (string, bool)
	answer answer

	mu      sync.Mutex
	domains map[string]int // messages by domain of the recipient
	serves  int
	busy    map[string]int // transactions by domain
	peak    map[string]int
	all     int // transactions
	most    int
	batches []int
}

func (s *fakeSender) Site(domain string, via int) (string, bool) {
	if s.site == nil {
		return "", false
	}
	return s.site(domain, via)
}

func (s *fakeSender) enter(b *Batch, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.domains == nil {
		s.domains, s.busy, s.peak = map[string]int{}, map[string]int{}, map[string]int{}
	}
	d := b.Messages[0].Domain
	s.busy[d] += by
	s.all += by
	s.peak[d] = max(s.peak[d], s.busy[d])
	s.most = max(s.most, s.all)
	if by > 0 {
		s.batches = append(s.batches, len(b.Messages))
		for _, m := range b.Messages {
			s.domains[m.Domain]++
		}
	}
}

func (s *fakeSender) Serve(ctx context.Context, domain string, via int, f Feed) error {
	s.mu.Lock()
	s.serves++
	s.mu.Unlock()
	for {
		b := f.Next(ctx, max(s.room, 1), true)
		if b == nil {
			return nil
		}
		s.enter(b, 1)
		var os []Outcome
		if s.answer != nil {
			os = s.answer(ctx, domain, via, b)
		}
		if os == nil {
			os = all(b, Outcome{Status: Sent, Code: 250, Stage: StageDot})
		}
		s.enter(b, -1)
		f.Done(os...)
	}
}

// all gives every message of b the outcome o.
func all(b *Batch, o Outcome) []Outcome {
	os := make([]Outcome, len(b.Messages))
	for i, m := range b.Messages {
		os[i] = o
		os[i].ID = m.ID
	}
	return os
}

// wait is how long a fake peer takes.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

var _ Sender = (*fakeSender)(nil)

// rig is a dispatcher under test.
type rig struct {
	t  testing.TB
	d  *Dispatcher
	j  *ledger
	n  int
	mu sync.Mutex
	ms map[ID]Message // as submitted, to revive from
}

func newRig(t testing.TB, o Options) *rig {
	t.Helper()
	r := &rig{t: t, j: newLedger(), ms: map[ID]Message{}}
	o.SpillDir = t.TempDir()
	if o.General.Name == "" {
		o.General.Name = "general"
	}
	if o.Connections == 0 {
		o.Connections = 20
	}
	o.Revive = r.revive
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.d = d
	return r
}

func (r *rig) revive(m *Message, ref string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	was, ok := r.ms[m.ID]
	if !ok || was.Content.Ref() != ref || was.Domain != m.Domain {
		return fmt.Errorf("not as it was submitted: %s %s", ref, m.Domain)
	}
	m.To, m.From, m.Content, m.Journal = was.To, was.From, was.Content, r.j
	return nil
}

// message makes the next message, of its own letter.
func (r *rig) message(domain string) *Message { return r.clone(domain, "") }

// clone makes the next message, of the letter ref.
func (r *rig) clone(domain, ref string) *Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	if ref == "" {
		ref = fmt.Sprint(r.n)
	}
	m := &Message{To: fmt.Sprintf("p%d@%s", r.n, domain), From: "ana@acme.example", Domain: domain, Content: letter(ref), Journal: r.j}
	m.ID.Run = 1
	binary.BigEndian.PutUint64(m.ID.Key[:], uint64(r.n))
	r.ms[m.ID] = *m
	return m
}

// submit submits n messages of a domain, each of its own letter.
func (r *rig) submit(domain string, n int) (ms []*Message) {
	r.t.Helper()
	for range n {
		m := r.message(domain)
		ms = append(ms, m)
		if err := r.d.Submit(context.Background(), m); err != nil {
			r.t.Error(err)
		}
	}
	return ms
}

// start runs the dispatcher; the function it gives waits for Run's end.
func (r *rig) start(ctx context.Context) (end func() error) {
	done := make(chan error, 1)
	go func() { done <- r.d.Run(ctx) }()
	return func() error { return <-done }
}
