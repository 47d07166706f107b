package delivery

import (
	"context"
	"time"

	"github.com/mailblast/mailblast/delivery/lanes"
	"github.com/mailblast/mailblast/delivery/pace"
)

// A thread that has had its turn on a site gives it up when another waits and no thread is free.
const (
	turnBatches = 20
	turnTime    = time.Second
)

// queue is one queue and its pool of threads. Run's goroutine owns it.
type queue struct {
	o       QueueOptions
	d       *Dispatcher
	set     *lanes.Set[*Message]
	limit   *pace.Limiter
	max     int
	target  int // threads it may have while there are too few for all
	live    int // threads
	leaving int // threads that were told to end
	flying  int // messages with the Sender
	idle    []*thread
	parked  []*thread // waiting in Feed.Next
	dirty   bool      // something changed: there may be work for a thread
	open    time.Time // when a rate lets the next message go; zero: now
}

func newQueue(d *Dispatcher, o QueueOptions) *queue {
	q := &queue{o: o, d: d, limit: pace.NewLimiter(o.Rate), max: d.o.Connections}
	if o.Connections > 0 {
		q.max = min(q.max, o.Connections)
	}
	q.set = lanes.NewSet(d.store, o.PerDomain, q.siteOf)
	return q
}

// siteOf asks the Sender which site a lane belongs to, on the way its messages really go.
func (q *queue) siteOf(k lanes.Key) lanes.SiteKey {
	via := q.d.way(k.Via)
	if name, known := q.o.Sender.Site(k.Domain, via); known {
		return lanes.SiteKey{Via: via, Name: name, Known: true}
	}
	return lanes.SiteKey{Via: via, Name: k.Domain}
}

// way is via, or the other one when that is halted.
func (d *Dispatcher) way(via int) int {
	if d.o.Fallback && d.halted[via] != nil {
		return 1 - via
	}
	return via
}

func (d *Dispatcher) touchAll() {
	for _, q := range d.queues {
		q.dirty = true
	}
}

// unpark answers the threads that wait in Feed.Next and can go on, or must not wait any longer.
func (q *queue) unpark() {
	still := q.parked[:0]
	for _, t := range q.parked {
		b, end := q.d.grant(t, t.room)
		if b == nil && !end && t.site.Blocked() {
			still = append(still, t)
			continue
		}
		t.reply <- b
	}
	clear(q.parked[len(still):])
	q.parked = still
}

// assign gives each site that waits a thread, as far as there are any.
func (q *queue) assign(ctx context.Context) {
	for s := q.set.First(); s != nil && q.mayGo(s.Via); s = q.set.First() {
		if l := s.First(); q.tooFast(l, l.Domain) || q.shut(l) {
			continue
		}
		t := q.free(ctx)
		if t == nil {
			return
		}
		t.enter(q.set.Pick())
	}
}

// mayGo tells that the rates of the run and the queue, and the breaker of the way, let a message go now; if not, the queue
// is looked at again then.
func (q *queue) mayGo(via int) bool {
	now := q.d.now
	at := q.d.total.Next(now)
	if own := q.limit.Next(now); own.After(at) {
		at = own
	}
	if shut := q.d.wayShut(via); shut.After(at) {
		at = shut
	}
	if !at.After(now) {
		return true
	}
	q.open = at
	return false
}

// tooFast holds l back if the rate of domain does not let a message go now.
func (q *queue) tooFast(l *lanes.Lane[*Message], domain string) bool {
	at := q.d.domains.of(domain, q.d.now).Next(q.d.now)
	if !at.After(q.d.now) {
		return false
	}
	q.set.Hold(l, at)
	return true
}

// free gives a thread that has nothing to do, if need be a new one; nil when the queue can have no more now.
func (q *queue) free(ctx context.Context) *thread {
	d := q.d
	if d.contended {
		d.resize()
	}
	if len(q.idle) == 0 && q.live < q.max && d.live < d.o.Connections && (!d.contended || q.live-q.leaving < q.target) {
		q.spawn(ctx)
	}
	if n := len(q.idle); n > 0 {
		t := q.idle[n-1]
		q.idle = q.idle[:n-1]
		return t
	}
	if n := len(q.parked); n > 0 { // it is needed elsewhere
		q.parked[0].reply <- nil
		q.parked = append(q.parked[:0], q.parked[1:]...)
	} else if q.live < q.max {
		d.reclaim()
	}
	return nil
}

// spawn starts a thread; it is idle.
func (q *queue) spawn(ctx context.Context) {
	t := &thread{d: q.d, q: q, work: make(chan assignment, 1), reply: make(chan *grant, 1), hands: map[ID]hand{}}
	q.live++
	q.d.live++
	q.idle = append(q.idle, t)
	q.d.threads.Add(1)
	go t.run(ctx)
}

