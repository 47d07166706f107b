package breaker

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var (
	taken   = Said{Word: Taken, Code: 250}
	unknown = Said{Word: Passed, Code: 550, Enhanced: "5.1.1", Class: 1}
	blocked = Said{Word: Refused, Code: 550, Enhanced: "5.7.1", Class: 4}
	forged  = Said{Word: RefusedSender, Code: 550, Enhanced: "5.1.8", Class: 4}
)

// relay is what a message to a domain over a relay counts for, and direct over its own mail exchangers.
func relay(domain string) []Scope {
	return []Scope{{Domain, 0, domain}, {Route, 0, ""}}
}

func direct(domain, site string) []Scope {
	return []Scope{{Domain, 0, domain}, {Site, 0, site}, {Route, 0, ""}}
}

// model is the table of breakers in its plainest form, for one scope that never pauses: all that was heard, in order.
type model struct {
	said []Said
	from []string
}

// trips tells whether the latest of what was heard is one too many, and by which row.
func (m *model) trips(k Kind) string {
	last := m.said[len(m.said)-1]
	if last.Word < Refused {
		return ""
	}
	row := 0
	for i := len(m.said) - 1; i >= 0 && m.said[i] == last && last.Word == RefusedSender; i-- {
		row++
	}
	var decided []int
	for i := len(m.said) - 1; i >= 0 && len(decided) < 200; i-- {
		if m.said[i].Word != Known {
			decided = append(decided, i)
		}
	}
	all, by := 0, map[string]int{}
	for _, i := range decided {
		s := m.said[i]
		if s.Word >= Refused {
			all++
		}
		if s.Word >= Refused && s.Code == last.Code && s.Enhanced == last.Enhanced && s.Class == last.Class {
			by[m.from[i]]++
		}
	}
	heard := 0
	for _, n := range by {
		if k != Domain {
			n = min(n, 20)
		}
		heard += n
	}
	switch {
	case k != Domain && row > 50:
		return "sender"
	case heard > 60:
		return "policy"
	case all == 200:
		return "mixed"
	}
	return ""
}

// stream draws outcomes in stretches, as servers change their mind, and adds some that are out of line.
func stream(t *rapid.T) (all []Said) {
	kinds := []Said{taken, unknown, {Word: Known, Code: 451}, blocked, {Word: Refused, Code: 554, Class: 4}, forged,
		{Word: RefusedSender, Code: 553, Class: 4}, {Word: Refused, Code: 550, Enhanced: "5.7.26", Class: 4}}
	one := rapid.SampledFrom(kinds)
	for range rapid.IntRange(1, 8).Draw(t, "stretches") {
		mix := rapid.SliceOfN(one, 1, 5).Draw(t, "mix")
		for i := range rapid.IntRange(1, 150).Draw(t, "length") {
			all = append(all, mix[(i*i+i)%7%len(mix)])
		}
	}
	return all
}

// A scope pauses at the outcome at which the table of breakers says so, by the row that says so, and never before.
func TestPausesByTheTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]Kind{Domain, Site, Route}).Draw(t, "kind")
		var b Table
		var m model
		for i, said := range stream(t) {
			domain := fmt.Sprint("d", i*7%rapid.IntRange(1, 8).Draw(t, "domains"))
			in := []Scope{{kind, 0, "one"}}
			m.said, m.from = append(m.said, said), append(m.from, "")
			if kind != Domain { // the domain speaks through it, and is let go free here
				in = append([]Scope{{Domain, 1, domain}}, in...)
				m.from[i] = domain
				if r := b.scopes[in[0]]; r != nil {
					r.marks, r.row = nil, 0
				}
			}
			want := m.trips(kind)
			news, back := b.Count(epoch, in, said, false)
			if back || len(news) > 1 || (len(news) == 1) != (want != "") || want != "" && news[0].Rule.Name != want {
				t.Fatalf("outcome %d of a %d, %+v: %+v %v, want %q", i, kind, said, news, back, want)
			}
			if want != "" {
				return
			}
		}
	})
}

