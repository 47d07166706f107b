package composer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

// list is a row store in memory: each row holds a key and a comma-separated list of addresses.
type list [][2]string

func (l list) Columns() []Column { return []Column{{Name: "id"}, {Name: "email"}} }
func (l list) Len() int          { return len(l) }

func (l list) At(ref int64) (*Row, error) {
	r := &Row{Number: int(ref) + 1, Ref: ref, Values: []any{l[ref][0], l[ref][1]}}
	if l[ref][0] == "" {
		r.Values[0] = nil
	}
	if l[ref][1] == "ragged" {
		r.Fault = "1 field, the header has 2"
	}
	return r, nil
}

func (l list) Each(ctx context.Context, f func(*Row) error) error {
	for i := range l {
		r, _ := l.At(int64(i))
		if err := errors.Join(f(r), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// plain is a letter whose body is its row's key.
type plain struct{}

func (plain) Addressee(r *Row) string { return fmt.Sprint(r.Values[1]) }

func (plain) Envelope(r *Row) (Envelope, error) {
	env := Envelope{From: address.Address{Local: "shop", Domain: "acme.example"}}
	for s := range strings.SplitSeq(r.Values[1].(string), ",") {
		a, err := address.Parse(s)
		if err != nil {
			return env, &delivery.Unfit{Status: delivery.Skipped, Class: delivery.ClassInvalid, Text: err.Error()}
		}
		env.Recipients = append(env.Recipients, a)
	}
	return env, nil
}

func (plain) Render(_ context.Context, r *Row, s Stamp, f delivery.Form) (delivery.Body, error) {
	return &text1{bytes.NewReader(fmt.Append(nil, r.Values[0], " ", s.MessageID))}, nil
}

type text1 struct{ *bytes.Reader }

func (b *text1) Needs() (int64, bool, bool) { return b.Size(), false, false }
func (b *text1) Close() error               { return nil }

// ledger remembers in memory; outlet sends all it gets at once.
type ledger struct {
	past    map[delivery.ID]Past
	skipped []Skipped
	reads   int
}

func (l *ledger) Past(_ context.Context, ids []delivery.ID, _ func(int) string) ([]Past, error) {
	out := make([]Past, len(ids))
	for i, id := range ids {
		out[i] = l.past[id]
	}
	return out, nil
}

func (l *ledger) Known(_ context.Context, ids []delivery.ID) ([]bool, error) {
	out := make([]bool, len(ids))
	for i, id := range ids {
		out[i] = l.past[id].Status != delivery.NotTried
	}
	return out, nil
}

func (l *ledger) Skip(_ context.Context, rows []Skipped) error {
	if len(rows) == 0 {
		l.skipped, l.reads = nil, l.reads+1
	}
	l.skipped = append(l.skipped, rows...)
	return nil
}

func (l *ledger) Record(os []delivery.Outcome) {
	for _, o := range os {
		l.past[o.ID] = Past{Status: o.Status}
	}
}
func (l *ledger) Intend([]*delivery.Message) func(context.Context) error { return nil }
func (l *ledger) Defer(*delivery.Message, delivery.Outcome) (mine bool)  { return false }

type outlet struct {
	got   []*delivery.Message
	limit int // refuses after that many; 0: none
}

var errFull = errors.New("cut")

func (o *outlet) Hungry(ctx context.Context) error { return ctx.Err() }
func (o *outlet) Submit(_ context.Context, ms ...*delivery.Message) error {
	if o.limit > 0 && len(o.got) >= o.limit {
		return errFull
	}
	o.got = append(o.got, ms...)
	for _, m := range ms {
		m.Journal.Record([]delivery.Outcome{{ID: m.ID, Status: delivery.Sent}})
	}
	return nil
}

type dedupe struct {
	first, known map[[16]byte]int
	rows         []Repeat
	macs         [][16]byte
}

func (d *dedupe) Add(n int, mac [16]byte) error {
	d.rows, d.macs = append(d.rows, Repeat{Number: n}), append(d.macs, mac)
	if _, ok := d.first[mac]; !ok {
		d.first[mac] = n
	}
	return nil
}

func (d *dedupe) AddKnown(n int, mac [16]byte) error {
	if _, ok := d.known[mac]; !ok {
		d.known[mac] = n
	}
	return d.Add(n, mac)
}

func (d *dedupe) Repeats(context.Context) iter.Seq2[Repeat, error] {
	return func(yield func(Repeat, error) bool) {
		for i, r := range d.rows {
			r.First = d.first[d.macs[i]]
			if known, ok := d.known[d.macs[i]]; ok {
				r.First = known
			}
			if r.First != r.Number && !yield(r, nil) {
				return
			}
		}
	}
}

func options(l list, led *ledger, out *outlet) Options {
	return Options{
		Rows: l, Letter: plain{}, Ledger: led, Outlet: out,
		Dedupe: func() (Dedupe, error) { return &dedupe{first: map[[16]byte]int{}, known: map[[16]byte]int{}}, nil },
		Secret: []byte("0123456789abcdef"), Campaign: "spring", Run: "once", RunID: 7,
	}
}

func run(t interface{ Fatal(...any) }, o Options) Plan {
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return p
}

func newLedger() *ledger { return &ledger{past: map[delivery.ID]Past{}} }

func to(ms []*delivery.Message) string {
	var b []string
	for _, m := range ms {
		b = append(b, fmt.Sprintf("%s/%d", m.To, m.ID.Copy))
	}
	return strings.Join(b, " ")
}

func TestRun(t *testing.T) {
	people := list{
		{"1", "ana@x.test"},
		{"2", "not an address"},
		{"3", "bob@x.test,cyd@y.test,BOB@x.test"},
		{"4", "ANA@X.test"},
		{"", "dan@x.test"},
		{"6", "ragged"},
		{"1", "eve@x.test"},
	}
	for _, c := range []struct {
		name, key, unique, want string
		change                  func(*Options)
		skipped                 string
	}{
		{"by address", "", "", "ana@x.test/0 bob@x.test/0 cyd@y.test/1 dan@x.test/0 eve@x.test/0", nil, "2 invalid, 4 duplicate, 6 invalid"},
		{"by id", "id", "none", "ana@x.test/0 bob@x.test/0 cyd@y.test/1 ANA@x.test/0", nil, "2 invalid, 5 invalid, 6 invalid, 7 duplicate"},
		{"by id, address unique", "id", "", "ana@x.test/0 bob@x.test/0 cyd@y.test/1", nil, "2 invalid, 4 duplicate, 5 invalid, 6 invalid, 7 duplicate"},
		{"by address, id unique", "", "id", "ana@x.test/0 bob@x.test/0 cyd@y.test/1 dan@x.test/0", nil, "2 invalid, 4 duplicate, 6 invalid, 7 duplicate"},
		{"two rows", "", "", "ana@x.test/0 bob@x.test/0 cyd@y.test/1", func(o *Options) { o.Limit = 2 }, "2 invalid, 4 duplicate, 6 invalid"},
		{"one person", "", "", "dan@x.test/0", func(o *Options) { o.Only = func(to string) bool { return to == "dan@x.test" } }, "2 invalid, 4 duplicate, 6 invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			led, out := newLedger(), &outlet{}
			o := options(people, led, out)
			o.Key, o.Unique = c.key, c.unique
			if c.change != nil {
				c.change(&o)
			}
			p := run(t, o)
			if got := to(out.got); got != c.want {
				t.Errorf("sent %s\nwant %s", got, c.want)
			}
			var skipped []string
			for _, s := range led.skipped {
				skipped = append(skipped, fmt.Sprintf("%d %s", s.Number, s.Class))
			}
			if got := strings.Join(skipped, ", "); got != c.skipped {
				t.Errorf("skipped %s\nwant    %s", got, c.skipped)
			}
			if p.Deliveries != len(out.got) {
				t.Errorf("planned %d deliveries, made %d", p.Deliveries, len(out.got))
			}
			clones, widest := map[string]int{}, 0
			for _, m := range out.got {
				clones[m.Content.Ref()]++
				widest = max(widest, clones[m.Content.Ref()])
			}
			if p.Widest != widest {
				t.Errorf("planned %d deliveries of one row at most, made %d", p.Widest, widest)
			}
			out.got = nil
			if run(t, o); c.change == nil && len(out.got) > 0 {
				t.Errorf("run again: sent %s", to(out.got))
			}
		})
	}
}

func TestUnknownColumn(t *testing.T) {
	o := options(list{{"1", "ana@x.test"}}, newLedger(), &outlet{})
	o.Key = "emial"
	_, err := New(o)
	var c *ColumnError
	if !errors.As(err, &c) || c.Option != "key" || !slices.Contains(c.Have, "email") {
		t.Errorf("got %v", err)
	}
}

func TestDeferredKeepsItsPast(t *testing.T) {
	led, out := newLedger(), &outlet{}
	o := options(list{{"1", "ana@x.test"}}, led, out)
	run(t, o)
	id := out.got[0].ID
	led.past[id] = Past{Status: delivery.Deferred, Attempts: 2, Tries: 3, Via: 1}
	out.got = nil
	if p := run(t, o); p.Waiting != 1 {
		t.Errorf("plan: %+v", p)
	}
	if m := out.got[0]; m.ID != id || m.Attempts != 2 || m.Tries != 3 || m.Via != 1 {
		t.Errorf("got %+v", m)
	}
}

// The same row has the same Message-ID after any restart; another run, generation or row never has.
func TestMessageID(t *testing.T) {
	seen := map[string]string{}
	for _, c := range []struct{ run, email, want string }{
		{"once", "ana@x.test", "first"},
		{"once", "Ana@X.TEST", "first"},
		{"once", "bob@x.test", "other"},
		{"2026-W48", "ana@x.test", "next"},
	} {
		out := &outlet{}
		o := options(list{{"1", c.email}}, newLedger(), out)
		o.Run = c.run
		run(t, o)
		b, err := out.got[0].Content.Open(t.Context(), delivery.Form{})
		if err != nil {
			t.Fatal(err)
		}
		var s strings.Builder
		if _, err := io.Copy(&s, b.(*text1)); err != nil {
			t.Fatal(err)
		}
		id := strings.Fields(s.String())[1]
		if was, ok := seen[id]; ok != (was == c.want && ok) || !strings.HasSuffix(id, "@acme.example") || ok && was != c.want {
			t.Errorf("%v: Message-ID %s was %q's", c, id, was)
		}
		if _, ok := seen[id]; !ok && c.email == "Ana@X.TEST" {
			t.Errorf("%v: Message-ID %s is new", c, id)
		}
		seen[id] = c.want
	}
}

func TestRevive(t *testing.T) {
	out := &outlet{}
	o := options(list{{"1", "ana@x.test,bob@y.test"}}, newLedger(), out)
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := out.got[1]
	m := &delivery.Message{ID: want.ID, Domain: want.Domain}
	if err := c.Revive(m, want.Content.Ref()); err != nil {
		t.Fatal(err)
	}
	if m.To != "bob@y.test" || m.From != want.From || m.Content.Ref() != want.Content.Ref() || m.Journal == nil {
		t.Errorf("got %+v", m)
	}
	if err := c.Revive(m, "\xff"); err == nil {
		t.Error("a damaged reference was taken")
	}
}

// However often a run is cut and begun again, and whatever the list holds, each address gets one message, and every row
// is either sent or skipped.
func TestEveryoneOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people := list(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [2]string {
			return [2]string{"k", rapid.SampledFrom([]string{"a@x.test", "A@x.test", "b@x.test", "c@y.test", "d@y.test,a@x.test", "bad", "ragged"}).Draw(t, "to")}
		}), 0, 900).Draw(t, "rows"))
		led, sent := newLedger(), map[delivery.ID]int{}
		for i := 0; ; i++ {
			out := &outlet{limit: rapid.IntRange(1, 3).Draw(t, "cut")}
			c, err := New(options(people, led, out))
			if err != nil {
				t.Fatal(err)
			}
			p, err := c.Plan(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			err = c.Run(context.Background())
			for _, m := range out.got {
				if sent[m.ID]++; sent[m.ID] > 1 {
					t.Fatalf("%s twice", m.To)
				}
			}
			skipped := 0
			for _, n := range p.Skipped {
				skipped += n
			}
			if p.Rows != p.ToSend+p.Ended+p.Barred+p.LeftOut+skipped {
				t.Fatalf("the plan does not add up: %+v", p)
			}
			if err == nil {
				if len(led.skipped) != skipped {
					t.Fatalf("planned %d skipped rows, noted %d", skipped, len(led.skipped))
				}
				return
			}
			if !errors.Is(err, errFull) || i > 10 {
				t.Fatal(err)
			}
		}
	})
}
