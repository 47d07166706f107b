package lanes

import (
	"encoding/binary"
	"errors"
)

const prefix = 2 // octets of a record's length

var errLong = errors.New("spill: record too long")

// chain is a queue of records, first in first out: a stream of octets through blocks of the spill file, whose end
// stays in memory until there is enough of it to be written. No record lies partly in the file and partly in memory.
type chain struct {
	blocks []uint32 // first to last
	head   int      // octets of the first block that are done with
	fill   int      // octets written of the last block
	cache  []byte   // read from the file ahead of need: what follows head
	tail   []byte   // not written yet
	done   int      // octets of tail that are done with
	n      int      // records
}

// held is the memory the chain's buffers take.
func (c *chain) held() int64 { return int64(cap(c.cache) + cap(c.tail)) }

func (c *chain) add(rec []byte) error {
	if len(rec) > 1<<16-1 {
		return errLong
	}
	c.tail = binary.BigEndian.AppendUint16(c.tail, uint16(len(rec)))
	c.tail = append(c.tail, rec...)
	c.n++
	return nil
}

// flush moves what waits in memory to the file.
func (c *chain) flush(f *file) error {
	p := c.tail[c.done:]
	for len(p) > 0 {
		if len(c.blocks) == 0 || c.fill == blockSize {
			b, err := f.alloc()
			if err != nil {
				return err
			}
			c.blocks, c.fill = append(c.blocks, b), 0
		}
		n := min(len(p), blockSize-c.fill)
		if err := f.write(c.blocks[len(c.blocks)-1], c.fill, p[:n]); err != nil {
			return err
		}
		c.fill += n
		p = p[n:]
	}
	c.tail, c.done = c.tail[:0], 0
	return nil
}

// peek gives the first record; it is valid until the chain is changed.
func (c *chain) peek(f *file) ([]byte, error) {
	if len(c.blocks) == 0 {
		p := c.tail[c.done:]
		return p[prefix : prefix+int(binary.BigEndian.Uint16(p))], nil
	}
	if err := c.load(f, prefix); err != nil {
		return nil, err
	}
	n := prefix + int(binary.BigEndian.Uint16(c.cache))
	if err := c.load(f, n); err != nil {
		return nil, err
	}
	return c.cache[prefix:n], nil
}

// drop takes away the record that peek gave, which had size octets.
func (c *chain) drop(f *file, size int) error {
	c.n--
	size += prefix
	if len(c.blocks) == 0 {
		if c.done += size; c.done == len(c.tail) {
			c.tail, c.done = c.tail[:0], 0
		}
		return nil
	}
	c.cache = c.cache[size:]
	c.head += size
	for c.head >= blockSize {
		if err := c.shift(f); err != nil {
			return err
		}
		c.head -= blockSize
	}
	if len(c.blocks) == 0 || len(c.blocks) == 1 && c.head == c.fill {
		return c.empty(f)
	}
	return nil
}

func (c *chain) shift(f *file) error {
	b := c.blocks[0]
	c.blocks = c.blocks[1:]
	return f.release(b)
}

// empty ends the part in the file: all of it has been read.
func (c *chain) empty(f *file) error {
	for len(c.blocks) > 0 {
		if err := c.shift(f); err != nil {
			return err
		}
	}
	c.blocks, c.cache, c.head, c.fill = nil, nil, 0, 0
	return nil
}

// load has the cache hold at least n octets.
func (c *chain) load(f *file, n int) error {
	for len(c.cache) < n {
		at := c.head + len(c.cache)
		i, off := at/blockSize, at%blockSize
		end := blockSize
		if i == len(c.blocks)-1 {
			end = c.fill
		}
		grown := make([]byte, len(c.cache)+end-off)
		copy(grown, c.cache)
		if err := f.read(c.blocks[i], off, grown[len(c.cache):]); err != nil {
			return err
		}
		c.cache = grown
	}
	return nil
}

// trim gives the read cache back; it is read again when needed.
func (c *chain) trim() {
	c.cache = nil
	if len(c.tail) == 0 {
		c.tail = nil
	}
}
