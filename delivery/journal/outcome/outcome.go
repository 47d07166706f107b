// Package outcome lays outcomes out as rows of the journal, and reads them back.
package outcome

import (
	"time"
	"unicode/utf8"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Reopened is the status of a row that starts a delivery anew; it is of the journal alone.
const Reopened = 100

// Place is where an outcome stands in the journal.
type Place struct {
	Seq    int64
	Run    uint64
	Round  int // what lies between two reopenings
	Status int // as in the outcome, or Reopened
}

// Append adds the row of an outcome to values, its seal apart.
func Append(values []any, p Place, o *delivery.Outcome) []any {
	charged := int64(0)
	if o.Charged {
		charged = 1
	}
	return append(values, p.Seq, int64(p.Run), o.ID.Key[:], int64(o.ID.Copy), int64(p.Status), int64(p.Round), int64(o.Attempt),
		int64(o.Try), charged, int64(o.Via), int64(o.Stage), int64(o.Class), int64(o.Code), Micro(o.First), Micro(o.At),
		Micro(o.Next), o.Took.Microseconds(), int64(o.Print), o.To, Clip(o.Enhanced), Clip(o.Text), Clip(o.Host), Clip(o.TLS), Clip(o.Queue))
}

// Parse reads an intact row back. A reopened delivery is NotTried.
func Parse(r table.Row) delivery.Outcome {
	o := delivery.Outcome{
		ID: delivery.ID{Run: uint64(r.Int(1)), Copy: uint16(r.Int(3))}, Status: delivery.Status(r.Int(4)), Attempt: int(r.Int(6)),
		Try: int(r.Int(7)), Charged: r.Int(8) != 0, Via: int(r.Int(9)), Stage: delivery.Stage(r.Int(10)), Class: delivery.Class(r.Int(11)),
		Code: int(r.Int(12)), First: FromMicro(r.Int(13)), At: FromMicro(r.Int(14)), Next: FromMicro(r.Int(15)),
		Took: time.Duration(r.Int(16)) * time.Microsecond, Print: uint64(r.Int(17)), To: r.Text(18), Enhanced: r.Text(19),
		Text: r.Text(20), Host: r.Text(21), TLS: r.Text(22), Queue: r.Text(23),
	}
	copy(o.ID.Key[:], r.Blob(2))
	if r.Int(4) == Reopened {
		o.Status = delivery.NotTried
	}
	return o
}

// Clip bounds what a server or a user said, to 512 octets.
func Clip(s string) string {
	const most = 512
	if len(s) <= most {
		return s
	}
	n := most
	for n > most-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Micro is a time as the journal has it: in Unix microseconds, 0 being none.
func Micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromMicro is the time.
func FromMicro(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n)
}
