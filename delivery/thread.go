package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mailblast/mailblast/delivery/lanes"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// thread is one goroutine of a queue's pool, and the Feed of the Sender it calls. What follows reply is owned by Run's
// goroutine.
type thread struct {
	d     *Dispatcher
	q     *queue
	work  chan assignment // closed: the thread ends
	reply chan *grant     // one for each call of Next

	site    *lanes.Site[*Message]
	hands   map[ID]hand // messages with the Sender
	flights int         // batches with the Sender
	batches int         // so far on this site
	asked   bool        // the Sender called Next
	moved   bool        // some message got an outcome
	since   time.Time
	room    int // of the call of Next that is parked
	leaving bool
}

// assignment is what a thread is to do next.
type assignment struct {
	domain string
	via    int
}

// hand is a message with the Sender.
type hand struct {
	m     *Message
	f     *flight
	fresh bool // it was never tried before
	trial bool // of something that was paused
}

// flight is a batch with the Sender.
type flight struct {
	parcel lanes.Parcel[*Message]
	left   int         // messages without outcome
	armed  atomic.Bool // its intent was awaited: the dot may have been written
}

// grant is what Next makes a batch of.
type grant struct {
	f  *flight
	ms []*Message
}

func (t *thread) run(ctx context.Context) {
	defer t.d.threads.Done()
	for {
		select {
		case a, ok := <-t.work:
			if !ok {
				return
			}
			err := t.serve(ctx, a)
			if !t.d.call(func() { t.d.served(t, a, err) }) {
				return
			}
		case <-t.d.crashed.c:
			return
		}
	}
}

// serve calls the Sender; a panic there costs its messages one try, not the run.
func (t *thread) serve(ctx context.Context, a assignment) (err error) {
	defer panicked.Contain(&err)
	return t.q.o.Sender.Serve(ctx, a.domain, a.via, t)
}

// next answers t's call of Next, or parks it until our own limits let something go.
func (d *Dispatcher) next(t *thread, room int, wait bool) {
	t.asked, t.room = true, max(room, 1)
	g, end := d.grant(t, t.room)
	// A Sender that waits with batches in flight would wait for itself when these use up the limit.
	if g == nil && !end && wait && t.flights == 0 && t.site.Blocked() && !t.q.set.Others(t.site) {
		t.q.parked = append(t.q.parked, t)
		return
	}
	t.reply <- g
}

// withdraw answers t's call of Next if it is parked still.
func (d *Dispatcher) withdraw(t *thread) {
	for i, p := range t.q.parked {
		if p == t {
			t.q.parked = append(t.q.parked[:i], t.q.parked[i+1:]...)
			t.reply <- nil
			return
		}
	}
}

// enter sets t to work on a site.
func (t *thread) enter(s *lanes.Site[*Message]) {
	t.site, t.since = s, t.d.now
	t.batches, t.asked, t.moved = 0, false, false
	domain := s.First().Domain
	s.Enter()
	t.work <- assignment{domain: domain, via: s.Via}
}

// take counts ms as being with t's Sender.
func (t *thread) take(p lanes.Parcel[*Message], ms []*Message) *grant {
	f := &flight{parcel: p, left: len(ms)}
	for _, m := range ms {
		h := hand{m: m, f: f, fresh: m.First.IsZero(), trial: t.q.trial(m, t.site.Via)}
		if h.fresh {
			m.First, m.since = t.d.now, t.d.elapsed()
		}
		m.Via = t.site.Via
		t.hands[m.ID] = h
	}
	t.batches++
	if t.flights++; t.flights == 1 {
		t.site.Leave()
	}
	t.q.flying += len(ms)
	t.d.flying += len(ms)
	return &grant{f: f, ms: ms}
}

// drop counts one message as no longer with t's Sender.
func (t *thread) drop(h hand) {
	t.q.flying--
	t.d.flying--
	t.q.dirty = true
	if h.f.left--; h.f.left > 0 {
		return
	}
	if t.flights--; t.flights == 0 {
		t.site.Enter() // before the lane is counted as free: t comes back for it
	}
	t.q.set.Finish(&h.f.parcel)
}

// untake gives a message's tokens back.
func (t *thread) untake(m *Message) {
	t.d.total.Return(t.d.now, 1)
	t.q.limit.Return(t.d.now, 1)
	t.d.domains.of(m.Domain, t.d.now).Return(t.d.now, 1)
}

// served takes t back from its Sender.
func (d *Dispatcher) served(t *thread, a assignment, err error) {
	p := (*panicked.Error)(nil)
	if errors.As(err, &p) {
		d.mishap(t.q, a, p)
	}
	d.sweep(t, a, p)
	site := t.site
	if t.moved && p == nil {
		site.Fruitless = 0
		site.Free() // another thread found no room beside t, and there may be some now
	} else if !t.asked || t.batches > 0 || p != nil {
		d.backOff(site)
	}
	t.site = nil
	site.Leave()
	site.Relearn()
	if err != nil && p == nil {
		d.failed(t.q, a, err)
	}
	t.q.dirty = true
	if t.leaving {
		t.q.leaving--
		t.q.end(t)
		return
	}
	t.q.idle = append(t.q.idle, t)
}

// backOff leaves a site alone for a while whose Sender did nothing with what it was given.
func (d *Dispatcher) backOff(s *lanes.Site[*Message]) {
	wait := min(100*time.Millisecond<<min(s.Fruitless, 10), time.Minute)
	s.Fruitless++
	s.Hold(d.now.Add(wait))
}

// failed judges the error of a Sender: the other way is taken where there is one, else the run stops.
func (d *Dispatcher) failed(q *queue, a assignment, err error) {
	if d.stopping && errors.Is(err, context.Canceled) {
		return // it was cut
	}
	h := (*Halt)(nil)
	if !errors.As(err, &h) {
		d.stop(fmt.Errorf("queue %s: %s: %w", q.o.Name, a.domain, err))
		return
	}
	if h.Stage == StageAuth && d.halted[a.via] == nil {
		d.refusedLogin(a.via, h)
	}
	d.closeWay(a.via, h, err)
}

// closeWay has everything go the other way, where there is one that is open; else the run stops with err.
func (d *Dispatcher) closeWay(via int, h *Halt, err error) {
	if !d.o.Fallback || d.halted[1-via] != nil {
		d.stop(err)
		return
	}
	if d.halted[via] == nil {
		d.o.Log.Warn("this way is closed, everything goes the other", "via", via, "reason", h.Error())
		d.halted[via] = h
		for _, each := range d.queues {
			each.set.Regroup()
		}
		d.touchAll()
	}
}
