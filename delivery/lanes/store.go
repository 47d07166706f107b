// Package lanes holds what waits in queues: messages by destination domain, in little memory, the rest on disk. It is
// pure: no goroutine, time is passed in; only the spill file is touched.
//
//  1. Push puts a parcel (items that may share a transaction) at the end of its domain's Lane;
//  2. past the domain's share of memory, the lane's end goes to a chain of blocks in the spill file, in order;
//  3. a lane that may go now is ready, in the ring of its Site; a site with more ready than hands is in the ring of its Set;
//  4. Pick and Lane go round these rings, Take takes a parcel off a lane, Finish ends it;
//  5. Later puts what is to be tried again into a bucket by time, as a record; Wake brings it back.
package lanes

import "time"

// Codec lays items out as records. Both sides are told the lane's domain, so that a record need not carry it.
type Codec[T any] interface {
	Size(x T) int // octets in memory
	Append(b []byte, domain string, x T) []byte
	Decode(rec []byte, domain string) (T, error)
}

// memoryDeferred is how many deferred items a store keeps in memory, as records; past it they are spilled.
const memoryDeferred = 10_000

// Store is the memory and the spill file that all queues share.
type Store[T any] struct {
	codec    Codec[T]
	limit    int64 // octets for items; a third as much again for buffers of chains
	used     int64
	buffered int64
	lanes    int64 // with something waiting
	deferred int
	file     file
	scratch  []byte
}

// NewStore gives a store that keeps items up to limit octets in memory and the rest in a file in dir, which is made
// when it is first needed.
func NewStore[T any](dir string, limit int64, codec Codec[T]) *Store[T] {
	return &Store[T]{codec: codec, limit: limit / 4 * 3, file: file{dir: dir}}
}

// Close gives the spill file up.
func (s *Store[T]) Close() error { return s.file.close() }

// fits tells that a lane that holds bytes may keep size more in memory.
func (s *Store[T]) fits(bytes, size int64) bool {
	return s.used+size <= s.limit && bytes+size <= s.limit/max(s.lanes, 1)
}

// spill says how long a chain's end may get before it is written: its share of the memory for buffers.
func (s *Store[T]) spill() int {
	budget := s.limit / 3
	if s.buffered > budget {
		return 0
	}
	return int(min(blockSize, budget/(2*max(s.lanes, 1)))) // slices grow to twice what they need
}

// append adds a record to c, which is written to the file when its end has grown past room.
func (s *Store[T]) append(c *chain, rec []byte, room int) error {
	before := c.held()
	err := c.add(rec)
	if err == nil && len(c.tail)-c.done > room {
		err = c.flush(&s.file)
		if s.buffered > s.limit/3 {
			c.tail = nil
		}
	}
	s.buffered += c.held() - before
	return err
}

// peek gives c's first record, whose first octet tells whether it is joined to the one before.
func (s *Store[T]) peek(c *chain) ([]byte, error) {
	before := c.held()
	rec, err := c.peek(&s.file)
	s.buffered += c.held() - before
	return rec, err
}

func (s *Store[T]) drop(c *chain, size int) error {
	before := c.held()
	err := c.drop(&s.file, size)
	if c.n == 0 || s.buffered > s.limit/3 {
		c.trim()
	}
	s.buffered += c.held() - before
	return err
}

// record encodes x; joined tells that it shares a parcel with the one before. It is valid until the next call.
func (s *Store[T]) record(domain string, x T, joined bool) []byte {
	s.scratch = append(s.scratch[:0], 0)
	if joined {
		s.scratch[0] = 1
	}
	s.scratch = s.codec.Append(s.scratch, domain, x)
	return s.scratch
}

// Key names a lane.
type Key struct {
	Domain string
	Via    int
}

// zero is the time before all others.
var zero time.Time