// world is a campaign over a server: messages to domains, several at once, whose outcomes come in any order.
type world struct {
	t        *rapid.T
	b        Table
	now      time.Time
	flying   []flight
	failures int
	again    int
	stopped  bool // the route is paused
}

type flight struct {
	in    []Scope
	trial bool
}

// send takes a message to somebody, if that may go.
func (w *world) send(in []Scope) bool {
	if at, _ := w.b.Next(w.now, in); !at.IsZero() {
		return false
	}
	w.b.Take(in)
	w.flying = append(w.flying, flight{in, w.b.Trial(in)})
	return true
}

// land has one of those under way come back.
func (w *world) land(i int, said Said) {
	f := w.flying[i]
	w.flying = slices.Delete(w.flying, i, i+1)
	news, back := w.b.Count(w.now, f.in, said, f.trial)
	if said.Word >= Refused && !back {
		w.failures++
	}
	for _, n := range news {
		if n.Again {
			w.again++
		}
		w.stopped = w.stopped || n.Scope.Kind == Route && !n.Over
	}
}

// Once a server refuses everybody, whatever it says, in whatever order the domains come and their outcomes come back,
// however many are under way: no more than a window's worth fail, and one for each trial.
func TestFaultsS61NoMoreFailuresThanTheWindow(t *testing.T) {
	t.Attr("fault", "S61 a server refuses all, any domains, orders, threads and words")
	t.Attr("expected", "no more failures than the window is long, 61 for one domain and reason; one for each trial")
	most := 0
	rapid.Check(t, func(t *rapid.T) {
		w := &world{t: t, now: epoch}
		domains := rapid.SampledFrom([]int{1, 2, 3, 4, 10, 500}).Draw(t, "domains")
		threads := rapid.SampledFrom([]int{1, 4, 20, 300}).Draw(t, "threads")
		sorted, site := rapid.Bool().Draw(t, "sorted"), rapid.Bool().Draw(t, "direct")
		refusals := rapid.SliceOfN(rapid.SampledFrom([]Said{blocked, forged, {Word: Refused, Code: 554}, {Word: Refused, Code: 553},
			{Word: Refused, Code: 550, Enhanced: "5.7.26"}, {Word: Refused, Code: 521}}), 1, 6).Draw(t, "refusals")
		flip := rapid.IntRange(0, 400).Draw(t, "flip")
		pick := rapid.SliceOfN(rapid.IntRange(0, 1<<30), 50, 50).Draw(t, "pick")
		const people = 5000
		ended := 0
		for i, to := 0, 0; to < people && !w.stopped; i++ {
			d := to % domains
			if sorted {
				d = to * domains / people
			}
			in := relay(fmt.Sprint("d", d))
			if site {
				in = direct(fmt.Sprint("d", d), "mx")
			}
			if len(w.flying) < threads {
				to++ // whoever may not go stays pending
				w.send(in)
				continue
			}
			said := taken
			if ended++; ended > flip {
				said = refusals[pick[(i+7)%50]%len(refusals)]
			}
			w.land(pick[i%50]%len(w.flying), said)
			if pick[i%50]%40 == 0 {
				w.now = w.now.Add(time.Duration(pick[i%49]%600) * time.Second)
			}
		}
		for len(w.flying) > 0 {
			w.land(0, refusals[0])
		}
		// At most three domains can reach their own limit just when the route reaches its.
		if limit := 203 + w.again; w.failures > limit {
			t.Fatalf("%d failures, %d trials were refused", w.failures, w.again)
		}
		if len(refusals) == 1 && domains == 1 && w.failures > 61+w.again {
			t.Fatalf("%d failures of one domain for one reason, %d trials were refused", w.failures, w.again)
		}
		most = max(most, w.failures-w.again)
	})
	t.Attr("seen", fmt.Sprintf("at most %d failures, trials apart", most))
}

