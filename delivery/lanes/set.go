package lanes

import (
	"maps"
	"slices"
	"time"
)

// ahead is how many rounds of a capped lane count as near: a lane that can only send a few at once does not keep the
// source from reading on for the others, however much it holds.
const ahead = 32

// SiteKey names a group of domains that share a way out.
type SiteKey struct {
	Via   int
	Name  string
	Known bool // false: not learnt yet, Name is the domain
}

// Set is the lanes of one queue.
type Set[T any] struct {
	store    *Store[T]
	limit    int // parcels of one lane in flight at once; 0 is any number
	siteOf   func(Key) SiteKey
	lanes    map[Key]*Lane[T]
	sites    map[SiteKey]*Site[T]
	ring     ring[Site[T]]
	holds    holds[T]
	buckets  buckets
	waiting  int
	paused   int
	spilled  int
	deferred int
	slots    int
	near     int
	seq      uint64
}

// NewSet gives an empty set in store. At most limit parcels of one lane are in flight at once, 0 is any number. siteOf
// says which site a lane belongs to, as far as is known.
func NewSet[T any](store *Store[T], limit int, siteOf func(Key) SiteKey) *Set[T] {
	return &Set[T]{store: store, limit: limit, siteOf: siteOf, lanes: map[Key]*Lane[T]{}, sites: map[SiteKey]*Site[T]{}}
}

// Push puts a parcel at the end of its lane.
func (s *Set[T]) Push(k Key, xs ...T) error {
	l := s.lane(k)
	err := l.push(xs)
	s.update(l)
	return err
}

// Again puts a parcel that was tried before ahead of those that were not.
func (s *Set[T]) Again(k Key, xs ...T) error {
	l := s.lane(k)
	defer s.update(l)
	for i, x := range xs {
		if err := l.again(s.store.record(k.Domain, x, i > 0)); err != nil {
			return err
		}
	}
	return nil
}

// Take takes a parcel of l, at most n items, and counts it as in flight until Finish.
func (s *Set[T]) Take(l *Lane[T], n int) (Parcel[T], error) {
	p, err := l.take(n)
	l.flying++
	s.update(l)
	return p, err
}

// Back puts items of p in front of their lane again. It goes before Finish.
func (s *Set[T]) Back(p *Parcel[T], xs ...T) {
	p.Lane.back(xs, p.seq)
	s.update(p.Lane)
}

// Finish ends a parcel.
func (s *Set[T]) Finish(p *Parcel[T]) {
	p.Lane.flying--
	s.update(p.Lane)
}

// Hold keeps l from being ready until then.
func (s *Set[T]) Hold(l *Lane[T], until time.Time) {
	l.until = until
	s.holds.add(hold[T]{until: until, lane: l})
	s.update(l)
}

// Pause is Hold for a reason that only time or a person ends: what waits in l is counted apart, and nobody stays for it.
func (s *Set[T]) Pause(l *Lane[T], until time.Time) {
	l.paused = true
	s.Hold(l, until)
}

// Waiting is how many items wait in lanes.
func (s *Set[T]) Waiting() int { return s.waiting }

// Paused is how many of those wait in lanes that Pause holds.
func (s *Set[T]) Paused() int { return s.paused }

// Each gives every lane that has items and how many.
func (s *Set[T]) Each(f func(k Key, n int)) {
	for k, l := range s.lanes {
		if l.counted > 0 {
			f(k, l.counted)
		}
	}
}

// Deferred is how many items wait for their time.
func (s *Set[T]) Deferred() int { return s.deferred }

// Slots is how many parcels could go now if there were threads enough.
func (s *Set[T]) Slots() int { return s.slots }

// Near is how many items could go soon: those of lanes that nothing holds back.
func (s *Set[T]) Near() int { return s.near }

// Domains is how many lanes there are.
func (s *Set[T]) Domains() int { return len(s.lanes) }

// Spilled is how many of those in lanes wait as records.
func (s *Set[T]) Spilled() int { return s.spilled }

// First gives the site that Pick will give, without going on; nil when there is none.
func (s *Set[T]) First() *Site[T] {
	if s.ring.at == nil {
		return nil
	}
	return s.ring.at.owner
}

// Pick gives the next site that has more ready than hands; nil when there is none.
func (s *Set[T]) Pick() *Site[T] { return s.ring.turn() }

// Others tells that a site beside this one waits for a hand.
func (s *Set[T]) Others(than *Site[T]) bool {
	n := s.ring.at
	return n != nil && (n.owner != than || n.next != n)
}

// Regroup asks anew which site each lane belongs to.
func (s *Set[T]) Regroup() {
	for _, l := range slices.Collect(maps.Values(s.lanes)) {
		s.regroup(l)
	}
}

func (s *Set[T]) regroup(l *Lane[T]) {
	k := s.siteOf(l.Key)
	old := l.site
	if k == old.SiteKey {
		return
	}
	old.leave(l)
	s.site(k).join(l)
	s.update(l)
	s.dropSite(old)
}

func (s *Set[T]) lane(k Key) *Lane[T] {
	l := s.lanes[k]
	if l == nil {
		l = &Lane[T]{Key: k, set: s}
		l.ring.owner = l
		s.lanes[k] = l
		s.site(s.siteOf(k)).join(l)
		s.store.lanes++
	}
	return l
}

func (s *Set[T]) site(k SiteKey) *Site[T] {
	t := s.sites[k]
	if t == nil {
		t = &Site[T]{SiteKey: k, set: s}
		t.ring.owner = t
		s.sites[k] = t
	}
	return t
}

// update counts l anew, after any change, and drops it when nothing is left of it.
func (s *Set[T]) update(l *Lane[T]) {
	n := l.Len()
	s.waiting += n - l.counted
	l.site.waiting += n - l.counted
	l.counted = n
	s.pause(l)
	s.spilled += l.records() - l.spilled
	l.spilled = l.records()
	slots, near := n, n
	if s.limit > 0 {
		slots, near = min(n, s.limit-l.flying), min(n, s.limit*ahead)
	}
	if slots <= 0 || l.until != zero {
		slots, near = 0, 0
	}
	s.slots += slots - l.slots
	s.near += near - l.near
	l.site.slots += slots - l.slots
	l.slots, l.near = slots, near
	if slots > 0 {
		l.site.ready.add(&l.ring)
	} else {
		l.site.ready.remove(&l.ring)
	}
	l.site.update()
	if n == 0 && l.flying == 0 && l.until == zero {
		site := l.site
		site.leave(l)
		delete(s.lanes, l.Key)
		s.store.lanes--
		s.dropSite(site)
	}
}

// pause counts anew what l holds while it is paused.
func (s *Set[T]) pause(l *Lane[T]) {
	n := 0
	if l.paused {
		n = l.counted
	}
	s.paused += n - l.held
	l.site.paused += n - l.held
	l.held = n
}

func (s *Set[T]) dropSite(t *Site[T]) {
	if t.members == 0 && t.hands == 0 && t.until == zero && s.sites[t.SiteKey] == t {
		delete(s.sites, t.SiteKey)
	}
}
