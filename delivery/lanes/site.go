package lanes

import "time"

// Site is the lanes that share a way out, so that one connection can serve them all.
type Site[T any] struct {
	SiteKey
	Fruitless int // calls in a row that led to nothing; the caller counts
	set       *Set[T]
	ring      node[Site[T]]
	ready     ring[Lane[T]]
	members   int // lanes, ready or not
	waiting   int // items in them
	paused    int // of these, items in lanes that are paused
	slots     int // parcels that could go now
	hands     int // threads on it that have no parcel in flight
	until     time.Time
}

// Lane gives the next ready lane, each in turn; nil when there is none.
func (t *Site[T]) Lane() *Lane[T] { return t.ready.turn() }

// First gives the lane that comes next without going on.
func (t *Site[T]) First() *Lane[T] {
	if t.ready.at == nil {
		return nil
	}
	return t.ready.at.owner
}

// Blocked tells that items wait and that they are held back by limits alone.
func (t *Site[T]) Blocked() bool { return t.waiting > t.paused && t.until == zero }

// Enter and Leave count threads that are on the site and have nothing in flight: each will take a parcel, so only what
// is ready beyond them needs more threads.
func (t *Site[T]) Enter() {
	t.hands++
	t.update()
}

// Leave is the opposite of Enter.
func (t *Site[T]) Leave() {
	t.hands--
	t.update()
	t.set.dropSite(t)
}

// Hold keeps the whole site from being picked until then.
func (t *Site[T]) Hold(until time.Time) {
	t.until = until
	t.set.holds.add(hold[T]{until: until, site: t})
	t.update()
}

// Free ends Hold.
func (t *Site[T]) Free() {
	t.until = zero
	t.update()
}

// Relearn asks anew which site the lanes belong to, if that was not known.
func (t *Site[T]) Relearn() {
	if t.Known {
		return
	}
	for via := range 2 {
		if l := t.set.lanes[Key{t.Name, via}]; l != nil && l.site == t {
			t.set.regroup(l)
		}
	}
}

func (t *Site[T]) update() {
	if t.slots > t.hands && t.until == zero {
		t.set.ring.add(&t.ring)
	} else {
		t.set.ring.remove(&t.ring)
	}
}

func (t *Site[T]) join(l *Lane[T]) {
	l.site = t
	t.members++
	t.waiting += l.counted
	t.paused += l.held
}

func (t *Site[T]) leave(l *Lane[T]) {
	t.ready.remove(&l.ring)
	t.slots -= l.slots
	l.set.slots -= l.slots
	l.set.near -= l.near
	l.slots, l.near = 0, 0
	t.members--
	t.waiting -= l.counted
	t.paused -= l.held
	t.update()
}
