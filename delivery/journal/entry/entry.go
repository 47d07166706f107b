// Package entry is how a message that is about to be sent is noted in a row of intents: its key, seven numbers, and its
// address.
package entry

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mailblast/mailblast/delivery"
)

// Entry is one message that is about to be sent.
type Entry struct {
	Key      [16]byte
	Copy     uint16
	After    uint64 // outcomes of the same commit that were given before it
	Via      int
	Attempts int    // charged ones before this try
	Tries    int    // all before this try
	First    int64  // Unix microseconds
	Print    uint64 // of letter and fields
	To       string
}

// ID names the delivery.
func (e *Entry) ID(run uint64) delivery.ID { return delivery.ID{Run: run, Key: e.Key, Copy: e.Copy} }

// Append writes the entry behind b.
func (e *Entry) Append(b []byte) []byte {
	b = append(b, e.Key[:]...)
	for _, n := range [...]uint64{uint64(e.Copy), e.After, uint64(e.Via), uint64(e.Attempts), uint64(e.Tries)} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendVarint(b, e.First)
	b = binary.BigEndian.AppendUint64(b, e.Print)
	b = binary.AppendUvarint(b, uint64(len(e.To)))
	return append(b, e.To...)
}

var errEntry = errors.New("damaged intent")

const maxCount = 1 << 30 // of attempts and tries

// Parse reads one entry as a schema has it, and gives what follows it. Schema 1 has no prints.
func (e *Entry) Parse(b []byte, schema int) (rest []byte, err error) {
	if len(b) < len(e.Key) {
		return nil, fmt.Errorf("%w: cut key", errEntry)
	}
	b = b[copy(e.Key[:], b):]
	var n [5]uint64
	for k := range n {
		v, size := binary.Uvarint(b)
		if size <= 0 || v > maxCount {
			return nil, fmt.Errorf("%w: number %d", errEntry, k)
		}
		n[k], b = v, b[size:]
	}
	if n[0] > 1<<16-1 {
		return nil, fmt.Errorf("%w: copy %d", errEntry, n[0])
	}
	e.Copy, e.After, e.Via, e.Attempts, e.Tries = uint16(n[0]), n[1], int(n[2]), int(n[3]), int(n[4])
	first, size := binary.Varint(b)
	if size <= 0 {
		return nil, fmt.Errorf("%w: time", errEntry)
	}
	e.First, e.Print, b = first, 0, b[size:]
	if schema > 1 {
		if len(b) < 8 {
			return nil, fmt.Errorf("%w: cut print", errEntry)
		}
		e.Print, b = binary.BigEndian.Uint64(b), b[8:]
	}
	l, size := binary.Uvarint(b)
	if size <= 0 || l > uint64(len(b)-size) {
		return nil, fmt.Errorf("%w: address", errEntry)
	}
	b = b[size:]
	e.To = string(b[:l])
	return b[l:], nil
}
