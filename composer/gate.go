package composer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/mailblast/mailblast/composer/text"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

// candidate is a row that passed the gate, with what is known of each of its deliveries.
type candidate struct {
	number int
	ref    int64
	env    Envelope
	key    [16]byte
	print  uint64        // fingerprint of letter and fields
	unique [16]byte      // set by dedupe alone
	ids    []delivery.ID // one a recipient
	past   []Past        // likewise
	out    bool          // not among those asked for
}

// wanted tells whether the row is among those asked for.
func (r *candidate) wanted() bool { return !r.out }

// distinct leaves out recipients whose address an earlier one has: nobody gets two copies of one letter.
func distinct(as []address.Address) []address.Address {
	kept := as[:0:0]
	for _, a := range as {
		if !slices.ContainsFunc(kept, func(b address.Address) bool { return a.Key() == b.Key() }) {
			kept = append(kept, a)
		}
	}
	return kept
}

// ids names the row's deliveries. One to cc or bcc goes by its address, not by its place: these come and go between runs.
func (c *Composer) ids(r *candidate) []delivery.ID {
	ids := make([]delivery.ID, len(r.env.Recipients))
	for i, a := range r.env.Recipients {
		ids[i] = delivery.ID{Run: c.o.RunID, Key: r.key}
		if i > 0 {
			ids[i].Key, ids[i].Copy = c.mac.copy(r.key, a.Key()), 1
		}
	}
	return ids
}

const batchSize = 256

