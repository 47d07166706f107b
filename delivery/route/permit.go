package route

import (
	"errors"
	"fmt"
	"net/netip"
)

// Why an address must not be dialled.
var (
	errOwn      = errors.New("mail loops back to this machine")
	errInternal = errors.New("not a public address")
)

// gate decides which addresses may be dialled. Without it the DNS of any recipient could point us at our own network.
type gate struct {
	allow []netip.Prefix
	own   []netip.Addr
}

func (g gate) permit(a netip.Addr) error {
	a = a.Unmap()
	if embedded, ok := nat64(a); ok {
		a = embedded
	}
	for _, p := range g.allow {
		if p.Contains(a) {
			return nil
		}
	}
	if !a.IsValid() || a.Zone() != "" {
		return errInternal
	}
	if a.IsLoopback() || a.IsUnspecified() {
		return fmt.Errorf("%s: %w", a, errOwn)
	}
	for _, own := range g.own {
		if own.Unmap().WithZone("") == a {
			return fmt.Errorf("%s: %w", a, errOwn)
		}
	}
	if !public(a) {
		return fmt.Errorf("%s: %w", a, errInternal)
	}
	return nil
}

// nat64 takes the IPv4 address out of one that DNS64 made (RFC 6052 §2.1): the public Internet of an IPv6-only network.
func nat64(a netip.Addr) (netip.Addr, bool) {
	if !nat64Prefix.Contains(a) {
		return a, false
	}
	b := a.As16()
	return netip.AddrFrom4([4]byte(b[12:])), true
}

func public(a netip.Addr) bool {
	if a.Is6() && !globalUnicast6.Contains(a) {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

var (
	nat64Prefix    = netip.MustParsePrefix("64:ff9b::/96")
	globalUnicast6 = netip.MustParsePrefix("2000::/3")
)

// notPublic is what the IANA special-purpose registries (RFC 6890) reserve within the unicast space, and the one cloud
// metadata address that lies outside of it.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this network
	netip.MustParsePrefix("10.0.0.0/8"),       // private
	netip.MustParsePrefix("100.64.0.0/10"),    // carrier-grade NAT
	netip.MustParsePrefix("127.0.0.0/8"),      // loopback
	netip.MustParsePrefix("168.63.129.16/32"), // metadata of one cloud
	netip.MustParsePrefix("169.254.0.0/16"),   // link-local; metadata of the others
	netip.MustParsePrefix("172.16.0.0/12"),    // private
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),     // documentation
	netip.MustParsePrefix("192.88.99.0/24"),   // 6to4 relays
	netip.MustParsePrefix("192.168.0.0/16"),   // private
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"),  // documentation
	netip.MustParsePrefix("203.0.113.0/24"),   // documentation
	netip.MustParsePrefix("224.0.0.0/4"),      // multicast
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved, broadcast
	netip.MustParsePrefix("2001::/23"),        // protocol assignments, Teredo
	netip.MustParsePrefix("2001:db8::/32"),    // documentation
	netip.MustParsePrefix("2002::/16"),        // 6to4, which embeds any IPv4 address
	netip.MustParsePrefix("3fff::/20"),        // documentation
}
