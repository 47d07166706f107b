package delivery

import (
	"context"
	"encoding/binary"
	"errors"
	"time"
)

// What a record carries beside ID, reference, attempts and tries.
const (
	recordDomain = 1 << iota // another domain than the lane's
	recordFirst
	recordNext
	recordVia // 1
	recordPrint
	recordMishaps
)

var errRecord = errors.New("spilled record: not as it was written")

// records lays messages out for the spill file, in some 40 octets (lanes.Codec).
type records struct{}

// inMemory is what a waiting message costs beside its strings: the value, its slot in a lane, its content.
const inMemory = 208 + 16 + 48

func (records) Size(m *Message) int { return inMemory + len(m.To) }

func (records) Append(b []byte, domain string, m *Message) []byte {
	var flags byte
	if m.Domain != domain {
		flags |= recordDomain
	}
	if !m.First.IsZero() {
		flags |= recordFirst
	}
	if !m.Next.IsZero() {
		flags |= recordNext
	}
	if m.Via != 0 {
		flags |= recordVia
	}
	if m.Print != 0 {
		flags |= recordPrint
	}
	if m.mishaps != 0 {
		flags |= recordMishaps
	}
	b = append(b, flags)
	b = binary.BigEndian.AppendUint64(b, m.ID.Run)
	b = append(b, m.ID.Key[:]...)
	b = binary.BigEndian.AppendUint16(b, m.ID.Copy)
	b = appendText(b, m.Content.Ref())
	b = binary.AppendUvarint(b, uint64(m.Attempts))
	b = binary.AppendUvarint(b, uint64(m.Tries))
	if flags&recordDomain != 0 {
		b = appendText(b, m.Domain)
	}
	if flags&recordFirst != 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(m.First.UnixNano()))
		b = binary.AppendVarint(b, int64(m.since))
	}
	if flags&recordNext != 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(m.Next.UnixNano()))
	}
	if flags&recordPrint != 0 {
		b = binary.BigEndian.AppendUint64(b, m.Print)
	}
	if flags&recordMishaps != 0 {
		b = append(b, m.mishaps)
	}
	return b
}

func (records) Decode(rec []byte, domain string) (*Message, error) {
	r := reader{b: rec}
	flags := r.octets(1)[0]
	m := &Message{Domain: domain, Via: int(flags & recordVia / recordVia)}
	m.ID.Run = binary.BigEndian.Uint64(r.octets(8))
	copy(m.ID.Key[:], r.octets(16))
	m.ID.Copy = binary.BigEndian.Uint16(r.octets(2))
	m.Content = spilled(r.text())
	m.Attempts, m.Tries = r.number(), r.number()
	if flags&recordDomain != 0 {
		m.Domain = r.text()
	}
	if flags&recordFirst != 0 {
		m.First, m.since = r.time(), r.duration()
	}
	if flags&recordNext != 0 {
		m.Next = r.time()
	}
	if flags&recordPrint != 0 {
		m.Print = binary.BigEndian.Uint64(r.octets(8))
	}
	if flags&recordMishaps != 0 {
		m.mishaps = r.octets(1)[0]
	}
	if r.short || len(r.b) > 0 {
		return nil, errRecord
	}
	return m, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// reader takes a record apart; short tells that it ended too early.
type reader struct {
	b     []byte
	short bool
}

var nothing [16]byte

// octets gives the next n, zeros when there are fewer.
func (r *reader) octets(n int) []byte {
	if n > len(r.b) {
		r.short, r.b = true, nil
		return nothing[:min(n, len(nothing))]
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) number() int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.short, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

func (r *reader) duration() time.Duration {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.short, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return time.Duration(v)
}

func (r *reader) text() string {
	n := r.number()
	if n < 0 || n > len(r.b) {
		r.short, r.b = true, nil
		return ""
	}
	return string(r.octets(n))
}

func (r *reader) time() time.Time { return time.Unix(0, int64(binary.BigEndian.Uint64(r.octets(8)))) }

// spilled is the content of a message that waited as a record, until it is revived.
type spilled string

func (s spilled) Ref() string { return string(s) }

func (s spilled) Open(context.Context, Form) (Body, error) {
	return nil, errors.New("content " + string(s) + ": not revived")
}