// A sender that is refused trips at fifty-one in a row. Whatever was under way and is taken in between begins the row anew, and
// those before it have failed as well, until there are sixty-one altogether.
func TestFaultsS29TakenInBetween(t *testing.T) {
	t.Attr("fault", "S29 MAIL 550 while mail that was under way is taken")
	t.Attr("expected", "paused at 51 since the last that was taken, at 61 altogether")
	var seen []string
	for _, c := range []struct {
		said []int // refused, taken, refused, …
		want int   // failures
		rule Rule
	}{
		{[]int{100}, 51, sender}, {[]int{2, 1, 100}, 53, sender}, {[]int{1, 1, 4, 14, 1, 1, 100}, 57, sender}, {[]int{10, 3, 100}, 61, sender},
		{[]int{11, 1, 100}, 61, policy}, {[]int{35, 1, 100}, 61, policy}, {[]int{50, 1, 50, 1}, 61, policy},
	} {
		var b Table
		failed, rule := 0, Rule{}
		for i, n := range c.said {
			for range n {
				said := forged
				if i%2 == 1 {
					said = taken
				}
				news, back := b.Count(epoch, relay(fmt.Sprint("d", failed)), said, false)
				if said == forged && !back {
					failed++
				}
				for _, n := range news {
					rule = n.Rule
				}
			}
		}
		if failed != c.want || rule.Name != c.rule.Name {
			t.Errorf("%v: %d failed, by rule %q; want %d by %q", c.said, failed, rule.Name, c.want, c.rule.Name)
		}
		seen = append(seen, fmt.Sprintf("%v: %d", c.said, failed))
	}
	t.Attr("seen", "refused, taken, refused, … and failed: "+strings.Join(seen, ", "))
}

// One domain that refuses us pauses alone, whatever share of the list it is.
func TestOtherDomainsGoOn(t *testing.T) {
	for _, share := range []int{2, 3, 10} {
		var b Table
		var paused []Scope
		failed := 0
		for i := range 20_000 {
			in, said := relay(fmt.Sprint("d", i%97)), taken
			if i%share == 0 {
				in, said = relay("gmail.com"), blocked
			}
			if at, _ := b.Next(epoch, in); !at.IsZero() {
				continue
			}
			news, back := b.Count(epoch, in, said, false)
			if said.Word == Refused && !back {
				failed++
			}
			for _, n := range news {
				paused = append(paused, n.Scope)
			}
		}
		if failed != 61 || len(paused) != 1 || paused[0].Name != "gmail.com" {
			t.Errorf("every %d.: %d failed, paused are %v", share, failed, paused)
		}
	}
}

// Addresses that are dead say nothing of us, however many there are.
func TestBadListTripsNothing(t *testing.T) {
	var b Table
	mix := []Said{unknown, unknown, taken, unknown, blocked, unknown, unknown}
	for i := range 10_000 {
		if news, back := b.Count(epoch, relay("a.example"), mix[i%len(mix)], false); len(news) > 0 || back {
			t.Fatalf("outcome %d: %v", i, news)
		}
	}
}

// What is put off decides nothing: a server that does so with most still shows what it thinks of us.
func TestDeferralsDoNotDilute(t *testing.T) {
	var b Table
	for i := range 1000 {
		news, _ := b.Count(epoch, relay("a.example"), []Said{blocked, taken, {Word: Known}, {Word: Known}, {Word: Known}}[i%5], false)
		if len(news) > 0 {
			if i != 300 || news[0].Refused != 61 || news[0].Of != 121 {
				t.Errorf("at outcome %d: %+v", i, news)
			}
			return
		}
	}
	t.Error("never paused")
}

