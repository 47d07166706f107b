package route

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// zone is a real name server on a loopback port. Names are answered from records; what it holds no name of is NXDOMAIN.
type zone struct {
	records map[string][]dns.RR
	rcode   map[string]int // by name: this answer code instead
	short   map[string]bool
}

func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true
	name := strings.ToLower(q.Question[0].Name)
	if code, ok := z.rcode[name]; ok {
		m.Rcode = code
		_ = w.WriteMsg(m)
		return
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp && z.short[name] {
		m.Truncated = true
		_ = w.WriteMsg(m)
		return
	}
	m.Rcode = dns.RcodeNameError
	for range 3 { // a recursive server follows a CNAME, and gives up on a loop
		rrs, ok := z.records[name]
		if !ok {
			break
		}
		m.Rcode = dns.RcodeSuccess
		next := ""
		for _, rr := range rrs {
			if t := rr.Header().Rrtype; t == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			} else if c, ok := rr.(*dns.CNAME); ok {
				m.Answer = append(m.Answer, rr)
				next = c.Target
			}
		}
		if next == "" {
			break
		}
		name = next
	}
	_ = w.WriteMsg(m)
}

// bothPorts finds a port that is free for UDP and TCP.
func bothPorts(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 50 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if udp, err := net.ListenPacket("udp", tcp.Addr().String()); err == nil {
			return udp, tcp
		}
		_ = tcp.Close()
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

// serve starts the server and gives the resolver of the standard library that asks it.
func (z *zone) serve(t *testing.T) *net.Resolver {
	t.Helper()
	udp, tcp := bothPorts(t)
	addr := udp.LocalAddr().String()
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: z}, {Listener: tcp, Handler: z}} {
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		done := make(chan error, 1)
		go func() { done <- s.ActivateAndServe() }()
		<-up
		t.Cleanup(func() {
			if err := s.Shutdown(); err != nil {
				t.Error(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network[:3], addr)
	}}
}

func records(t *testing.T, lines ...string) map[string][]dns.RR {
	t.Helper()
	out := map[string][]dns.RR{}
	for _, l := range lines {
		rr, err := dns.NewRR(l)
		if err != nil {
			t.Fatal(err)
		}
		out[rr.Header().Name] = append(out[rr.Header().Name], rr)
	}
	return out
}

func labZone(t *testing.T) *zone {
	lines := []string{
		"plain.example. 60 IN MX 20 mx2.plain.example.", "plain.example. 60 IN MX 10 mx1.plain.example.",
		"mx1.plain.example. 60 IN A 198.41.0.4", "mx1.plain.example. 60 IN AAAA 2606:4700::1",
		"alias.example. 60 IN MX 10 mx.alias.example.", "mx.alias.example. 60 IN CNAME mx1.plain.example.",
		"loop.example. 60 IN MX 10 mx.loop.example.", "mx.loop.example. 60 IN CNAME mx.loop.example.",
		"null.example. 60 IN MX 0 .",
		"literal.example. 60 IN MX 0 127.0.1.1.",
		"implicit.example. 60 IN AAAA 2606:4700::1",
		"empty.example. 60 IN TXT nothing",
		`crlf.example. 60 IN MX 5 evil\013\010rcpt.example.`, "crlf.example. 60 IN MX 10 mx1.plain.example.",
		`onlycrlf.example. 60 IN MX 5 evil\013\010rcpt.example.`,
		"half.example. 60 IN MX 10 mx.half.example.",
	}
	for i := range 60 {
		lines = append(lines, fmt.Sprintf("big.example. 60 IN MX %d a-rather-long-name-of-a-mail-exchanger-%d.big.example.", i, i))
	}
	return &zone{
		records: records(t, lines...),
		rcode:   map[string]int{"servfail.example.": dns.RcodeServerFailure, "refused.example.": dns.RcodeRefused, "mx.half.example.": dns.RcodeServerFailure},
		short:   map[string]bool{"big.example.": true},
	}
}

func TestRealDNS(t *testing.T) {
	r := NewDirect(DirectOptions{Resolver: labZone(t).serve(t)})
	for domain, want := range map[string]string{
		"plain.example":    "[mx1.plain.example mx2.plain.example]",
		"alias.example":    "[mx.alias.example]",
		"loop.example":     "[mx.loop.example]",
		"implicit.example": "[implicit.example]",
		"crlf.example":     "[mx1.plain.example]",
		"null.example":     "failed 5.1.10",
		"literal.example":  "failed 5.4.4",
		"nowhere.example":  "deferred 5.1.2 not found",
		"empty.example":    "deferred 5.1.2 not found",
		"servfail.example": "deferred 5.4.3",
		"refused.example":  "deferred 5.4.3",
		"onlycrlf.example": "deferred 5.4.3",
	} {
		got, err := r.Route(t.Context(), domain)
		if s := outcomeOf(t, hostsOf(got), err); s != want {
			t.Errorf("%s: %s, want %s (%v)", domain, s, want, err)
		}
	}
	got, err := r.Route(t.Context(), "big.example") // over TCP, since its answer comes truncated
	if err != nil || len(got.Hops) != MaxHops || !strings.HasPrefix(got.Hops[0].Host, "a-rather-long-name-of-a-mail-exchanger-0.") {
		t.Errorf("big.example: %v, %v", got, err)
	}
	for host, want := range map[string]string{
		"mx1.plain.example": "[198.41.0.4 2606:4700::1]",
		"mx.alias.example":  "[198.41.0.4 2606:4700::1]",
		"mx2.plain.example": "deferred 5.4.4 not found",
		"mx.loop.example":   "deferred 5.4.4 not found",
		"mx.half.example":   "deferred 5.4.3",
	} {
		addrs, err := r.Addrs(t.Context(), Hop{Host: host})
		var list []string
		for _, a := range addrs {
			list = append(list, a.String())
		}
		if s := outcomeOf(t, list, err); s != want && !(len(list) == 2 && strings.Contains(want, list[0]) && strings.Contains(want, list[1])) {
			t.Errorf("%s: %s, want %s (%v)", host, s, want, err)
		}
	}
}

func outcomeOf(t *testing.T, list []string, err error) string {
	t.Helper()
	if err == nil {
		return fmt.Sprint(list)
	}
	e := fault(t, err)
	s := e.Status.String() + " " + e.Enhanced
	if e.NotFound {
		s += " not found"
	}
	return s
}
