package route

import (
	"context"
	"errors"
	"net/netip"
)

// relay sends everything to one smarthost, wherever that is: the operator named it.
type relay struct {
	hop   Hop
	site  string
	hosts *hosts
}

// NewRelay gives the Router that has one site for all domains and permits every address. A host that is a name is
// looked up as the system would, search list included.
func NewRelay(h Hop, dns Resolver) Router {
	return &relay{hop: h, site: h.Host, hosts: newHosts(dns)}
}

func (r *relay) Route(context.Context, string) (Route, error) {
	return Route{Site: r.site, Hops: []Hop{r.hop}}, nil
}

func (r *relay) Site(string) (string, bool) { return r.site, true }

func (r *relay) Permit(netip.Addr) error { return nil }

func (r *relay) Addrs(ctx context.Context, h Hop) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(h.Host); err == nil {
		return []netip.Addr{a}, nil
	}
	addrs, err := r.hosts.lookup(ctx, h.Host)
	if err != nil {
		return nil, unnamed(h.Host, err)
	}
	return append([]netip.Addr(nil), addrs[:min(len(addrs), MaxAddrs)]...), nil
}

// unnamed turns "no such name" into trouble: a relay's missing name is the operator's fault, never a recipient's.
func unnamed(host string, err error) error {
	e := new(Error)
	if !errors.As(err, &e) || !e.NotFound {
		return err
	}
	return trouble(host, e.Err)
}
