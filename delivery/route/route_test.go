package route

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mailblast/mailblast/delivery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a Resolver that answers from tables, by name without the trailing dot. A name that is in neither does not
// exist; one with an error gives that.
type script struct {
	mx   map[string][]*net.MX
	ip   map[string][]string
	fail map[string]error // by "mx NAME", "ip NAME", "ip4 NAME"
	wait time.Duration

	mu    sync.Mutex
	asked []string
}

func (s *script) ask(ctx context.Context, kind, name string) (string, error) {
	s.mu.Lock()
	s.asked = append(s.asked, kind+" "+name)
	s.mu.Unlock()
	name = strings.TrimSuffix(name, ".")
	if s.wait > 0 {
		select {
		case <-ctx.Done():
			return name, ctx.Err()
		case <-time.After(s.wait):
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return name, s.fail[kind+" "+name]
}

func noSuch(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (s *script) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	name, err := s.ask(ctx, "mx", name)
	if cut := ctx.Err(); cut != nil {
		return nil, cut
	}
	if mx := s.mx[name]; len(mx) > 0 || err != nil {
		return mx, err
	}
	return nil, noSuch(name)
}

func (s *script) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	host, err := s.ask(ctx, network, host)
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range s.ip[host] {
		out = append(out, netip.MustParseAddr(a))
	}
	if len(out) == 0 {
		return nil, noSuch(host)
	}
	return out, nil
}

func (s *script) set(key string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = map[string]error{key: err}
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func mxs(list ...any) (out []*net.MX) {
	for i := 0; i < len(list); i += 2 {
		out = append(out, &net.MX{Pref: uint16(list[i].(int)), Host: list[i+1].(string)})
	}
	return out
}

func hostsOf(r Route) (out []string) {
	for _, h := range r.Hops {
		out = append(out, h.Host)
	}
	return out
}

func fault(t *testing.T, err error) *Error {
	t.Helper()
	e := new(Error)
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, not *Error", err)
	}
	return e
}

func TestExchangers(t *testing.T) {
	many := make([]any, 0, 3000)
	for i := range 1500 {
		many = append(many, i, fmt.Sprintf("mx%d.example.net.", i))
	}
	dns := &script{
		mx: map[string][]*net.MX{
			"order.example":   mxs(30, "c.example.net.", 10, "A.Example.Net.", 20, "b.example.net."),
			"twice.example":   mxs(30, "a.example.net.", 10, "b.example.net.", 5, "a.example.net."),
			"many.example":    mxs(many...),
			"nulls.example":   mxs(0, ".", 10, "a.example.net."),
			"literal.example": mxs(5, "127.0.1.1.", 10, "a.example.net."),
			"hostile.example": mxs(5, "evil\r\nrcpt.example.net.", 6, "a b.example.", 7, "a..b.", 8, strings.Repeat("x", 64)+".example.", 9, "::1", 10, "a.example.net."),
			"partly.example":  mxs(10, "a.example.net."),
		},
		ip:   map[string][]string{"implicit.example": {"198.41.0.4"}},
		fail: map[string]error{"mx partly.example": &net.DNSError{Err: "DNS response contained records which contain invalid names"}},
	}
	for domain, want := range map[string][]string{
		"order.example":    {"a.example.net", "b.example.net", "c.example.net"},
		"twice.example":    {"a.example.net", "b.example.net"},
		"many.example":     {"mx0.example.net", "mx1.example.net", "mx2.example.net", "mx3.example.net", "mx4.example.net"},
		"nulls.example":    {"a.example.net"},
		"literal.example":  {"a.example.net"},
		"hostile.example":  {"a.example.net"},
		"partly.example":   {"a.example.net"},
		"implicit.example": {"implicit.example"},
	} {
		r, err := NewDirect(DirectOptions{Resolver: dns, TLS: Opportunistic}).Route(t.Context(), domain)
		if err != nil || !slices.Equal(hostsOf(r), want) {
			t.Errorf("%s: %v, %v; want %v", domain, hostsOf(r), err, want)
			continue
		}
		if h := r.Hops[0]; h.Port != 25 || h.TLS != Opportunistic {
			t.Errorf("%s: hop %+v", domain, h)
		}
	}
}

func TestFailedLookups(t *testing.T) {
	dns := &script{
		mx: map[string][]*net.MX{
			"null.example":     mxs(0, "."),
			"literals.example": mxs(5, "127.0.1.1.", 6, "10.0.0.1."),
		},
		fail: map[string]error{
			"mx servfail.example": &net.DNSError{Err: "server misbehaving", IsTemporary: true},
			"mx refused.example":  &net.DNSError{Err: "server misbehaving"}, // what net.Resolver says for REFUSED
			"mx timeout.example":  &net.DNSError{Err: "i/o timeout", IsTimeout: true},
			"mx odd.example":      errors.New("\x1b[31m"),
			"ip noaddr.example":   &net.DNSError{Err: "server\r\nmisbehaving", IsTemporary: true},
			"ip6 half.example":    &net.DNSError{Err: "server misbehaving", IsTemporary: true},
		},
	}
	for domain, want := range map[string]struct {
		status   delivery.Status
		class    delivery.Class
		enhanced string
		notFound bool
	}{
		"null.example":     {delivery.Failed, delivery.ClassHard, "5.1.10", false},
		"literals.example": {delivery.Failed, delivery.ClassSoft, "5.4.4", false},
		"none.example":     {delivery.Deferred, delivery.ClassHard, "5.1.2", true},
		"servfail.example": {delivery.Deferred, delivery.ClassSoft, "5.4.3", false},
		"refused.example":  {delivery.Deferred, delivery.ClassSoft, "5.4.3", false},
		"timeout.example":  {delivery.Deferred, delivery.ClassSoft, "5.4.3", false},
		"odd.example":      {delivery.Deferred, delivery.ClassSoft, "5.4.3", false},
		"noaddr.example":   {delivery.Deferred, delivery.ClassSoft, "5.4.3", false},
		"half.example":     {delivery.Deferred, delivery.ClassSoft, "5.4.3", false},
		"a\r\nb.example":   {delivery.Failed, delivery.ClassHard, "5.1.2", false},
	} {
		r := NewDirect(DirectOptions{Resolver: dns})
		_, err := r.Route(t.Context(), domain)
		e := fault(t, err)
		if e.Status != want.status || e.Class != want.class || e.Enhanced != want.enhanced || e.NotFound != want.notFound {
			t.Errorf("%s: %+v", domain, e)
		}
		if e.Text == "" || strings.ContainsAny(e.Text, "\r\n\x1b") {
			t.Errorf("%s: text %q", domain, e.Text)
		}
		if name, known := r.Site(domain); known {
			t.Errorf("%s: site %q of a failed lookup", domain, name)
		}
	}
}

func TestNotFoundTakesTime(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e := missing("gone.example.", "5.1.2", "does not exist", nil)
	for _, c := range []struct {
		attempts int
		first    time.Time
		now      time.Time
		want     delivery.Status
	}{
		{0, time.Time{}, start, delivery.Deferred},
		{0, start, start.Add(time.Hour), delivery.Deferred}, // the tries before this one were not charged
		{1, start, start.Add(9 * time.Minute), delivery.Deferred},
		{1, start, start.Add(10 * time.Minute), delivery.Failed},
	} {
		o := e.Outcome(&delivery.Message{Attempts: c.attempts, First: c.first}, c.now)
		if o.Status != c.want || !o.Charged || o.Stage != delivery.StageResolve {
			t.Errorf("%+v: %+v", c, o)
		}
		if c.want == delivery.Failed && (o.Class != delivery.ClassHard || o.Enhanced != "5.1.2" || !o.Next.IsZero()) {
			t.Errorf("%+v: %+v", c, o)
		}
		if c.want == delivery.Deferred && (o.Class != delivery.ClassSoft || o.Enhanced != "4.1.2" || o.Next.Sub(c.now) != 10*time.Minute) {
			t.Errorf("%+v: %+v", c, o)
		}
	}
	if o := trouble("x.example", nil).Outcome(&delivery.Message{Attempts: 7}, start); o.Charged || o.Status != delivery.Deferred || o.Enhanced != "4.4.3" {
		t.Errorf("trouble of the DNS: %+v", o)
	}
	if o := refusal(delivery.ClassHard, "5.1.10", "null").Outcome(&delivery.Message{}, start); !o.Charged || o.Status != delivery.Failed {
		t.Errorf("refusal: %+v", o)
	}
}

func TestMilder(t *testing.T) {
	bad, gone, wait := refusal(delivery.ClassSoft, "5.4.4", ""), missing("x", "5.4.4", "", nil), trouble("x", nil)
	for _, c := range [][3]*Error{{bad, gone, gone}, {gone, bad, gone}, {gone, wait, wait}, {wait, bad, wait}, {nil, bad, bad}, {bad, nil, bad}, {nil, nil, nil}} {
		if got := Milder(c[0], c[1]); got != c[2] {
			t.Errorf("%v, %v: got %v", c[0], c[1], got)
		}
	}
}

func TestSites(t *testing.T) {
	dns := &script{mx: map[string][]*net.MX{
		"a.example": mxs(10, "mx2.example.net.", 10, "mx1.example.net.", 20, "mx3.example.net."),
		"b.example": mxs(1, "MX1.example.net.", 1, "mx2.example.net.", 2, "mx3.example.net."),
		"c.example": mxs(10, "mx1.example.net.", 20, "other.example.net."),
		"d.example": mxs(10, "mx1.example.net."),
	}}
	r := NewDirect(DirectOptions{Resolver: dns})
	if _, known := r.Site("a.example"); known {
		t.Error("known before it was looked up")
	}
	site := map[string]string{}
	for _, d := range []string{"a", "b", "c", "d"} {
		got, err := r.Route(t.Context(), d+".example")
		if err != nil {
			t.Fatal(err)
		}
		if s, known := r.Site(d + ".example"); !known || s != got.Site {
			t.Errorf("%s: Site %q, Route says %q", d, s, got.Site)
		}
		site[d] = got.Site
	}
	if site["a"] != site["b"] || site["a"] == site["c"] || site["c"] == site["d"] || site["d"] != "mx1.example.net" {
		t.Errorf("sites %v", site)
	}
}

func TestEqualPreferencesAreShuffled(t *testing.T) {
	dns := &script{mx: map[string][]*net.MX{"a.example": mxs(20, "z.example.", 10, "a.example.", 10, "b.example.", 10, "c.example.")}}
	r := NewDirect(DirectOptions{Resolver: dns, Random: rand.New(rand.NewPCG(1, 2))})
	first := map[string]int{}
	for range 300 {
		got, err := r.Route(t.Context(), "a.example")
		if err != nil || len(got.Hops) != 4 || got.Hops[3].Host != "z.example" {
			t.Fatalf("%v, %v", got, err)
		}
		first[got.Hops[0].Host]++
	}
	for _, h := range []string{"a.example", "b.example", "c.example"} {
		if first[h] < 60 {
			t.Errorf("%s was first %d times of 300", h, first[h])
		}
	}
}

func TestRelay(t *testing.T) {
	dns := &script{
		ip:   map[string][]string{"relay": {"127.0.0.1", "10.0.0.1"}},
		fail: map[string]error{"ip sick": errors.New("?")},
	}
	hop := Hop{Host: "relay", Port: 587, TLS: Required}
	r := NewRelay(hop, dns)
	for _, domain := range []string{"a.example", "b.example"} {
		got, err := r.Route(t.Context(), domain)
		site, known := r.Site(domain)
		if err != nil || !slices.Equal(got.Hops, []Hop{hop}) || got.Site != site || !known {
			t.Errorf("%+v, %v, %q", got, err, site)
		}
	}
	if addrs, err := r.Addrs(t.Context(), hop); fmt.Sprint(addrs) != "[127.0.0.1 10.0.0.1]" || err != nil {
		t.Errorf("%v, %v", addrs, err)
	}
	if addrs, err := r.Addrs(t.Context(), Hop{Host: "::1"}); fmt.Sprint(addrs) != "[::1]" || err != nil {
		t.Errorf("%v, %v", addrs, err)
	}
	if err := r.Permit(netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Error(err)
	}
	for _, host := range []string{"nowhere", "sick"} {
		_, err := r.Addrs(t.Context(), Hop{Host: host})
		if e := fault(t, err); e.NotFound || e.Status != delivery.Deferred || e.Outcome(&delivery.Message{}, time.Now()).Charged {
			t.Errorf("%s: a missing relay must cost no recipient: %+v", host, e)
		}
	}
}

func FuzzHostname(f *testing.F) {
	for _, s := range []string{"mx.example.net", "127.0.1.1", "a..b", "evil\r\n", "::1", "_x.example", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !hostname(s) {
			return
		}
		if _, err := netip.ParseAddr(s); err == nil || len(s) > 253 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Errorf("%q may be written down", s)
		}
	})
}
