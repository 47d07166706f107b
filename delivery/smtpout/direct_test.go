package smtpout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// zone is a Resolver where d2.example has its mail exchangers at 127.0.0.2, and so on; the best of them is dead.
type zone struct{}

func (zone) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return []*net.MX{{Host: "dead." + name, Pref: 1}, {Host: "mx." + name, Pref: 2}}, nil
}

func (zone) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	var n int
	var dead string
	if _, err := fmt.Sscanf(host, "mx.d%d.example.", &n); err == nil {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, byte(n)})}, nil
	}
	if _, err := fmt.Sscanf(host, "dead.%s", &dead); err == nil {
		return []netip.Addr{netip.MustParseAddr("127.0.0.99")}, nil
	}
	return nil, errors.New("no such host")
}

// One thread delivers directly to three domains, each at its own address, past a dead exchanger of better preference;
// the peers' logs tell who got what.
func TestDirectToThreeDomains(t *testing.T) {
	first := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.2:0"})
	peers := []*smtptest.Peer{first}
	for _, ip := range []string{"127.0.0.3", "127.0.0.4"} {
		peers = append(peers, smtptest.Start(t, smtptest.Options{Addr: fmt.Sprintf("%s:%d", ip, first.Port())}))
	}
	router := route.NewDirect(route.DirectOptions{
		Port: first.Port(), Resolver: zone{}, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, TLS: route.Opportunistic,
	})
	tr, stop := running(t, Options{Paths: []Path{{Router: router, Hello: "me.example"}}, Pipelining: true})
	defer stop()
	s := tr.Queue(QueueOptions{})
	for round := range 2 {
		for i, p := range peers {
			domain := fmt.Sprintf("d%d.example", i+2)
			f := &feed{t: t}
			f.batch(hello(), "ana@"+domain)
			if err := s.Serve(t.Context(), domain, 0, f); err != nil || f.lines() != sent || f.done[0].Host != fmt.Sprintf("mx.%s [127.0.0.%d]", domain, i+2) {
				t.Errorf("%+v, %v", f.done, err)
			}
			got := p.Messages()
			if n, _, _ := p.Connections(); n != 1 || len(got) != round+1 || got[round].To[0] != "ana@"+domain {
				t.Errorf("%s: %d connections, %+v", domain, n, got)
			}
		}
	}
}

func TestFamilies(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	both := []netip.Addr{v6, v4}
	var f family
	if got := f.order(both, netip.Addr{}); got[0] != v6 {
		t.Error(got)
	}
	if got := f.order(both, v4); len(got) != 1 || got[0] != v4 {
		t.Error("bound to IPv4:", got)
	}
	f.failed(v4, syscall.ENETUNREACH)
	f.failed(v6, syscall.ECONNREFUSED)
	if got := f.order(both, netip.Addr{}); got[0] != v6 {
		t.Error("a refusal is no reason:", got)
	}
	f.failed(v6, syscall.ENETUNREACH)
	if got := f.order(both, netip.Addr{}); got[0] != v4 || len(got) != 2 || both[0] != v6 {
		t.Error("unreachable:", got)
	}
}
