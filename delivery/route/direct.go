package route

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"

	"github.com/mailblast/mailblast/delivery"
)

// DirectOptions say how the recipients' own mail exchangers are reached.
type DirectOptions struct {
	Port     int            // of every mail exchanger; 0 is 25
	Resolver Resolver       // required
	Allow    []netip.Prefix // networks that may be dialled although they are not public; for labs
	Own      []netip.Addr   // this machine's addresses: mail for them would come back to it
	TLS      Demand         // of every mail exchanger
	Random   *rand.Rand     // orders hosts of equal preference; nil is the runtime's source
}

// direct finds mail exchangers.
type direct struct {
	o     DirectOptions
	gate  gate
	hosts *hosts
	memo  *memo[exchangers]
	mu    sync.Mutex // Random is not safe for concurrent use
}

// NewDirect gives the Router to the recipients' mail exchangers.
func NewDirect(o DirectOptions) Router {
	if o.Port == 0 {
		o.Port = 25
	}
	return &direct{o: o, gate: gate{o.Allow, o.Own}, hosts: newHosts(o.Resolver), memo: newMemo[exchangers]()}
}

func (d *direct) Permit(a netip.Addr) error { return d.gate.permit(a) }

func (d *direct) Site(domain string) (string, bool) {
	a, ok := d.memo.recall(domain)
	return a.value.site, ok && a.err == nil
}

func (d *direct) Route(ctx context.Context, domain string) (Route, error) {
	x, err := d.memo.get(ctx, domain, func(ctx context.Context) (exchangers, error) { return d.exchangers(ctx, domain) })
	if err != nil {
		return Route{}, err
	}
	r := Route{Site: x.site, Hops: make([]Hop, 0, MaxHops)}
	for _, name := range d.pick(x.tiers, MaxHops) {
		r.Hops = append(r.Hops, Hop{Host: name, Port: d.o.Port, TLS: d.o.TLS})
	}
	return r, nil
}

// exchangers asks for the MX set of domain (RFC 5321 §5.1).
func (d *direct) exchangers(ctx context.Context, domain string) (exchangers, error) {
	if !hostname(domain) {
		return exchangers{}, refusal(delivery.ClassHard, "5.1.2", "no valid domain name")
	}
	// With some unusable records net.Resolver gives both the rest and an error.
	mx, err := d.o.Resolver.LookupMX(ctx, domain+".")
	switch {
	case len(mx) > 0:
		return d.usable(domain, mx)
	case err != nil && !notFound(err):
		return exchangers{}, trouble(domain, err)
	}
	// No MX: the domain is its own mail exchanger if it has an address.
	_, err = d.hosts.lookup(ctx, domain+".")
	if e := new(Error); errors.As(err, &e) && e.NotFound {
		return exchangers{}, missing(domain, "5.1.2", "does not exist or takes no mail: it has neither mail exchangers nor an address", e.Err)
	}
	if err != nil {
		return exchangers{}, err
	}
	return exchangers{site: domain, tiers: [][]string{{domain}}}, nil
}

func (d *direct) usable(domain string, mx []*net.MX) (exchangers, error) {
	tiers, null := rank(mx)
	switch {
	case len(tiers) > 0:
		x := exchangers{site: siteOf(tiers)}
		for left := MaxHops; left > 0 && len(tiers) > 0; tiers = tiers[1:] {
			best := d.pick(tiers[:1], left)
			x.tiers = append(x.tiers, best)
			left -= len(best)
		}
		return x, nil
	case null:
		return exchangers{}, refusal(delivery.ClassHard, "5.1.10", domain+" takes no mail: it has a null MX") // RFC 7505 §4.2
	}
	return exchangers{}, refusal(delivery.ClassSoft, "5.4.4", domain+" has no mail exchanger with a valid name")
}

// pick gives at most n names, those of one tier in random order.
func (d *direct) pick(tiers [][]string, n int) []string {
	shuffle := rand.Shuffle
	if d.o.Random != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		shuffle = d.o.Random.Shuffle
	}
	var names []string
	for _, tier := range tiers {
		names = append(names, tier...)
		mixed := names[len(names)-len(tier):]
		shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	}
	return names[:min(len(names), n)]
}

func (d *direct) Addrs(ctx context.Context, h Hop) ([]netip.Addr, error) {
	all, err := d.hosts.lookup(ctx, h.Host+".")
	if err != nil {
		return nil, err
	}
	var good []netip.Addr
	var why error
	for _, a := range all {
		if err := d.gate.permit(a); err == nil {
			good = append(good, a)
		} else if why == nil || errors.Is(err, errOwn) {
			why = err
		}
	}
	switch {
	case len(good) > 0:
		return good[:min(len(good), MaxAddrs)], nil
	case errors.Is(why, errOwn):
		return nil, refusal(delivery.ClassSoft, "5.4.6", h.Host+" is "+why.Error())
	}
	return nil, refusal(delivery.ClassSoft, "5.4.4", h.Host+" is "+why.Error())
}

func refusal(c delivery.Class, enhanced, text string) *Error {
	return &Error{Status: delivery.Failed, Class: c, Enhanced: enhanced, Text: text}
}
