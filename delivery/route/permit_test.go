package route

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestAddrs(t *testing.T) {
	lots := make([]string, 200)
	for i := range lots {
		lots[i] = fmt.Sprintf("198.41.%d.4", i)
	}
	dns := &script{
		ip: map[string][]string{
			"mx.example":     {"198.41.0.4", "198.41.0.5", "2606:4700::1"},
			"mixed.example":  {"10.0.0.1", "198.41.0.4", "::ffff:127.0.0.1"},
			"inside.example": {"10.0.0.1", "169.254.169.254", "fe80::1", "fd00::1"},
			"localhost":      {"127.0.0.1"},
			"own.example":    {"198.41.0.9"},
			"four6.example":  {"::ffff:192.168.0.1"},
			"lots.example":   lots,
		},
		fail: map[string]error{"ip sick.example": &net.DNSError{Err: "server misbehaving", IsTemporary: true}},
	}
	r := NewDirect(DirectOptions{Resolver: dns, Own: []netip.Addr{netip.MustParseAddr("198.41.0.9")}})
	for host, want := range map[string]string{
		"mx.example": "[198.41.0.4 2606:4700::1 198.41.0.5]", "mixed.example": "[198.41.0.4]",
		"inside.example": "5.4.4", "four6.example": "5.4.4", "localhost": "5.4.6", "own.example": "5.4.6",
		"missing.example": "5.4.4", "sick.example": "5.4.3",
	} {
		addrs, err := r.Addrs(t.Context(), Hop{Host: host})
		got := fmt.Sprint(addrs)
		if err != nil {
			got = fault(t, err).Enhanced
		}
		if got != want {
			t.Errorf("%s: got %s, want %s (%v)", host, got, want, err)
		}
	}
	if addrs, err := r.Addrs(t.Context(), Hop{Host: "lots.example"}); len(addrs) != MaxAddrs || err != nil {
		t.Errorf("%d addresses, %v", len(addrs), err)
	}
	for _, asked := range dns.asked {
		if !strings.HasSuffix(asked, ".") {
			t.Errorf("asked %q, which a search list could complete", asked)
		}
	}
}

func TestPermit(t *testing.T) {
	g := gate{allow: []netip.Prefix{netip.MustParsePrefix("127.5.0.0/16")}, own: []netip.Addr{netip.MustParseAddr("198.41.0.9")}}
	for a, want := range map[string]error{
		"198.41.0.4": nil, "2606:4700::1": nil, "::ffff:198.41.0.4": nil, "64:ff9b::198.41.0.4": nil, "127.5.1.1": nil,
		"::ffff:127.5.1.1": nil,
		"127.0.0.1":        errOwn, "::1": errOwn, "0.0.0.0": errOwn, "::": errOwn, "198.41.0.9": errOwn,
		"::ffff:127.0.0.1": errOwn, "64:ff9b::127.0.0.1": errOwn, "::ffff:198.41.0.9": errOwn,
		"10.1.2.3": errInternal, "172.16.0.1": errInternal, "172.31.255.255": errInternal, "192.168.1.1": errInternal,
		"169.254.169.254": errInternal, "100.64.0.1": errInternal, "100.127.255.255": errInternal, "224.0.0.1": errInternal,
		"255.255.255.255": errInternal, "192.0.2.1": errInternal, "198.18.0.1": errInternal, "168.63.129.16": errInternal,
		"fe80::1": errInternal, "fe80::1%eth0": errInternal, "fd00:ec2::254": errInternal, "ff02::1": errInternal,
		"2002:7f00:1::": errInternal, "2001:0:1::1": errInternal, "2001:db8::1": errInternal, "::ffff:10.0.0.1": errInternal,
		"64:ff9b::10.0.0.1": errInternal, "64:ff9b:1::1": errInternal, "::7f00:1": errInternal,
	} {
		if err := g.permit(netip.MustParseAddr(a)); !errors.Is(err, want) || (want == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", a, err, want)
		}
	}
	if err := g.permit(netip.Addr{}); err == nil {
		t.Error("the zero address may be dialled")
	}
}
