package repeat

import (
	"errors"
	"fmt"
	"os"
)

// blockSize bounds what a part keeps in memory; with 256 parts that is a megabyte.
const blockSize = 4 << 10

// parts are 256 sequences of records of one size, in one file as far as they do not fit into memory.
type parts struct {
	dir  string
	size int // of a record
	f    *os.File
	name string // to be removed; empty: removed already
	end  int64  // of the file
	part [256]part
}

// part is one sequence: blocks of the file, then what is in memory.
type part struct {
	blocks []int64 // where they begin; each is as many whole records as fit
	tail   []byte
}

func newParts(dir string, size int) *parts { return &parts{dir: dir, size: size} }

// block is how many octets of a block are used.
func (p *parts) block() int { return blockSize / p.size * p.size }

func (p *parts) add(to byte, rec []byte) error {
	t := &p.part[to]
	t.tail = append(t.tail, rec...)
	if len(t.tail) < p.block() {
		return nil
	}
	if p.f == nil {
		if err := p.create(); err != nil {
			return err
		}
	}
	if _, err := p.f.WriteAt(t.tail, p.end); err != nil {
		return fmt.Errorf("looking for repeats: %w", err)
	}
	t.blocks = append(t.blocks, p.end)
	p.end += int64(len(t.tail))
	t.tail = t.tail[:0]
	return nil
}

func (p *parts) create() error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fmt.Errorf("looking for repeats: %w", err)
	}
	f, err := os.CreateTemp(p.dir, "repeats-*") // mode 0600
	if err != nil {
		return fmt.Errorf("looking for repeats: %w", err)
	}
	p.f, p.name = f, f.Name()
	if os.Remove(p.name) == nil { // gone even when the process is killed, where the system allows it
		p.name = ""
	}
	return nil
}

// close removes the file and forgets all records.
func (p *parts) close() (err error) {
	if p.f != nil {
		err = p.f.Close()
	}
	if p.name != "" {
		err = errors.Join(err, os.Remove(p.name))
	}
	*p = parts{dir: p.dir, size: p.size}
	return err
}

func (p *parts) reader(of byte) *reader {
	return &reader{p: p, blocks: p.part[of].blocks, tail: p.part[of].tail}
}

// reader goes through one part.
type reader struct {
	p      *parts
	blocks []int64 // still to be read
	tail   []byte  // likewise
	buf    []byte
	rest   []byte // of the block at hand
}

// next gives the next record, valid until the call after; nil at the end.
func (r *reader) next() ([]byte, error) {
	if len(r.rest) == 0 {
		switch {
		case len(r.blocks) > 0:
			if r.buf == nil {
				r.buf = make([]byte, r.p.block())
			}
			if _, err := r.p.f.ReadAt(r.buf, r.blocks[0]); err != nil {
				return nil, fmt.Errorf("looking for repeats: %w", err)
			}
			r.rest, r.blocks = r.buf, r.blocks[1:]
		case len(r.tail) > 0:
			r.rest, r.tail = r.tail, nil
		default:
			return nil, nil
		}
	}
	rec := r.rest[:r.p.size]
	r.rest = r.rest[r.p.size:]
	return rec, nil
}
