package composer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

// Outlet takes messages and tells when it wants more.
type Outlet interface {
	delivery.Outlet
	// Hungry blocks until something may run dry soon, so that a list is read no faster than it is sent.
	Hungry(ctx context.Context) error
}

// Ledger knows what became of deliveries before this process began.
type Ledger interface {
	delivery.Journal
	// Past gives one Past for each ID; to tells the address of the i-th. Fresh runs have none, at no cost.
	Past(ctx context.Context, ids []delivery.ID, to func(i int) string) ([]Past, error)
	// Known tells of which deliveries something is recorded, and decides nothing about the others: not all of their rows are
	// deliveries of their own.
	Known(ctx context.Context, ids []delivery.ID) ([]bool, error)
	// Skip notes rows of this reading of the list that are no deliveries of their own. The first call of a reading
	// replaces what an earlier one noted.
	Skip(ctx context.Context, rows []Skipped) error
}

// Past is what a Ledger knows of one delivery.
type Past struct {
	Status   delivery.Status // NotTried: nothing final, not deferred
	Via      int
	Attempts int
	Tries    int
	First    time.Time
	Next     time.Time
	Print    uint64 // fingerprint of the letter as it was last sent; 0: not known
}

// Skipped is a row that is not sent: an invalid or a duplicate one.
type Skipped struct {
	Number, Line int
	To           string // what stands in its address column, as it is
	Class        delivery.Class
	Text         string
}

// Dedupe finds repeated rows with bounded memory.
type Dedupe interface {
	Add(number int, mac [16]byte) error
	// AddKnown is for a row that counts as earlier than all that Add takes, wherever in the list it is.
	AddKnown(number int, mac [16]byte) error
	// Repeats gives the rows whose mac an earlier row has, ascending, with the number of the first such row.
	Repeats(ctx context.Context) iter.Seq2[Repeat, error]
}

// Repeat is one later occurrence of a row.
type Repeat struct{ Number, First int }

// Options of a Composer. All fields but Only, Limit and the test ones are required.
type Options struct {
	Rows   Rows
	Letter Letter
	Ledger Ledger
	Outlet Outlet
	Dedupe func() (Dedupe, error) // makes an empty one

	Secret     []byte // keys every MAC; at least 16 octets
	Campaign   string
	Run        string // the run's key, such as "2026-W48"
	RunID      uint64
	Generation int // counts deliberate resends to everyone, from 0

	Edition string // changes when the letter does; part of each message's fingerprint

	Key    string // column whose value says who is the same person; empty: the to address
	Unique string // column of which no two rows of a run may share a value; empty: the to address; "none": no check

	Only  func(to string) bool // nil: everyone. Takes address.Address.Key
	Limit int                  // deliver at most this many rows; 0: all
	// Barred tells whom this campaign must not write to, and why, in words. It is asked for each recipient at the gate;
	// nil: nobody.
	Barred func(address.Address) (why string, barred bool)
	Again  func(Past) bool // Plan counts a delivery that ended as open when this is true, since it will be reopened; nil: none
}

// Composer turns the rows of one list into the messages of one run.
type Composer struct {
	o       Options
	mac     macs
	key     int // column, or toAddress
	unique  int // column, toAddress or noColumn
	keys    Dedupe
	uniques Dedupe // nil when key and unique ask the same
	chosen  map[delivery.ID]struct{}
}

const (
	toAddress = -1
	noColumn  = -2
)

// New checks the options against the list's columns. It reads nothing yet.
func New(o Options) (*Composer, error) {
	if len(o.Secret) < 16 {
		return nil, errors.New("the secret is shorter than 16 octets")
	}
	c := &Composer{o: o, mac: newMACs(o)}
	var err error
	if c.key, err = column(o.Rows.Columns(), "key", o.Key); err != nil {
		return nil, err
	}
	if c.unique, err = column(o.Rows.Columns(), "unique", o.Unique); err != nil {
		return nil, err
	}
	if c.key == noColumn {
		return nil, &ColumnError{Option: "key", Name: o.Key}
	}
	return c, nil
}

// ColumnError says that an option names a column the list does not have.
type ColumnError struct {
	Option string // key or unique
	Name   string
	Have   []string
}

