package smtpout

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
	"github.com/mailblast/mailblast/delivery/smtpout/hosts"
)

// search is one hunt for a connection to a site.
type search struct {
	t     *Transport
	s     *sender
	via   int
	path  *Path
	avoid []*hosts.Host // tried for this batch already
	left  int           // addresses that may still be dialled

	worst  *fault.Fault // the last of them
	dns    *route.Error // the mildest of them
	down   bool         // every host cools down
	full   bool         // a host that works takes no more connections
	next   time.Time    // when the first may be tried again
	refuse int          // hosts that said a final no, twice
	hosts  int

	starved bool // there are no file descriptors for another connection
}

// connection gives an idle connection to domain's site, or a new one. The error is that of a cut ctx.
func (t *Transport) connection(ctx context.Context, s *sender, a aim, avoid []*hosts.Host) (*line, *trouble, error) {
	x := &search{t: t, s: s, via: a.via, path: &t.o.Paths[a.via], avoid: avoid, left: route.MaxAddrs, down: true}
	r, err := x.path.Router.Route(ctx, a.domain)
	if err != nil {
		return nil, x.unrouted(err), ctx.Err()
	}
	for _, hop := range r.Hops {
		if c := x.cached(ctx, hop); c != nil {
			return c, nil, nil
		}
	}
	for _, hop := range r.Hops[:min(len(r.Hops), route.MaxHops)] {
		c, halt := x.try(ctx, hop)
		if err := ctx.Err(); err != nil {
			if c != nil {
				c.hangUp()
			}
			return nil, nil, err
		}
		if c != nil || halt != nil {
			return c, halt, nil
		}
		if x.starved {
			break
		}
	}
	return nil, x.verdict(), nil
}

func (x *search) unrouted(err error) *trouble {
	f := &trouble{Fault: fault.Fault{Stage: delivery.StageResolve, Text: fault.Describe(err)}, down: true}
	errors.As(err, &f.dns)
	return f
}

func (x *search) id(hop route.Hop) key {
	return key{x.s.o.Name, x.via, net.JoinHostPort(hop.Host, strconv.Itoa(hop.Port)), x.path.Bind}
}

func (x *search) cached(ctx context.Context, hop route.Hop) *line {
	for c := x.t.cache.get(x.id(hop)); c != nil; c = x.t.cache.get(x.id(hop)) {
		if c.reuse(ctx, hop) {
			return c
		}
	}
	return nil
}

// try dials one host, address by address, unless it cools down.
func (x *search) try(ctx context.Context, hop route.Hop) (c *line, halt *trouble) {
	h := x.t.hosts.Get(hop)
	if slices.Contains(x.avoid, h) {
		x.down = false
		return nil, nil
	}
	x.hosts++
	if f, end := h.Cooling(time.Now()); f != nil {
		x.note(h, &trouble{Fault: *f}, end)
		return nil, nil
	}
	if !h.Enter(x.s.o.Name) {
		x.full = true
		return nil, nil
	}
	defer func() { // at a panic too
		if c == nil {
			h.Leave(x.s.o.Name, false)
		}
	}()
	if c, halt = x.enter(ctx, hop, h); c == nil {
		return nil, halt
	}
	c.up = true
	h.Up()
	return c, nil
}

// enter goes through the addresses of a host.
func (x *search) enter(ctx context.Context, hop route.Hop, h *hosts.Host) (c *line, halt *trouble) {
	started := time.Now()
	addrs, err := x.path.Router.Addrs(ctx, hop)
	if err != nil {
		f := x.unrouted(err)
		f.Host = hop.Host
		x.note(h, f, time.Time{})
		return nil, nil
	}
	f := &fault.Fault{Stage: delivery.StageConnect, Host: hop.Host, Text: "no address to dial from " + x.path.Bind.String()}
	for _, a := range x.t.family.order(addrs, x.path.Bind) {
		if x.left--; x.left < 0 || ctx.Err() != nil {
			break
		}
		if c, f = x.reach(ctx, hop, h, a); f == nil {
			return c, nil
		}
		switch {
		case f.Halts:
			return nil, &trouble{Fault: *f}
		case x.starved: // no host's fault, and the same at every other
			x.full = true
			return nil, nil
		}
	}
	if ctx.Err() == nil {
		if h.Fail(f, started, x.t.cool(x.via)) {
			x.full = true
			x.t.log.Debug("host takes no more connections", "host", f.Host, "error", f.Text)
			return nil, nil
		}
		_, end := h.Cooling(time.Now())
		x.note(h, &trouble{Fault: *f}, end)
		x.t.log.Debug("host not reached", "host", f.Host, "stage", f.Stage.String(), "error", f.Text, "again", end)
	}
	return nil, nil
}

// note takes one host's fault into what is said when there is no other.
func (x *search) note(h *hosts.Host, f *trouble, end time.Time) {
	if f.dns != nil {
		x.dns = route.Milder(x.dns, f.dns)
	} else {
		x.worst = &f.Fault
	}
	if f.dns == nil && end.IsZero() {
		x.down = false
	}
	if !end.IsZero() && (x.next.IsZero() || end.Before(x.next)) {
		x.next = end
	}
	if h.RefusedTwice() {
		x.refuse++
	}
}

func (x *search) verdict() *trouble {
	switch {
	case x.full:
		return &trouble{full: true}
	case x.worst == nil && x.dns != nil:
		return &trouble{Fault: fault.Fault{Stage: delivery.StageResolve}, dns: x.dns, down: x.down}
	case x.worst == nil:
		return &trouble{Fault: fault.Fault{Stage: delivery.StageConnect, Text: "no other host to try"}}
	}
	f := &trouble{Fault: *x.worst, down: x.down, next: x.next}
	f.Charged = false
	f.final = !x.path.Relay && x.refuse > 0 && x.refuse == x.hosts && len(x.avoid) == 0
	return f
}
