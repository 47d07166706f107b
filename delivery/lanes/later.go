package lanes

import (
	"container/heap"
	"time"
)

// hold is a lane or a site that is not ready until then.
type hold[T any] struct {
	until time.Time
	lane  *Lane[T]
	site  *Site[T]
}

type holds[T any] []hold[T]

func (h holds[T]) Len() int           { return len(h) }
func (h holds[T]) Less(i, j int) bool { return h[i].until.Before(h[j].until) }
func (h holds[T]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *holds[T]) Push(x any)        { *h = append(*h, x.(hold[T])) }
func (h *holds[T]) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = hold[T]{}
	*h = (*h)[:len(*h)-1]
	return last
}
func (h *holds[T]) add(x hold[T]) { heap.Push(h, x) }

// bucket is what is due at one time: records with the key of their lane in front.
type bucket struct {
	at    time.Time
	chain chain
}

// buckets are in the order of time, found by it.
type buckets struct {
	heap   bucketHeap
	byTime map[int64]*bucket
	base   time.Time // what byTime counts seconds from, so that a change of the clock joins no two times that are not the same
}

func (b *buckets) second(at time.Time) int64 { return int64(at.Sub(b.base) / time.Second) }

type bucketHeap []*bucket

func (h bucketHeap) Len() int           { return len(h) }
func (h bucketHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h bucketHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *bucketHeap) Push(x any)        { *h = append(*h, x.(*bucket)) }
func (h *bucketHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}

func (b *buckets) get(at time.Time) *bucket {
	if b.byTime == nil {
		b.byTime, b.base = map[int64]*bucket{}, at
	}
	k := b.byTime[b.second(at)]
	if k == nil {
		k = &bucket{at: at}
		b.byTime[b.second(at)] = k
		heap.Push(&b.heap, k)
	}
	return k
}

// When rounds a time to try again up to its bucket's: the longer the wait the wider the bucket, a minute at most.
func When(now, at time.Time) time.Time {
	width := time.Minute
	switch wait := at.Sub(now); {
	case wait <= time.Minute:
		width = time.Second
	case wait <= 10*time.Minute:
		width = 10 * time.Second
	}
	wall := at.Round(0)
	if t := wall.Truncate(width); !t.Equal(wall) {
		return at.Add(t.Add(width).Sub(wall)) // at may carry a monotonic reading, which outlives a change of the clock
	}
	return at
}

// Later keeps a parcel until at, which When gave.
func (s *Set[T]) Later(at time.Time, k Key, xs ...T) error {
	b := s.buckets.get(at)
	for i, x := range xs {
		rec := s.store.record(k.Domain, x, i > 0)
		named := append([]byte{byte(k.Via), byte(len(k.Domain))}, k.Domain...) // a domain has at most 255 octets (RFC 1035 §2.3.4)
		room := 1 << 30
		if s.store.deferred >= memoryDeferred {
			room = s.store.spill()
		}
		if err := s.store.append(&b.chain, append(named, rec...), room); err != nil {
			return err
		}
		s.deferred++
		s.store.deferred++
	}
	return nil
}

// Wake lets go what was held until now, and brings back some n of what is due, whole parcels.
func (s *Set[T]) Wake(now time.Time, n int) error {
	for len(s.holds) > 0 && !s.holds[0].until.After(now) {
		h := heap.Pop(&s.holds).(hold[T])
		switch {
		case h.lane != nil && h.lane.until == h.until:
			h.lane.until, h.lane.paused = zero, false
			s.update(h.lane)
		case h.site != nil && h.site.until == h.until:
			h.site.until = zero
			h.site.update()
			s.dropSite(h.site)
		}
	}
	for ; len(s.buckets.heap) > 0; n-- {
		b := s.buckets.heap[0]
		if b.at.After(now) {
			return nil
		}
		if b.chain.n == 0 {
			heap.Pop(&s.buckets.heap)
			delete(s.buckets.byTime, s.buckets.second(b.at))
			continue
		}
		rec, err := s.store.peek(&b.chain)
		if err != nil {
			return err
		}
		if n <= 0 && !joins(rec) {
			return nil
		}
		if err := s.due(&b.chain, rec); err != nil {
			return err
		}
	}
	return nil
}

// joins tells that a bucket's record shares a parcel with the one before. Such a parcel is brought back whole: another
// one could come between, and what is left would pass for a part of that.
func joins(rec []byte) bool { return rec[2+int(rec[1])] != 0 }

// due moves the first record of a bucket to its lane.
func (s *Set[T]) due(c *chain, rec []byte) error {
	end := 2 + int(rec[1])
	l := s.lane(Key{Domain: string(rec[2:end]), Via: int(rec[0])})
	err := l.again(rec[end:])
	s.update(l)
	if err != nil {
		return err
	}
	s.deferred--
	s.store.deferred--
	return s.store.drop(c, len(rec))
}

// NextWake is when Wake has something to do; zero is never.
func (s *Set[T]) NextWake() time.Time {
	var at time.Time
	if len(s.holds) > 0 {
		at = s.holds[0].until
	}
	if due := s.NextDue(); !due.IsZero() && (at.IsZero() || due.Before(at)) {
		at = due
	}
	return at
}

// NextDue is when the first deferred item is due; zero is never.
func (s *Set[T]) NextDue() time.Time {
	if len(s.buckets.heap) == 0 {
		return zero
	}
	return s.buckets.heap[0].at
}
