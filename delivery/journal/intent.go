package journal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mailblast/mailblast/delivery"
)

// intent is one entry of an intents row: a message that is about to be sent.
type intent struct {
	key      [16]byte
	copy     uint16
	after    uint64 // outcomes of the same commit that were given before it
	via      int
	attempts int   // charged ones before this try
	tries    int   // all before this try
	first    int64 // Unix microseconds
	to       string
}

func (i *intent) id(run uint64) delivery.ID { return delivery.ID{Run: run, Key: i.key, Copy: i.copy} }

// append writes the entry: the key, five numbers, the time of the first try and the address with its length.
func (i *intent) append(b []byte) []byte {
	b = append(b, i.key[:]...)
	for _, n := range [...]uint64{uint64(i.copy), i.after, uint64(i.via), uint64(i.attempts), uint64(i.tries)} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendVarint(b, i.first)
	b = binary.AppendUvarint(b, uint64(len(i.to)))
	return append(b, i.to...)
}

var errEntry = errors.New("damaged intent")

const maxCount = 1 << 30 // of attempts and tries

// parse reads one entry and gives what follows it.
func (i *intent) parse(b []byte) (rest []byte, err error) {
	if len(b) < len(i.key) {
		return nil, fmt.Errorf("%w: cut key", errEntry)
	}
	b = b[copy(i.key[:], b):]
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
	i.copy, i.after, i.via, i.attempts, i.tries = uint16(n[0]), n[1], int(n[2]), int(n[3]), int(n[4])
	first, size := binary.Varint(b)
	if size <= 0 {
		return nil, fmt.Errorf("%w: time", errEntry)
	}
	i.first, b = first, b[size:]
	l, size := binary.Uvarint(b)
	if size <= 0 || l > uint64(len(b)-size) {
		return nil, fmt.Errorf("%w: address", errEntry)
	}
	b = b[size:]
	i.to = string(b[:l])
	return b[l:], nil
}
