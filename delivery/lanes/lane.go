package lanes

import (
	"slices"
	"time"
)

// Lane is what waits for one domain, in order: put back, due again, in memory, spilled.
type Lane[T any] struct {
	Key
	set     *Set[T]
	site    *Site[T]
	ring    node[Lane[T]]
	front   []put[T]  // put back, last one first
	mem     []slot[T] // from start on
	start   int
	due     *chain // tried before
	tail    *chain // spilled
	bytes   int64  // of front and mem
	flying  int    // parcels taken and not finished
	until   time.Time
	paused  bool // until then, and apart from what limits hold
	slots   int  // parcels that could go now, as last counted
	near    int  // of those, what counts for Near
	counted int  // items, as last counted
	held    int  // of those, paused ones
	spilled int  // of those, records
}

// slot is an item in memory; joined tells that it shares a parcel with the one before.
type slot[T any] struct {
	x      T
	joined bool
}

// put is an item that was put back; seq is when its parcel was first taken.
type put[T any] struct {
	x   T
	seq uint64
}

// Parcel is what Take gave: items that may share a transaction.
type Parcel[T any] struct {
	Lane  *Lane[T]
	Items []T
	seq   uint64
}

// Len is how many items wait.
func (l *Lane[T]) Len() int {
	return len(l.front) + len(l.mem) - l.start + l.records()
}

// records is how many of them wait as records.
func (l *Lane[T]) records() (n int) {
	if l.due != nil {
		n += l.due.n
	}
	if l.tail != nil {
		n += l.tail.n
	}
	return n
}

func (l *Lane[T]) push(xs []T) error {
	s := l.set.store
	for i, x := range xs {
		size := int64(s.codec.Size(x))
		if (l.tail == nil || l.tail.n == 0) && s.fits(l.bytes, size) {
			l.mem = append(l.mem, slot[T]{x, i > 0})
			l.bytes += size
			s.used += size
			continue
		}
		if l.tail == nil {
			l.tail = &chain{}
		}
		if err := s.append(l.tail, s.record(l.Domain, x, i > 0), s.spill()); err != nil {
			return err
		}
	}
	return nil
}

// back puts items in front of all that was never taken, in the order in which their parcels were first taken.
func (l *Lane[T]) back(xs []T, seq uint64) {
	at := len(l.front)
	for at > 0 && l.front[at-1].seq <= seq {
		at--
	}
	for _, x := range xs {
		size := int64(l.set.store.codec.Size(x))
		l.front = slices.Insert(l.front, at, put[T]{x, seq})
		l.bytes += size
		l.set.store.used += size
	}
}

func (l *Lane[T]) again(rec []byte) error {
	if l.due == nil {
		l.due = &chain{}
	}
	return l.set.store.append(l.due, rec, l.set.store.spill())
}

// take takes the first parcel, at most n items of it.
func (l *Lane[T]) take(n int) (p Parcel[T], err error) {
	p.Lane = l
	if len(l.front) > 0 {
		p.seq = l.front[len(l.front)-1].seq
		p.Items = l.takeFront(n)
		return p, nil
	}
	l.set.seq++
	p.seq = l.set.seq
	switch {
	case l.due != nil && l.due.n > 0:
		p.Items, err = l.takeChain(l.due, n)
	case l.start < len(l.mem):
		p.Items = l.takeMemory(n)
	case l.tail != nil && l.tail.n > 0:
		p.Items, err = l.takeChain(l.tail, n)
	}
	return p, err
}

func (l *Lane[T]) takeFront(n int) []T {
	var xs []T
	seq := l.front[len(l.front)-1].seq
	for last := len(l.front) - 1; last >= 0 && len(xs) < n && l.front[last].seq == seq; last-- {
		xs = append(xs, l.front[last].x)
		l.front[last] = put[T]{}
		l.front = l.front[:last]
	}
	l.freed(xs)
	if len(l.front) == 0 {
		l.front = nil
	}
	return xs
}

func (l *Lane[T]) takeMemory(n int) []T {
	var xs []T
	for l.start < len(l.mem) && len(xs) < n {
		if len(xs) > 0 && !l.mem[l.start].joined {
			break
		}
		xs = append(xs, l.mem[l.start].x)
		l.mem[l.start] = slot[T]{}
		l.start++
	}
	l.freed(xs)
	switch {
	case l.start == len(l.mem):
		l.mem, l.start = l.mem[:0], 0
		if cap(l.mem) > 64 {
			l.mem = nil
		}
	case l.start > 32 && l.start > len(l.mem)/2:
		l.mem = append([]slot[T](nil), l.mem[l.start:]...)
		l.start = 0
	}
	return xs
}

func (l *Lane[T]) freed(xs []T) {
	for _, x := range xs {
		size := int64(l.set.store.codec.Size(x))
		l.bytes -= size
		l.set.store.used -= size
	}
}

func (l *Lane[T]) takeChain(c *chain, n int) ([]T, error) {
	s := l.set.store
	var xs []T
	for c.n > 0 && len(xs) < n {
		rec, err := s.peek(c)
		if err != nil {
			return xs, err
		}
		if len(xs) > 0 && rec[0] == 0 {
			break
		}
		x, err := s.codec.Decode(rec[1:], l.Domain)
		if err != nil {
			return xs, err
		}
		if err := s.drop(c, len(rec)); err != nil {
			return xs, err
		}
		xs = append(xs, x)
	}
	return xs, nil
}