// A scope comes back by trials: five under way at most, one refusal of them counts and the others don't, each pause is twice
// as long, and what was refused before is forgotten once five were taken.
func TestTrials(t *testing.T) {
	var b Table
	now, in := epoch, relay("a.example")
	for range 61 {
		b.Count(now, in, blocked, false)
	}
	for _, pause := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 4 * time.Hour} {
		at, paused := b.Next(now, in)
		if !paused || at.Sub(now) != pause {
			t.Fatalf("paused %v for %s, want %s", paused, at.Sub(now), pause)
		}
		now = at
		n := 0
		for ; n < 20; n++ {
			if at, paused := b.Next(now, in); !at.IsZero() && !paused {
				break
			}
			b.Take(in)
			if !b.Trial(in) {
				t.Fatal("no trial")
			}
		}
		if n != Trials {
			t.Fatalf("%d trials at once", n)
		}
		if news, back := b.Count(now, in, blocked, true); back || len(news) != 1 || !news[0].Again {
			t.Fatalf("the first refusal: %+v %v", news, back)
		}
		for range n - 1 {
			if news, back := b.Count(now, in, blocked, true); !back || len(news) > 0 {
				t.Fatalf("the others: %+v %v", news, back)
			}
		}
	}
	now = now.Add(4 * time.Hour)
	for i := range 5 {
		n := 0
		for ; n < 9; n++ {
			if at, _ := b.Next(now, in); !at.IsZero() {
				break
			}
			b.Take(in)
		}
		if n != map[int]int{0: Trials}[i] { // those that were taken make no room
			t.Fatalf("%d more trials after %d were taken", n, i)
		}
		news, _ := b.Count(now, in, taken, true)
		if over := len(news) == 1 && news[0].Over; over != (i == 4) || b.Holds(in[0]) != (i < 0) {
			t.Fatalf("after %d were taken: %+v", i+1, news)
		}
	}
	if !b.Usual() {
		t.Error("not as usual")
	}
}

// What an earlier run left paused begins with trials, and those that come to nothing make room for others.
func TestRestore(t *testing.T) {
	var b Table
	in := relay("a.example")
	b.Restore(in[1])
	if !b.Holds(in[1]) || b.Usual() || b.Holds(in[0]) {
		t.Fatal("not in trial")
	}
	for i := range 50 {
		if at, _ := b.Next(epoch, in); !at.IsZero() {
			t.Fatalf("trial %d may not go", i)
		}
		b.Take(in)
		b.Count(epoch, in, []Said{{}, unknown, {Word: Known}}[i%3], b.Trial(in))
	}
	if news, back := b.Count(epoch, in, blocked, true); back || len(news) != 1 || news[0].Scope.Kind != Route {
		t.Errorf("%+v", news)
	}
}

// A hundred thousand domains take little, and those in good health nothing.
func TestMemory(t *testing.T) {
	const n = 100_000
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("d%d.example", i)
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var b Table
	before := heap()
	for _, d := range names {
		b.Count(epoch, []Scope{{Domain, 0, d}}, blocked, false)
		b.Count(epoch, []Scope{{Domain, 0, d}}, taken, false)
	}
	if each := (heap() - before) / n; each > 64 {
		t.Errorf("%d octets a domain", each)
	}
	for range window {
		for s := range b.scopes {
			b.Count(epoch, []Scope{s}, taken, false)
		}
	}
	if len(b.scopes) > 0 {
		t.Errorf("%d domains in good health are remembered", len(b.scopes))
	}
	runtime.KeepAlive(names)
}

func BenchmarkCount(b *testing.B) {
	for _, refused := range []int{0, 1, 5} {
		b.Run(fmt.Sprintf("%d%%", refused), func(b *testing.B) {
			var t Table
			names := make([]string, 1000)
			for i := range names {
				names[i] = fmt.Sprintf("d%d.example", i)
			}
			b.ReportAllocs()
			var in [2]Scope
			for i := range b.N {
				in[0], in[1] = Scope{Domain, 0, names[i%1000]}, Scope{Route, 0, ""}
				said := taken
				if i%100 < refused {
					said = blocked
				}
				if t.Quiet() && said.Word < Refused {
					continue
				}
				t.Count(epoch, in[:], said, false)
			}
		})
	}
}
