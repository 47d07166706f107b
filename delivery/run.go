package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mailblast/mailblast/delivery/lanes"
	"github.com/mailblast/mailblast/delivery/panicked"
)

const (
	wakeAtOnce = 1024    // deferred messages a queue brings back in one go, so that calls are not kept waiting
	littleLeft = 256     // messages that could go soon; fewer, and a queue is hungry
	maxDomains = 1 << 16 // waiting domains at which sources stop reading on, as each takes memory
)

// Run delivers until Close was called and everything submitted has its final outcome; that is nil. *Paused: drained, or
// only later deferrals remain. *Halt: nothing can go out until a person has changed something. *panicked.Contained, alone or
// joined to these: threads panicked, and the others went on. Any other error: our side broke. Cutting ctx cuts what is in
// flight.
func (d *Dispatcher) Run(ctx context.Context) error {
	if d.started.given() {
		return errRunning
	}
	d.started.give()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.began = d.clock()
	for _, q := range d.queues {
		q.spawn(ctx)
	}
	if err := d.contained(ctx); err != nil {
		d.result = err
		d.crashed.give()
		d.stopped.give()
		cancel() // what is on the wire stays in doubt: nobody is left to take its outcome
	}
	d.threads.Wait()
	if err := d.store.Close(); err != nil && d.result == nil {
		d.result = fmt.Errorf("spill file: %w", err)
	}
	d.ended.give()
	return d.verdict()
}

// verdict is what Run returns.
func (d *Dispatcher) verdict() error {
	result, left := d.result, d.pausesLeft()
	if p := (*Paused)(nil); errors.As(result, &p) {
		p.Waiting, p.Pauses = d.outstanding, left
		if d.outstanding == 0 && d.closing.given() {
			result = nil // there was nothing left to pause for
		}
	}
	switch {
	case d.mishaps.Times == 0, errors.As(result, new(*panicked.Error)):
		return result
	case result == nil:
		return &d.mishaps
	}
	return errors.Join(result, &d.mishaps)
}

// contained is loop. Its error is a panic: of queues and counts, nothing is certain any more.
func (d *Dispatcher) contained(ctx context.Context) (err error) {
	defer panicked.Contain(&err)
	d.loop(ctx)
	return nil
}

// loop is the one goroutine that owns queues, lanes and counts: each turn takes one call, then lets go what may go.
func (d *Dispatcher) loop(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var armed time.Time
	cut, drain, closing := ctx.Done(), d.draining.c, d.closing.c
	for {
		d.now = d.clock()
		d.wake()
		d.schedule(ctx)
		if d.over(ctx) {
			return
		}
		d.feedSources()
		if at := d.nextWake(); !at.Equal(armed) {
			armed = at
			timer.Stop()
			if !at.IsZero() {
				timer.Reset(at.Sub(d.now))
			}
		}
		select {
		case call := <-d.calls:
			call()
		case <-timer.C:
			armed = time.Time{}
		case <-closing:
			closing = nil
		case <-drain:
			drain = nil
			d.stop(&Paused{})
		case <-cut:
			cut = nil
			d.stop(context.Cause(ctx))
		}
	}
}

// schedule finds threads for what is ready in the queues where something changed.
func (d *Dispatcher) schedule(ctx context.Context) {
	for again := true; again; {
		again = false
		for _, q := range d.queues {
			if !q.dirty {
				continue
			}
			again, q.dirty = true, false // a thread that ends makes room in the other queues
			q.unpark()
			if !d.stopping {
				q.assign(ctx)
			}
			q.trim()
		}
	}
}

// stop takes nothing more; what is in flight ends first. The first reason is the one Run returns.
func (d *Dispatcher) stop(reason error) {
	if !d.stopping {
		d.stopping, d.result = true, reason
		d.stopped.give()
	}
	d.touchAll()
}

// over tells that Run is done, and stops when there is nothing more to do.
func (d *Dispatcher) over(ctx context.Context) bool {
	if !d.stopping && d.flying == 0 && d.closing.given() {
		if d.outstanding == 0 {
			d.stop(nil)
		} else if at, only := d.onlyLater(); only {
			d.stop(&Paused{Next: at})
		}
		if d.stopping {
			d.schedule(ctx) // ends the threads
		}
	}
	return d.stopping && d.live == 0
}