// gate walks the list and parts the rows into skipped ones and candidates. A batch is valid during the call only.
func (c *Composer) gate(ctx context.Context, skip func(Skipped) error, take func([]candidate) error) error {
	batch := make([]candidate, 0, batchSize)
	flush := func() error {
		if err := c.recall(ctx, batch); err != nil {
			return err
		}
		err := take(batch)
		batch = batch[:0]
		return err
	}
	err := c.sift(ctx, skip, func(_ *Row, m candidate) error {
		if batch = append(batch, m); len(batch) < batchSize {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// sift reads the list and calls take for every row that is neither invalid nor repeated, skip for the others.
func (c *Composer) sift(ctx context.Context, skip func(Skipped) error, take func(*Row, candidate) error) error {
	repeat, stop := c.repeats(ctx)
	defer stop()
	return c.o.Rows.Each(ctx, func(r *Row) error {
		m, s := c.read(r)
		if s == nil {
			first, err := repeat(r.Number)
			if err != nil {
				return err
			}
			if first > 0 {
				s = c.skipped(r, delivery.ClassDuplicate, fmt.Sprintf("the same as row %d", first))
			}
		}
		if s != nil {
			return skip(*s)
		}
		return take(r, m)
	})
}

// read makes a candidate of a row, or says why it is invalid.
func (c *Composer) read(r *Row) (candidate, *Skipped) {
	if r.Fault != "" {
		return candidate{}, c.skipped(r, delivery.ClassInvalid, r.Fault)
	}
	env, err := c.o.Letter.Envelope(r)
	if err != nil {
		class := delivery.ClassInvalid
		if u := (*delivery.Unfit)(nil); errors.As(err, &u) && u.Class != delivery.ClassNone {
			class = u.Class
		}
		return candidate{}, c.skipped(r, class, err.Error())
	}
	env.Recipients = distinct(env.Recipients)
	key, ok := value(r, c.key, env)
	if !ok {
		return candidate{}, c.skipped(r, delivery.ClassInvalid, fmt.Sprintf("its key %s is NULL or empty", c.o.Key))
	}
	m := candidate{number: r.Number, ref: r.Ref, env: env, key: c.mac.of("key", key), print: c.print(r)}
	m.out = c.o.Only != nil && !c.o.Only(env.Recipients[0].Key())
	return m, nil
}

// print is a fingerprint (FNV-1a, 64 bits) of the letter and the row's fields: it tells whether a second copy would be the
// same letter. It is never 0.
func (c *Composer) print(r *Row) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	add := func(s string) {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * prime
		}
		h = (h ^ 0x100) * prime // no octet: the end of a text
	}
	add(c.o.Edition)
	for _, v := range r.Values {
		if v == nil {
			h = (h ^ 0x101) * prime
		}
		add(text.Of(v))
	}
	return max(h, 1)
}

// value gives what a column, or the to address, says of a row. Only a column can have nothing to say.
func value(r *Row, col int, env Envelope) (string, bool) {
	if col == toAddress {
		return env.Recipients[0].Key(), true
	}
	if col >= len(r.Values) || r.Values[col] == nil {
		return "", false
	}
	s := fmt.Sprint(r.Values[col])
	return s, s != ""
}

func (c *Composer) skipped(r *Row, class delivery.Class, why string) *Skipped {
	return &Skipped{Number: r.Number, Line: r.Line, To: c.o.Letter.Addressee(r), Class: class, Text: why}
}

// recall asks the ledger what became of each delivery of the batch.
func (c *Composer) recall(ctx context.Context, batch []candidate) error {
	ids := make([]delivery.ID, 0, len(batch))
	for i := range batch {
		batch[i].ids = c.ids(&batch[i])
		ids = append(ids, batch[i].ids...)
	}
	if len(ids) == 0 {
		return nil
	}
	past, err := c.o.Ledger.Past(ctx, ids, func(i int) string {
		m := 0
		for ; i >= len(batch[m].ids); m++ {
			i -= len(batch[m].ids)
		}
		return batch[m].env.Recipients[i].String()
	})
	if err != nil {
		return err
	}
	for i := range batch {
		n := len(batch[i].env.Recipients)
		batch[i].past, past = past[:n:n], past[n:]
	}
	return nil
}

// bar gives an outcome to those of a row that must not be written to.
func (c *Composer) bar(r *candidate) *candidate {
	if !r.wanted() {
		return r
	}
	var os []delivery.Outcome
	for i, a := range r.env.Recipients {
		why, barred := c.barred(a)
		if !barred || r.past[i].Status.Final() {
			continue
		}
		if c.Chosen(r.ids[i]) {
			why += "; it was unknown, and may have arrived before"
		}
		p := &r.past[i]
		os = append(os, delivery.Outcome{ID: r.ids[i], To: a.String(), Status: delivery.Suppressed, Text: why, Attempt: p.Attempts,
			Try: p.Tries, Via: p.Via, First: p.First, At: time.Now()})
		p.Status = delivery.Suppressed
	}
	if len(os) > 0 {
		c.o.Ledger.Record(os)
	}
	return r
}

// allBarred tells that nobody of a row may be written to, and why not the first.
func (c *Composer) allBarred(r *candidate) (why string, all bool) {
	for _, a := range r.env.Recipients {
		w, barred := c.barred(a)
		if !barred {
			return "", false
		}
		if why == "" {
			why = w
		}
	}
	return why, true
}

func (c *Composer) barred(a address.Address) (why string, barred bool) {
	if c.o.Barred == nil {
		return "", false
	}
	return c.o.Barred(a)
}

// repeats gives a function that tells of ascending row numbers whether an earlier row is the same, and which; 0 is none.
func (c *Composer) repeats(ctx context.Context) (func(number int) (first int, err error), func()) {
	var sources []*repeated
	for _, d := range []Dedupe{c.keys, c.uniques} {
		if d != nil {
			next, stop := iter.Pull2(d.Repeats(ctx))
			sources = append(sources, &repeated{next: next, stop: stop})
		}
	}
	ask := func(number int) (int, error) {
		for _, s := range sources {
			if first, err := s.at(number); first > 0 || err != nil {
				return first, err
			}
		}
		return 0, nil
	}
	return ask, func() {
		for _, s := range sources {
			s.stop()
		}
	}
}

// repeated is a stream of repeats that is asked for ascending numbers.
type repeated struct {
	next func() (Repeat, error, bool)
	stop func()
	head Repeat
	done bool
}

func (s *repeated) at(number int) (first int, err error) {
	for !s.done && s.head.Number < number {
		r, err, ok := s.next()
		if err != nil {
			return 0, err
		}
		s.head, s.done = r, !ok
	}
	if !s.done && s.head.Number == number {
		return s.head.First, nil
	}
	return 0, nil
}
