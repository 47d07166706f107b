package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/mailblast/mailblast/composer"
)

// A record is: length of the rest, then number, line, fault, count of values, values. Integers are varints, strings
// are preceded by their length, a value by its tag.
const (
	tagNull = iota
	tagString
	tagInt
	tagFloat
	tagFalse
	tagTrue
	tagMoment // then form, unix seconds, nanoseconds, zone offset in seconds
	tagList   // then how many, the values
	tagMap    // then how many, key and value each, by key
)

// maxDepth bounds how deep lists and maps nest, so that a damaged store cannot exhaust the stack.
const maxDepth = 64

var errRecord = errors.New("the row store is damaged")

// appendRow appends the record's body: all but the leading length.
func appendRow(b []byte, r *composer.Row) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(r.Number))
	b = binary.AppendUvarint(b, uint64(r.Line))
	b = appendString(b, r.Fault)
	b = binary.AppendUvarint(b, uint64(len(r.Values)))
	var err error
	for _, v := range r.Values {
		if b, err = appendValue(b, v, 0); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendValue(b []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		b = append(b, tagNull)
	case string:
		b = appendString(append(b, tagString), v)
	case int64:
		b = binary.AppendVarint(append(b, tagInt), v)
	case float64:
		b = binary.LittleEndian.AppendUint64(append(b, tagFloat), math.Float64bits(v))
	case bool:
		tag := byte(tagFalse)
		if v {
			tag = tagTrue
		}
		b = append(b, tag)
	case Moment:
		_, offset := v.Zone()
		b = append(b, tagMoment, byte(v.Form))
		b = binary.AppendVarint(b, v.Unix())
		b = binary.AppendUvarint(b, uint64(v.Nanosecond()))
		b = binary.AppendVarint(b, int64(offset))
	case []any, map[string]any:
		return appendNested(b, v, depth+1)
	default:
		return nil, fmt.Errorf("a value of type %T cannot be kept", v)
	}
	return b, nil
}

func appendNested(b []byte, v any, depth int) (_ []byte, err error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("a value nests deeper than %d", maxDepth)
	}
	switch v := v.(type) {
	case []any:
		b = binary.AppendUvarint(append(b, tagList), uint64(len(v)))
		for _, item := range v {
			if b, err = appendValue(b, item, depth); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		b = binary.AppendUvarint(append(b, tagMap), uint64(len(v)))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if b, err = appendValue(appendString(b, key), v[key], depth); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeRow reads a record's body into r, whose Values are used again, as a row of so many columns: those that were
// added after it was written are nil. The strings are parts of body.
func decodeRow(body string, r *composer.Row, cols int) error {
	d := decoder{s: body}
	r.Number, r.Line = d.int(), d.int()
	r.Fault = d.string()
	n := d.int()
	if d.bad || n > len(d.s) { // a value takes an octet at least
		return errRecord
	}
	r.Values = r.Values[:0]
	for range n {
		r.Values = append(r.Values, d.value())
	}
	if d.bad || d.s != "" {
		return errRecord
	}
	for r.Fault == "" && len(r.Values) < cols {
		r.Values = append(r.Values, nil)
	}
	return nil
}

// decoder takes what it reads off s. Once something is amiss it gives zeroes.
type decoder struct {
	s     string
	bad   bool
	depth int
}

func (d *decoder) take(n int) string {
	if d.bad || n < 0 || n > len(d.s) {
		d.bad, d.s = true, ""
		return ""
	}
	head := d.s[:n]
	d.s = d.s[n:]
	return head
}

func (d *decoder) octet() byte {
	if s := d.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	var x uint64
	for shift := uint(0); shift < 64; shift += 7 {
		c := d.octet()
		x |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return x
		}
	}
	d.bad = true
	return 0
}

func (d *decoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1) // zigzag
}

// int reads a count; what is no count ends the decoding.
func (d *decoder) int() int {
	u := d.uvarint()
	if u > math.MaxInt32 {
		d.bad = true
		return 0
	}
	return int(u)
}

func (d *decoder) string() string { return d.take(d.int()) }

func (d *decoder) value() any {
	switch d.octet() {
	case tagNull:
		return nil
	case tagString:
		return d.string()
	case tagInt:
		return d.varint()
	case tagFloat:
		if s := d.take(8); s != "" {
			return math.Float64frombits(binary.LittleEndian.Uint64([]byte(s)))
		}
	case tagFalse:
		return false
	case tagTrue:
		return true
	case tagMoment:
		return d.moment()
	case tagList:
		return d.list()
	case tagMap:
		return d.mapping()
	}
	d.bad = true
	return nil
}

// enter begins a list or a map and gives its length; a value takes an octet at least.
func (d *decoder) enter() (n int, ok bool) {
	n = d.int()
	d.depth++
	if d.depth > maxDepth || n > len(d.s) {
		d.bad = true
	}
	return n, !d.bad
}

func (d *decoder) list() any {
	n, ok := d.enter()
	if !ok {
		return nil
	}
	out := make([]any, 0, min(n, 1<<10))
	for i := 0; i < n && !d.bad; i++ {
		out = append(out, d.value())
	}
	d.depth--
	return out
}

func (d *decoder) mapping() any {
	n, ok := d.enter()
	if !ok {
		return nil
	}
	out := make(map[string]any, min(n, 1<<10))
	for i := 0; i < n && !d.bad; i++ {
		key := d.string()
		out[key] = d.value()
	}
	d.depth--
	return out
}

func (d *decoder) moment() any {
	f := Form(d.octet())
	sec, nsec, offset := d.varint(), d.int(), d.varint()
	if d.bad || f >= forms || nsec >= int(time.Second) || offset < -24*3600 || offset > 24*3600 {
		d.bad = true
		return nil
	}
	zone := time.UTC
	if offset != 0 {
		zone = time.FixedZone("", int(offset))
	}
	return Moment{Time: time.Unix(sec, int64(nsec)).In(zone), Form: f}
}