// onlyLater tells that nothing may go soon: what waits is paused or deferred, and the first of these, which it gives, is too
// far away to wait for. It is zero when there are none.
func (d *Dispatcher) onlyLater() (first time.Time, only bool) {
	paused := 0
	for _, q := range d.queues {
		if q.set.Waiting() > q.set.Paused() {
			return first, false
		}
		paused += q.set.Paused()
		if at := q.set.NextDue(); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if first.IsZero() {
		return first, paused > 0
	}
	wait := d.o.Retry.Wait
	return first, wait > 0 && first.Sub(d.now) > wait
}

// wake brings back what is due.
func (d *Dispatcher) wake() {
	for _, q := range d.queues {
		at := q.set.NextWake()
		if !at.IsZero() && !at.After(d.now) {
			d.broke(q.set.Wake(d.now, wakeAtOnce))
			q.dirty = true
		}
		if !q.open.IsZero() && !q.open.After(d.now) {
			q.open, q.dirty = time.Time{}, true
		}
	}
}

func (d *Dispatcher) nextWake() (first time.Time) {
	if d.stopping {
		return first
	}
	for _, q := range d.queues {
		for _, at := range [...]time.Time{q.set.NextWake(), q.open} {
			if !at.IsZero() && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	return first
}

// broke stops the run when our own side failed.
func (d *Dispatcher) broke(err error) {
	if err != nil {
		d.stop(fmt.Errorf("queues: %w", err))
	}
}

func (d *Dispatcher) feedSources() {
	if len(d.waiters) == 0 || !d.hungry() {
		return
	}
	for _, w := range d.waiters {
		close(w)
	}
	d.waiters = d.waiters[:0]
}

// hungry tells that some queue has little left that could go now. What limits hold back does not count, so that one
// slow domain does not keep the others from being read.
func (d *Dispatcher) hungry() bool {
	some, domains, near := false, 0, 0
	for _, q := range d.queues {
		some = some || q.set.Near() < max(littleLeft, 2*q.max)
		domains += q.set.Domains()
		near += q.set.Near()
	}
	return some && (domains < maxDomains || near == 0)
}

// accept sorts the clones of one letter into parcels by queue and site, and puts each at the end of a lane.
func (d *Dispatcher) accept(ms []*Message) {
	d.outstanding += len(ms)
	for _, m := range ms {
		d.date(m)
	}
	if len(ms) == 1 {
		d.put(ms)
		return
	}
	type group struct {
		q    *queue
		site lanes.SiteKey
		from string
		next time.Time
	}
	at := map[group]int{}
	var parcels [][]*Message
	for _, m := range ms {
		q, k := d.place(m)
		g := group{q, q.siteOf(k), m.From, m.Next}
		i, ok := at[g]
		if !ok {
			i = len(parcels)
			at[g] = i
			parcels = append(parcels, nil)
		}
		parcels[i] = append(parcels[i], m)
	}
	for _, parcel := range parcels {
		d.put(parcel)
	}
}

// put puts a parcel at the end of its first message's lane, or keeps it until its time.
func (d *Dispatcher) put(parcel []*Message) {
	q, k := d.place(parcel[0])
	if wait := parcel[0].Next.Sub(d.now); wait > 0 {
		// Never past the longest wait, whatever the clock said before a restart, or says from now on.
		at := d.now.Add(min(wait, max(d.o.Retry.Max, ResendAfter)))
		d.broke(q.set.Later(lanes.When(d.now, at), k, parcel...))
	} else {
		d.broke(q.set.Push(k, parcel...))
	}
	q.dirty = true
}

// place says which queue and lane are a message's.
func (d *Dispatcher) place(m *Message) (*queue, lanes.Key) {
	via := m.Via
	if via != 1 || !d.o.Fallback {
		via = 0
	}
	return d.queueOf(m.Domain), lanes.Key{Domain: m.Domain, Via: via}
}

func (d *Dispatcher) queueOf(domain string) *queue {
	if q, ok := d.byDomain[domain]; ok {
		return q
	}
	return d.queues[len(d.queues)-1]
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
