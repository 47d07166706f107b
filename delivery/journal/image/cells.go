package image

import (
	"context"
	"encoding/binary"
	"math"
)

// Cell is one row of a table as the file has it. Values are int64, float64, string, []byte or nil; nothing says that they are
// what was written.
type Cell struct {
	Page   uint32
	Rowid  int64
	Values []any
}

const (
	leafTable = 13      // §1.6
	longest   = 1 << 28 // of a row that is believed, in octets
)

// Cells calls f with every row of every page that looks like a leaf of a table and is not free. An error of f ends it.
func (m *Image) Cells(ctx context.Context, f func(Cell) error) error {
	free, err := m.free()
	if err != nil {
		return err
	}
	page := make([]byte, m.size)
	for n := uint32(1); n <= m.pages && n != 0; n++ {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if free[n] {
			continue
		}
		if err := m.page(n, page); err != nil {
			return err
		}
		if err := m.leaf(n, page, f); err != nil {
			return err
		}
	}
	return nil
}

// free lists the pages that hold nothing any more (§1.5), as far as the list is whole.
func (m *Image) free() (map[uint32]bool, error) {
	page, free := make([]byte, m.size), map[uint32]bool{}
	if m.pages == 0 {
		return free, nil
	}
	if err := m.page(1, page); err != nil {
		return nil, err
	}
	next := binary.BigEndian.Uint32(page[32:])
	for next > 1 && next <= m.pages && !free[next] {
		free[next] = true
		if err := m.page(next, page); err != nil {
			return nil, err
		}
		next = binary.BigEndian.Uint32(page)
		leaves := min(int64(binary.BigEndian.Uint32(page[4:])), m.size/4-2)
		for i := range leaves {
			free[binary.BigEndian.Uint32(page[8+4*i:])] = true
		}
	}
	return free, nil
}

// leaf reads the cells of one page (§1.6). What is no cell is passed over.
func (m *Image) leaf(n uint32, page []byte, f func(Cell) error) error {
	head := 0
	if n == 1 {
		head = fileHeader
	}
	if page[head] != leafTable {
		return nil
	}
	cells := int(binary.BigEndian.Uint16(page[head+3:]))
	for i := range min(cells, (len(page)-head-8)/2) {
		at := int(binary.BigEndian.Uint16(page[head+8+2*i:]))
		if at >= len(page) {
			continue
		}
		c, ok, err := m.cell(n, page[at:])
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

func (m *Image) cell(n uint32, b []byte) (c Cell, ok bool, err error) {
	length, b := varint(b)
	rowid, b := varint(b)
	if b == nil || length > longest {
		return c, false, nil
	}
	payload, err := m.payload(int64(length), b)
	if err != nil || payload == nil {
		return c, false, err
	}
	c = Cell{Page: n, Rowid: int64(rowid)}
	c.Values, ok = record(payload)
	return c, ok, nil
}

// payload gathers a row from its page and those it flows over to.
func (m *Image) payload(length int64, b []byte) ([]byte, error) {
	usable := m.size // our files reserve nothing at the end of pages
	local := length
	if most := usable - 35; length > most {
		least := (usable-12)*32/255 - 23
		if local = least + (length-least)%(usable-4); local > most {
			local = least
		}
	}
	if local == length {
		if int64(len(b)) < length {
			return nil, nil
		}
		return b[:length], nil
	}
	if int64(len(b)) < local+4 || length/(usable-4) > int64(m.pages) {
		return nil, nil
	}
	all := append(make([]byte, 0, length), b[:local]...)
	next, page := binary.BigEndian.Uint32(b[local:]), make([]byte, m.size)
	for int64(len(all)) < length {
		if next == 0 || next > m.pages {
			return nil, nil
		}
		if err := m.page(next, page); err != nil {
			return nil, err
		}
		next = binary.BigEndian.Uint32(page)
		all = append(all, page[4:min(usable, 4+length-int64(len(all)))]...)
	}
	return all, nil
}

// record reads the values of a row (§2.1).
func record(b []byte) (values []any, ok bool) {
	size, head := varint(b)
	if head == nil || size > uint64(len(b)) || int(size) < len(b)-len(head) {
		return nil, false
	}
	head, body := b[len(b)-len(head):size], b[size:]
	for len(head) > 0 {
		var kind uint64
		if kind, head = varint(head); head == nil {
			return nil, false
		}
		n := width(kind)
		if n > uint64(len(body)) {
			return nil, false
		}
		values, body = append(values, value(kind, body[:n])), body[n:]
	}
	return values, true
}

func width(kind uint64) uint64 {
	switch {
	case kind >= 12:
		return (kind - 12) / 2
	case kind == 5:
		return 6
	case kind == 6, kind == 7:
		return 8
	case kind < 5:
		return kind
	}
	return 0
}

// value copies what it gives: the page is used again.
func value(kind uint64, b []byte) any {
	switch {
	case kind >= 12 && kind&1 == 1:
		return string(b)
	case kind >= 12:
		return append([]byte{}, b...)
	case kind == 0, kind == 10, kind == 11:
		return nil
	case kind == 8, kind == 9:
		return int64(kind - 8)
	}
	n := uint64(0)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n = math.MaxUint64
	}
	for _, o := range b {
		n = n<<8 | uint64(o)
	}
	if kind == 7 {
		return math.Float64frombits(n)
	}
	return int64(n)
}

// varint reads a number of up to nine octets (§1.6); what is cut gives nil.
func varint(b []byte) (n uint64, rest []byte) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return n<<8 | uint64(b[i]), b[i+1:]
		}
		n = n<<7 | uint64(b[i]&0x7f)
		if b[i]&0x80 == 0 {
			return n, b[i+1:]
		}
	}
	return 0, nil
}
