package composer

import (
	"slices"
	"testing"

	"github.com/mailblast/mailblast/delivery"
)

// What a list is when a run goes on is not what it was when it began: nobody gets a second copy for that, and nobody is
// forgotten.
func TestListThatChanged(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after list
		limit         int
		first, then   string
	}{
		{"a cc left", list{{"1", "ana@x.test,boss@x.test,team@x.test"}}, list{{"1", "ana@x.test,team@x.test"}}, 0,
			"ana@x.test/0 boss@x.test/1 team@x.test/1", ""},
		{"a cc came in front", list{{"1", "ana@x.test,team@x.test"}}, list{{"1", "ana@x.test,boss@x.test,team@x.test"}}, 0,
			"ana@x.test/0 team@x.test/1", "boss@x.test/1"},
		{"a cc took another's place", list{{"1", "ana@x.test,boss@x.test"}}, list{{"1", "ana@x.test,team@x.test"}}, 0,
			"ana@x.test/0 boss@x.test/1", "team@x.test/1"},
		{"another order of two with one address", list{{"1", "ana@x.test"}, {"2", "ANA@x.test"}, {"3", "bob@x.test"}},
			list{{"2", "ANA@x.test"}, {"3", "bob@x.test"}, {"1", "ana@x.test"}}, 1, "ana@x.test/0", "bob@x.test/0"},
		{"a new row for an address that has its mail", list{{"2", "ana@x.test"}}, list{{"1", "ana@x.test"}, {"2", "ana@x.test"}}, 0,
			"ana@x.test/0", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			led, out := newLedger(), &outlet{}
			o := options(c.before, led, out)
			o.Key, o.Limit = "id", c.limit
			run(t, o)
			if got := to(out.got); got != c.first {
				t.Errorf("first %s, want %s", got, c.first)
			}
			out.got = nil
			o.Rows, o.Limit = c.after, 0
			p := run(t, o)
			if got := to(out.got); got != c.then {
				t.Errorf("then %s, want %s", got, c.then)
			}
			if p.Deliveries != len(out.got) {
				t.Errorf("planned %d deliveries, made %d", p.Deliveries, len(out.got))
			}
		})
	}
}

// Only what is asked for is tried again: of the failed ones those on the list, of the people named, within the limit.
func TestChosen(t *testing.T) {
	people := list{{"1", "ana@x.test,boss@x.test"}, {"2", "bob@x.test"}, {"3", "cyd@x.test"}}
	for _, c := range []struct {
		name   string
		rows   list
		only   string
		limit  int
		want   string
		toSend int
		ended  int
		beyond int
	}{
		{"all", people, "", 0, "ana@x.test/0 boss@x.test/1 bob@x.test/0 cyd@x.test/0", 3, 0, 0},
		{"one person", people, "ana@x.test", 0, "ana@x.test/0 boss@x.test/1", 1, 2, 0},
		{"the first two", people, "", 2, "ana@x.test/0 boss@x.test/1 bob@x.test/0", 2, 1, 0},
		{"one left the list", people[1:], "", 0, "bob@x.test/0 cyd@x.test/0", 2, 0, 0},
		{"one is new", append(people[:3:3], [2]string{"4", "dan@x.test"}), "bob@x.test", 0, "bob@x.test/0", 1, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			led, out := newLedger(), &outlet{}
			o := options(people, led, out)
			run(t, o)
			for id := range led.past {
				led.past[id] = Past{Status: delivery.Failed}
			}
			o.Rows, o.Limit = c.rows, c.limit
			o.Again = func(p Past) bool { return p.Status == delivery.Failed }
			if c.only != "" {
				o.Only = func(to string) bool { return to == c.only }
			}
			again, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			p, err := again.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			out.got = slices.DeleteFunc(out.got, func(m *delivery.Message) bool { return !again.Chosen(m.ID) })
			if got := to(out.got); got != c.want {
				t.Errorf("chosen %s, want %s", got, c.want)
			}
			if p.ToSend != c.toSend || p.Ended != c.ended || p.LeftOut != c.beyond {
				t.Errorf("plan %+v", p)
			}
		})
	}
}
