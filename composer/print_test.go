package composer

import (
	"testing"

	"github.com/mailblast/mailblast/delivery"
)

// The fingerprint of a message changes with its letter and with each field, and with nothing else.
func TestPrint(t *testing.T) {
	seen := map[uint64]string{}
	for _, c := range []struct {
		name, edition string
		values        []any
	}{
		{"as it is", "v1", []any{"7", "ana@x.test"}},
		{"another letter", "v2", []any{"7", "ana@x.test"}},
		{"another field", "v1", []any{"8", "ana@x.test"}},
		{"NULL", "v1", []any{nil, "ana@x.test"}},
		{"empty", "v1", []any{"", "ana@x.test"}},
		{"the same text in other fields", "v1", []any{"7ana", "@x.test"}},
		{"nested", "v1", []any{map[string]any{"a": int64(7)}, "ana@x.test"}},
	} {
		comp, err := New(options(nil, newLedger(), &outlet{}))
		if err != nil {
			t.Fatal(err)
		}
		comp.o.Edition = c.edition
		got := comp.print(&Row{Number: 1, Values: c.values})
		if again := comp.print(&Row{Number: 2, Line: 9, Values: c.values}); got == 0 || again != got {
			t.Errorf("%s: %x, then %x", c.name, got, again)
		}
		if was, ok := seen[got]; ok {
			t.Errorf("%s is the same as %s", c.name, was)
		}
		seen[got] = c.name
	}
}

// Whoever may have the letter already and is written to again is counted when it would be another letter.
func TestDiffer(t *testing.T) {
	people := list{{"1", "ana@x.test"}, {"2", "bob@x.test"}, {"3", "cyd@x.test"}, {"4", "dan@x.test"}}
	led, out := newLedger(), &outlet{}
	o := options(people, led, out)
	run(t, o)
	for i, m := range out.got {
		p := Past{Status: delivery.Unknown, Print: m.Print}
		if i == 0 { // an old journal knows none
			p.Print = 0
		}
		led.past[m.ID] = p
	}
	o.Again = func(p Past) bool { return p.Status == delivery.Unknown }
	o.Rows = list{{"1", "ana@x.test"}, {"2", "bob@x.test"}, {"three", "cyd@x.test"}, {"4", "dan@x.test"}}
	if p := run(t, o); p.Differ != 1 || p.ToSend != 4 {
		t.Errorf("%d differ of %d", p.Differ, p.ToSend)
	}
	o.Edition = "new"
	if p := run(t, o); p.Differ != 3 {
		t.Errorf("%d differ after the letter was changed", p.Differ)
	}
	o.Limit = 2
	if p := run(t, o); p.Differ != 1 {
		t.Errorf("%d of the first two differ", p.Differ)
	}
}