func (e *ColumnError) Error() string {
	return fmt.Sprintf("%s: the list has no column %q", e.Option, e.Name)
}

func column(cols []Column, option, name string) (int, error) {
	switch name {
	case "":
		return toAddress, nil
	case "none":
		return noColumn, nil
	}
	have := make([]string, len(cols))
	for i, col := range cols {
		if col.Name == name {
			return i, nil
		}
		have[i] = col.Name
	}
	return 0, &ColumnError{Option: option, Name: name, Have: have}
}

// Run submits every row that has something left to send, in the list's order, and notes every row that is skipped. It
// returns when the whole list has been submitted. Plan must have been called before.
func (c *Composer) Run(ctx context.Context) error {
	skipped := skips{ledger: c.o.Ledger}
	if err := skipped.flush(ctx, true); err != nil { // an earlier reading's skips go, even when this one has none
		return err
	}
	submitted := 0
	err := c.gate(ctx, func(s Skipped) error { return skipped.add(ctx, s) }, func(batch []candidate) error {
		for i := range batch {
			if c.o.Limit > 0 && submitted == c.o.Limit {
				return nil // the rest is walked only to note what is skipped
			}
			ms := c.messages(c.bar(&batch[i]))
			if len(ms) == 0 {
				continue
			}
			if err := c.submit(ctx, ms); err != nil {
				return err
			}
			submitted++
		}
		return nil
	})
	if err != nil {
		return err
	}
	return skipped.flush(ctx, false)
}

func (c *Composer) submit(ctx context.Context, ms []*delivery.Message) error {
	if err := c.o.Outlet.Hungry(ctx); err != nil {
		return err
	}
	return c.o.Outlet.Submit(ctx, ms...)
}

// messages makes one message for each recipient of the row that has no final outcome.
func (c *Composer) messages(r *candidate) []*delivery.Message {
	if !r.wanted() {
		return nil
	}
	content := &content{c: c, ref: r.ref, key: r.key}
	var ms []*delivery.Message
	for i, p := range r.past {
		if p.Status.Final() {
			continue
		}
		m := &delivery.Message{
			ID:       r.ids[i],
			Content:  content,
			Journal:  c.o.Ledger,
			Via:      p.Via,
			Attempts: p.Attempts,
			Tries:    p.Tries,
			First:    p.First,
			Next:     p.Next,
			Print:    r.print,
		}
		direct(m, r.env, i)
		ms = append(ms, m)
	}
	return ms
}

// direct fills in who the message goes from and to.
func direct(m *delivery.Message, env Envelope, recipient int) {
	to := env.Recipients[recipient]
	m.To, m.Domain, m.From = to.String(), to.Domain, env.From.String()
}

// Revive gives a message that was spilled its addresses and content back. The dispatcher calls it.
func (c *Composer) Revive(m *delivery.Message, ref string) error {
	at, err := parseRef(ref)
	if err != nil {
		return err
	}
	r, err := c.o.Rows.At(at)
	if err != nil {
		return fmt.Errorf("row store: %w", err)
	}
	row, s := c.read(r)
	if s != nil {
		return fmt.Errorf("row %d: %s", r.Number, s.Text)
	}
	i := slices.Index(c.ids(&row), m.ID)
	if i < 0 {
		return fmt.Errorf("row %d has no such recipient", r.Number)
	}
	m.Content, m.Journal, m.Print = &content{c: c, ref: at, key: row.key}, c.o.Ledger, row.print
	direct(m, row.env, i)
	return nil
}

// skips hands skipped rows to the ledger some at a time.
type skips struct {
	ledger  Ledger
	waiting []Skipped
}

func (s *skips) add(ctx context.Context, r Skipped) error {
	s.waiting = append(s.waiting, r)
	if len(s.waiting) < 512 {
		return nil
	}
	return s.flush(ctx, false)
}

func (s *skips) flush(ctx context.Context, first bool) error {
	if len(s.waiting) == 0 && !first {
		return nil
	}
	err := s.ledger.Skip(ctx, s.waiting)
	s.waiting = s.waiting[:0]
	return err
}
