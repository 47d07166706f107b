// Package repeat finds the rows that are the same as an earlier one, in bounded memory:
//
//  1. Add puts each row's MAC into one of 256 parts, by its first octet;
//  2. a part keeps some in memory and the rest in blocks of one file that nobody else can read;
//  3. Repeats looks through one part at a time, known rows first, and keeps what it found, ascending by number, in parts as well;
//  4. the parts are merged into one ascending sequence.
package repeat

import (
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/mailblast/mailblast/composer"
)

// Finder finds repeated rows. It implements composer.Dedupe. It is not safe for concurrent use.
type Finder struct {
	rows  *parts
	found *parts // nil until all rows are in
	last  int
	known bool // AddKnown was called
}

var _ composer.Dedupe = (*Finder)(nil)

const (
	rowSize   = 24 // MAC and number
	foundSize = 16 // number and first number
)

// New makes an empty Finder that keeps what does not fit into a megabyte in a file in dir. It must be closed.
func New(dir string) *Finder { return &Finder{rows: newParts(dir, rowSize)} }

// Add takes the MAC of a row. Numbers must ascend. MACs must be evenly spread, as those of a keyed hash are.
func (f *Finder) Add(number int, mac [16]byte) error { return f.add(number, mac, 0) }

// AddKnown takes the MAC of a row that counts as earlier than all that Add takes.
func (f *Finder) AddKnown(number int, mac [16]byte) error {
	f.known = true
	return f.add(number, mac, knownRow)
}

// knownRow marks a number as AddKnown's.
const knownRow = 1 << 63

func (f *Finder) add(number int, mac [16]byte, mark uint64) error {
	if f.found != nil {
		return errors.New("a row was added after the repeats were asked for")
	}
	if number <= f.last {
		return fmt.Errorf("row %d was added after row %d", number, f.last)
	}
	f.last = number
	var rec [rowSize]byte
	copy(rec[:], mac[:])
	binary.BigEndian.PutUint64(rec[16:], uint64(number)|mark)
	return f.rows.add(mac[0], rec[:])
}

// Repeats gives the rows whose MAC an earlier row has, ascending, with the number of the first such row. It can be
// gone through more than once.
func (f *Finder) Repeats(ctx context.Context) iter.Seq2[composer.Repeat, error] {
	return func(yield func(composer.Repeat, error) bool) {
		if err := f.find(ctx); err != nil {
			yield(composer.Repeat{}, err)
			return
		}
		f.merge(ctx, yield)
	}
}

// Close removes the files.
func (f *Finder) Close() error {
	err := f.rows.close()
	if f.found != nil {
		err = errors.Join(err, f.found.close())
	}
	return err
}

// find looks through the parts, once.
func (f *Finder) find(ctx context.Context) error {
	if f.found != nil {
		return nil
	}
	found := newParts(f.rows.dir, foundSize)
	first := map[[16]byte]uint64{}
	for i := range len(f.rows.part) {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, found.close())
		}
		err := error(nil)
		if f.known {
			err = findKnown(f.rows, byte(i), first)
		}
		if err == nil {
			err = findIn(f.rows, found, byte(i), first)
		}
		if err != nil {
			return errors.Join(err, found.close())
		}
		clear(first)
	}
	f.found = found
	return f.rows.close() // they are not needed again
}

// findKnown takes the known rows of a part as the first of their kind.
func findKnown(rows *parts, part byte, first map[[16]byte]uint64) error {
	r := rows.reader(part)
	for {
		rec, err := r.next()
		if rec == nil || err != nil {
			return err
		}
		mac, number := [16]byte(rec), binary.BigEndian.Uint64(rec[16:])
		if _, again := first[mac]; !again && number&knownRow != 0 {
			first[mac] = number &^ knownRow
		}
	}
}

func findIn(rows, found *parts, part byte, first map[[16]byte]uint64) error {
	r := rows.reader(part)
	for {
		rec, err := r.next()
		if rec == nil || err != nil {
			return err
		}
		mac, number := [16]byte(rec), binary.BigEndian.Uint64(rec[16:])&^knownRow
		earlier, again := first[mac]
		if !again {
			first[mac] = number
			continue
		}
		if earlier == number {
			continue
		}
		var out [foundSize]byte
		binary.BigEndian.PutUint64(out[:], number)
		binary.BigEndian.PutUint64(out[8:], earlier)
		if err := found.add(part, out[:]); err != nil {
			return err
		}
	}
}

// merge goes through all parts of what was found at once.
func (f *Finder) merge(ctx context.Context, yield func(composer.Repeat, error) bool) {
	var h heads
	for i := range len(f.found.part) {
		c := &head{r: f.found.reader(byte(i))}
		if err := c.advance(); err != nil {
			yield(composer.Repeat{}, err)
			return
		}
		if c.more {
			h = append(h, c)
		}
	}
	heap.Init(&h)
	for n := 0; len(h) > 0; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			yield(composer.Repeat{}, ctx.Err())
			return
		}
		if !yield(h[0].at, nil) {
			return
		}
		if err := h[0].advance(); err != nil {
			yield(composer.Repeat{}, err)
			return
		}
		if h[0].more {
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
		}
	}
}

// head is where the merge stands in one part.
type head struct {
	r    *reader
	at   composer.Repeat
	more bool
}

func (c *head) advance() error {
	rec, err := c.r.next()
	if c.more = rec != nil; c.more {
		c.at.Number = int(binary.BigEndian.Uint64(rec))
		c.at.First = int(binary.BigEndian.Uint64(rec[8:]))
	}
	return err
}

// heads is a heap.Interface with the lowest row number on top.
type heads []*head

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return h[i].at.Number < h[j].at.Number }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heads) Push(x any)        { *h = append(*h, x.(*head)) }
func (h *heads) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
