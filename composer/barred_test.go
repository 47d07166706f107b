package composer

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

// Who must not be written to gets an outcome and no message, and the plan says so beforehand.
func TestBarred(t *testing.T) {
	people := list{
		{"1", "ana@x.test"},
		{"2", "bob@x.test,cyd@y.test"},
		{"3", "dan@no.test,eve@y.test"},
		{"4", "fay@no.test"},
		{"5", "gus@no.test"},
	}
	failed, unknown := Past{Status: delivery.Failed}, Past{Status: delivery.Unknown}
	for _, c := range []struct {
		name           string
		only           string
		limit          int
		past           map[string]Past
		again          delivery.Status // Failed if it is none
		want, barred   string
		toSend, bars   int
		rowsBarred     int
		leftOut, ended int
	}{
		{name: "at the gate", want: "ana@x.test/0 bob@x.test/0 cyd@y.test/1 eve@y.test/1", barred: "dan@no.test fay@no.test gus@no.test",
			toSend: 3, bars: 3, rowsBarred: 2},
		{name: "they fill no limit", limit: 3, want: "ana@x.test/0 bob@x.test/0 cyd@y.test/1 eve@y.test/1", barred: "dan@no.test",
			toSend: 3, bars: 1, leftOut: 2},
		{name: "who is not asked for is left alone", only: "fay@no.test", want: "", barred: "fay@no.test", bars: 1, rowsBarred: 1, leftOut: 4},
		{name: "what has ended stays", past: map[string]Past{"fay@no.test": {Status: delivery.Sent}, "gus@no.test": failed},
			want: "ana@x.test/0 bob@x.test/0 cyd@y.test/1 eve@y.test/1", barred: "dan@no.test", toSend: 3, bars: 1, ended: 2},
		{name: "nobody is tried again", past: map[string]Past{"ana@x.test": failed, "gus@no.test": failed, "fay@no.test": unknown},
			want: "ana@x.test/0 bob@x.test/0 cyd@y.test/1 eve@y.test/1", barred: "dan@no.test", toSend: 3, bars: 1, ended: 2},
		{name: "who is unknown is decided about", again: delivery.Unknown, past: map[string]Past{"ana@x.test": unknown, "dan@no.test": unknown, "gus@no.test": failed, "fay@no.test": unknown},
			want: "ana@x.test/0 bob@x.test/0 cyd@y.test/1 eve@y.test/1", barred: "dan@no.test fay@no.test", toSend: 3, bars: 2, rowsBarred: 1, ended: 1},
		{name: "within the limit", again: delivery.Unknown, limit: 1, past: map[string]Past{"ana@x.test": unknown, "fay@no.test": unknown},
			want: "ana@x.test/0", barred: "", toSend: 1, leftOut: 3, ended: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			led, out := newLedger(), &outlet{}
			o := options(people, led, out)
			o.Limit = c.limit
			o.Barred = func(a address.Address) (string, bool) { return "suppressed", a.Domain == "no.test" }
			o.Again = func(p Past) bool { return p.Status == max(c.again, delivery.Failed) }
			if c.only != "" {
				o.Only = func(to string) bool { return to == c.only }
			}
			comp, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			who := map[delivery.ID]string{}
			if err := comp.dedupe(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if err := comp.Deliveries(t.Context(), func(_ *Row, id delivery.ID, to string) error {
				if who[id] = to; c.past[to] != (Past{}) {
					led.past[id] = c.past[to]
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if comp, err = New(o); err != nil {
				t.Fatal(err)
			}
			p, err := comp.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for id := range led.past {
				if comp.Chosen(id) {
					led.past[id] = Past{}
				}
			}
			before := maps.Clone(led.past)
			if err := comp.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			var barred []string
			for id, past := range led.past {
				if past.Status == delivery.Suppressed {
					barred = append(barred, who[id])
				}
				if before[id].Status.Final() && past != before[id] {
					t.Errorf("%s was %v and is %v", who[id], before[id].Status, past.Status)
				}
			}
			slices.Sort(barred)
			if got := strings.Join(barred, " "); got != c.barred {
				t.Errorf("barred %s\nwant   %s", got, c.barred)
			}
			if got := to(out.got); got != c.want {
				t.Errorf("sent %s\nwant %s", got, c.want)
			}
			if p.ToSend != c.toSend || p.Bars != c.bars || p.Barred != c.rowsBarred || p.LeftOut != c.leftOut || p.Ended != c.ended {
				t.Errorf("plan: %+v", p)
			}
		})
	}
}
