// Package sum seals rows, so that damage to a file is told from what was written:
//
//  1. New begins with the number of the journal: a row of another journal never passes for one of this;
//  2. Of lays out the table's name and every value, each with its kind and its length, so that no two rows look the same;
//  3. the seal is a CRC-32C of that, which sees every flipped bit and every burst of up to 32.
package sum

import (
	"encoding/binary"
	"hash/crc32"
)

// Sealer seals rows of one journal. It is not safe for concurrent use.
type Sealer struct {
	seed uint32
	buf  []byte
}

// New gives a sealer of the rows of a journal.
func New(journal [16]byte) *Sealer { return &Sealer{seed: Of32(journal[:])} }

// Of32 is the CRC-32C (Castagnoli) of octets.
func Of32(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Of gives the seal of a row. Only int64, string and []byte can be sealed, which are what SQLite stores integers, text and
// blobs as; ok is false for a row with anything else, as damage makes it.
func Of[V any](s *Sealer, table string, values []V) (seal int64, ok bool) {
	b := binary.AppendUvarint(s.buf[:0], uint64(len(table)))
	b = append(b, table...)
	for _, v := range values {
		switch v := any(v).(type) {
		case int64:
			b = append(b, 'i')
			b = binary.BigEndian.AppendUint64(b, uint64(v))
		case string:
			b = append(b, 't')
			b = binary.AppendUvarint(b, uint64(len(v)))
			b = append(b, v...)
		case []byte:
			b = append(b, 'b')
			b = binary.AppendUvarint(b, uint64(len(v)))
			b = append(b, v...)
		default:
			return 0, false
		}
	}
	s.buf = b
	return int64(crc32.Update(s.seed, castagnoli, b)), true
}
