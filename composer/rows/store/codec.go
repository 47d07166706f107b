package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
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
)

var errRecord = errors.New("the row store is damaged")

// appendRow appends the record's body: all but the leading length.
func appendRow(b []byte, r *composer.Row) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(r.Number))
	b = binary.AppendUvarint(b, uint64(r.Line))
	b = appendString(b, r.Fault)
	b = binary.AppendUvarint(b, uint64(len(r.Values)))
	for _, v := range r.Values {
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
		default:
			return nil, fmt.Errorf("a value of type %T cannot be kept", v)
		}
	}
	return b, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeRow reads a record's body into r, whose Values are used again. The strings are parts of body.
func decodeRow(body string, r *composer.Row) error {
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
	return nil
}

// decoder takes what it reads off s. Once something is amiss it gives zeroes.
type decoder struct {
	s   string
	bad bool
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
	}
	d.bad = true
	return nil
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
