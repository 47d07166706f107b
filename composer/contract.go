// Package composer turns recipient rows into messages and hands them to an outlet:
//
//	row → gate (invalid, duplicate, already ended, deferred until later) → Message → Submit
//
// The letter of a message is rendered late, on the thread that sends it, from a reference to its row.
package composer

import (
	"context"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

// Column is one column of a recipient list.
type Column struct {
	Name string // as the source spells it, trimmed
	Type string // as the source names its type, such as "text" or "int8"; in files empty, or "json" where lists and mappings are
}

// Row is one row of a recipient list.
type Row struct {
	Number int   // its place in the list, from 1
	Line   int   // the line of the file, or the row of the sheet, it began on; 0 for databases
	Ref    int64 // where the row store keeps it
	// Values has one a column: nil (NULL), string, int64, float64, bool, a fmt.Stringer with the value's text form, or
	// nested ones: map[string]any and []any of the same, whose text form is compact JSON.
	Values []any
	Fault  string // why the row cannot be used, such as "3 fields, the header has 4"; Values may be short then
}

// Rows is a row store: a list as it was read, in the user's order.
type Rows interface {
	Columns() []Column
	Len() int
	// Each calls f with every row in order until f returns an error, which it returns. A Row is valid during the call only.
	Each(ctx context.Context, f func(*Row) error) error
	// At reads the row with that Ref. It is safe for concurrent use.
	At(ref int64) (*Row, error)
}

// Letter is a compiled campaign letter. It is safe for concurrent use.
type Letter interface {
	// Addressee gives what stands in the row's address column as it is, for lists of people; it may be no address.
	Addressee(r *Row) string
	// Envelope gives the row's addresses; a *delivery.Unfit error says why they cannot be used.
	Envelope(r *Row) (Envelope, error)
	// Render lays the letter out. The same row, stamp and form give the same bytes. The error is *delivery.Unfit when
	// the row is at fault.
	Render(ctx context.Context, r *Row, s Stamp, f delivery.Form) (delivery.Body, error)
}

// Envelope is who a letter goes from and to.
type Envelope struct {
	From       address.Address   // reverse-path
	Recipients []address.Address // to, then every cc, then every bcc
}

// Stamp is what a letter carries of its own beside the row. All of it comes from one HMAC over (secret, campaign, run,
// generation, key), so it is the same after any restart.
type Stamp struct {
	MessageID     string // without angle brackets
	Boundary      string // 32 letters and digits, to make MIME boundaries from
	Token         string // the recipient's signed id, for {token} in unsubscribe links
	SubjectPrefix string // "[test] " for a test letter
	To            string // a test letter's only recipient, shown in place of the row's; empty otherwise
}