// trim ends threads that have nothing to do: all but the reserved one, and that too when the run stops.
func (q *queue) trim() {
	for n := len(q.idle); n > 0 && (q.d.stopping || q.live > 1); n-- {
		t := q.idle[n-1]
		q.idle = q.idle[:n-1]
		q.end(t)
	}
}

func (q *queue) end(t *thread) {
	close(t.work)
	q.live--
	q.d.live--
	if q.d.live == q.d.o.Connections-1 {
		q.d.touchAll() // there were none left for the others
	}
}

// resize says how many threads each queue may have while some queue wants one and there is none left.
func (d *Dispatcher) resize() {
	for i, q := range d.queues {
		busy := q.live - len(q.idle)
		need := busy
		if q.set.First() != nil {
			need += q.set.Slots()
		}
		d.claims[i] = pace.Claim{Depth: q.set.Waiting() + q.flying, Need: min(q.max, need)}
	}
	pace.Share(d.o.Connections, d.claims, d.shares)
	d.contended = false
	for i, q := range d.queues {
		q.target = d.shares[i]
		if q.live < q.target && len(q.idle) == 0 && q.set.First() != nil {
			d.contended = true
		}
	}
}

// reclaim has parked threads of queues that have more than their share come back.
func (d *Dispatcher) reclaim() {
	d.resize()
	for _, q := range d.queues {
		for len(q.parked) > 0 && q.over(q.parked[0]) {
			q.parked[0].reply <- nil
			q.parked = append(q.parked[:0], q.parked[1:]...)
		}
	}
}

// over tells that t must end since its queue has more than its share; it is counted as leaving then.
func (q *queue) over(t *thread) bool {
	if !t.leaving && q.d.contended && q.live-q.leaving > q.target {
		t.leaving = true
		q.leaving++
	}
	return t.leaving
}

// ends tells that t has had its turn: the run stops, its queue has too many threads, or another site waits for one.
func (q *queue) ends(t *thread) bool {
	d := q.d
	if d.contended {
		d.resize()
	}
	if d.stopping || q.over(t) {
		return true
	}
	if t.batches < turnBatches && d.now.Sub(t.since) < turnTime {
		return false
	}
	full := q.live >= q.max || d.live >= d.o.Connections
	return full && len(q.idle) == 0 && q.set.Others(t.site)
}

// grant gives t the next parcel of its site that may go now. end tells that its turn is over.
func (d *Dispatcher) grant(t *thread, room int) (g *grant, end bool) {
	q := t.q
	if q.ends(t) {
		return nil, true
	}
	for q.mayGo(t.site.Via) {
		l := t.site.Lane()
		if l == nil {
			return nil, false
		}
		if q.tooFast(l, l.Domain) || q.shut(l) {
			continue
		}
		n := d.total.Allow(d.now, room)
		n = q.limit.Allow(d.now, n)
		n = d.domains.of(l.Domain, d.now).Allow(d.now, n)
		p, err := q.set.Take(l, n)
		if err != nil {
			d.broke(err)
			q.set.Finish(&p)
			return nil, true
		}
		if ms := q.fit(t, &p); len(ms) > 0 {
			return t.take(p, ms), false
		}
		q.set.Finish(&p)
	}
	return nil, false
}

// fit gives those of p that may go in one transaction now, and takes their tokens. A parcel can hold other domains than
// its lane's, of the same site as far as was known; what does not fit goes back. Whatever a parcel holds, two letters never
// share a transaction.
func (q *queue) fit(t *thread, p *lanes.Parcel[*Message]) (ms []*Message) {
	d := q.d
	for i, m := range p.Items {
		k := lanes.Key{Domain: m.Domain, Via: p.Lane.Via}
		if m.Domain != p.Lane.Domain && q.siteOf(k) != t.site.SiteKey {
			d.broke(q.set.Again(k, m))
			continue
		}
		if len(ms) > 0 && m.Content.Ref() != ms[0].Content.Ref() {
			q.set.Back(p, p.Items[i:]...)
			break
		}
		limit := d.domains.of(m.Domain, d.now)
		if limit.Allow(d.now, 1) == 0 {
			if i == 0 {
				q.set.Hold(p.Lane, limit.Next(d.now))
			}
			q.set.Back(p, p.Items[i:]...)
			break
		}
		if !q.admit(m, t.site.Via) {
			if m.Domain != p.Lane.Domain {
				d.broke(q.set.Again(k, m))
				continue
			}
			q.set.Back(p, p.Items[i:]...)
			break
		}
		limit.Take(d.now, 1)
		ms = append(ms, m)
	}
	d.total.Take(d.now, len(ms))
	q.limit.Take(d.now, len(ms))
	return ms
}
