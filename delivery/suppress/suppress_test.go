package suppress

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/delivery/address"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"ana@acme.example":             "ana@acme.example",
		" Ana <ANA@Acme.Example> ":     "ana@acme.example",
		"@Acme.Example":                "@acme.example",
		"@münchen.example":             "@xn--mnchen-3ya.example",
		"":                             "its",
		"@":                            "it has no domain",
		"acme.example":                 "it has no @",
		"a@x.example, b@x.example":     "it",
		"@acme.example\r\nRCPT TO:<x>": "it",
	} {
		got, err := Parse(in)
		if err != nil {
			got = "it" + strings.TrimPrefix(err.Error(), "it")
		}
		if !strings.HasPrefix(got, strings.TrimPrefix(want, "its")) {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func addr(s string) address.Address {
	a, err := address.Parse(s)
	if err != nil {
		panic(err)
	}
	return a
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func TestWhy(t *testing.T) {
	l := NewList("spring")
	l.Add(
		Entry{Whom: "ana@x.example", Reason: "complaint"},
		Entry{Whom: "bob@x.example", Scope: "spring"},
		Entry{Whom: "cyd@x.example", Scope: "autumn"},
		Entry{Whom: "@y.example", Reason: "our own staff"},
		Entry{Whom: "dan@x.example", Until: noon.Add(time.Hour), Reason: "on leave"},
		Entry{Whom: "eve@x.example", Until: noon.Add(-time.Hour)},
		Entry{Whom: "fay@x.example"}, Entry{Whom: "fay@x.example", Removed: true},
		Entry{Whom: "gus@x.example"}, Entry{Whom: "gus@x.example", Scope: "spring"}, Entry{Whom: "gus@x.example", Removed: true},
		Entry{Whom: "hal@x.example", Removed: true}, Entry{Whom: "hal@x.example"},
	)
	for to, want := range map[string]string{
		"ANA@x.example": "suppressed: complaint", "bob@x.example": "suppressed", "cyd@x.example": "",
		"any@y.example": "suppressed with all of @y.example: our own staff", "any@sub.y.example": "",
		"dan@x.example": "suppressed: on leave", "eve@x.example": "", "fay@x.example": "",
		"gus@x.example": "suppressed", "hal@x.example": "suppressed", "ivy@x.example": "",
	} {
		got, ok := l.Why(addr(to), noon)
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q %v, want %q", to, got, ok, want)
		}
	}
	var none *List
	if _, ok := none.Why(addr("ana@x.example"), noon); ok {
		t.Error("no list forbids somebody")
	}
}

// Whatever is added and taken back, in whatever order, the last word on each (whom, scope) counts.
func TestLastWordCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, want := NewList("spring"), map[string]bool{}
		for range rapid.IntRange(0, 60).Draw(t, "entries") {
			e := Entry{
				Whom:    rapid.SampledFrom([]string{"a@x.example", "b@x.example", "c@y.example", "@x.example"}).Draw(t, "whom"),
				Scope:   rapid.SampledFrom([]string{"", "spring", "autumn"}).Draw(t, "scope"),
				Reason:  rapid.SampledFrom([]string{"", "bounce", "complaint"}).Draw(t, "reason"),
				Removed: rapid.Bool().Draw(t, "removed"),
			}
			l.Add(e)
			want[e.Whom+" "+e.Scope] = !e.Removed
		}
		for _, to := range []string{"a@x.example", "b@x.example", "c@y.example", "d@x.example"} {
			a := addr(to)
			expect := false
			for _, whom := range []string{to, "@" + a.Domain} {
				expect = expect || want[whom+" "] || want[whom+" spring"]
			}
			if _, got := l.Why(a, noon); got != expect {
				t.Fatalf("%s: %v, want %v", to, got, expect)
			}
		}
	})
}

func TestManyReasons(t *testing.T) {
	l := NewList("")
	for n := range 70_000 {
		l.Add(Entry{Whom: fmt.Sprintf("p%d@x.example", n), Reason: fmt.Sprint("reason ", n)})
	}
	for n, want := range map[int]string{0: "suppressed: reason 0", 69_999: "suppressed"} {
		if got, ok := l.Why(addr(fmt.Sprintf("p%d@x.example", n)), noon); !ok || got != want {
			t.Errorf("%d: %q %v", n, got, ok)
		}
	}
	if l.Len() != 70_000 {
		t.Errorf("%d entries", l.Len())
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"ana@acme.example", "@acme.example", "Ana <ana@acme.example>", "@", "@@x.example", "\"a b\"@x.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		whom, err := Parse(s)
		if err != nil {
			return
		}
		if again, err := Parse(whom); err != nil || again != whom {
			t.Errorf("%q becomes %q, then %q %v", s, whom, again, err)
		}
	})
}

func BenchmarkWhy(b *testing.B) {
	l := NewList("spring")
	for n := range 1_000_000 {
		l.Add(Entry{Whom: fmt.Sprintf("p%d@x.example", n), Reason: "bounce"})
	}
	a := addr("somebody@gmail.example")
	for b.Loop() {
		l.Why(a, noon)
	}
}
