package smtpout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

// v6Pause is how long IPv6 is tried last after it turned out to lead nowhere.
const v6Pause = 10 * time.Minute

// family remembers whether IPv6 works here.
type family struct {
	mu     sync.Mutex
	v6Down time.Time
}

func (f *family) failed(a netip.Addr, err error) {
	if !a.Is6() || !errors.Is(err, syscall.ENETUNREACH) && !errors.Is(err, syscall.EHOSTUNREACH) && !timedOut(err) {
		return
	}
	f.mu.Lock()
	f.v6Down = time.Now().Add(v6Pause)
	f.mu.Unlock()
}

// order puts IPv6 last while it is down, and leaves out what cannot be reached from bind.
func (f *family) order(addrs []netip.Addr, bind netip.Addr) []netip.Addr {
	f.mu.Lock()
	down := f.v6Down.After(time.Now())
	f.mu.Unlock()
	if bind.IsValid() {
		addrs = slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return a.Is4() != bind.Is4() })
	}
	if down {
		addrs = slices.Clone(addrs)
		slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	}
	return addrs
}

// search is one hunt for a connection to a site.
type search struct {
	t     *Transport
	s     *sender
	via   int
	path  *Path
	avoid []*host // tried for this batch already
	left  int     // addresses that may still be dialled

	worst  *fault       // the last of them
	dns    *route.Error // the mildest of them
	down   bool         // every host cools down
	next   time.Time    // when the first may be tried again
	refuse int          // hosts that said a final no, twice
	hosts  int
}

// connection gives an idle connection to domain's site, or a new one. The error is that of a cut ctx.
func (t *Transport) connection(ctx context.Context, s *sender, a aim, avoid []*host) (*conn, *fault, error) {
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
	}
	return nil, x.verdict(), nil
}

func (x *search) unrouted(err error) *fault {
	f := &fault{stage: delivery.StageResolve, down: true, text: describe(err)}
	errors.As(err, &f.dns)
	return f
}

func (x *search) id(hop route.Hop) key {
	return key{x.s.o.Name, x.via, net.JoinHostPort(hop.Host, strconv.Itoa(hop.Port)), x.path.Bind}
}

func (x *search) cached(ctx context.Context, hop route.Hop) *conn {
	for c := x.t.cache.get(x.id(hop)); c != nil; c = x.t.cache.get(x.id(hop)) {
		if c.hop.TLS == hop.TLS && c.fresh() {
			c.cached = true
			c.bind(ctx)
			return c
		}
		c.hangUp()
	}
	return nil
}

// try dials one host, address by address, unless it cools down.
func (x *search) try(ctx context.Context, hop route.Hop) (c *conn, halt *fault) {
	h := x.t.hosts.get(hop)
	if slices.Contains(x.avoid, h) {
		x.down = false
		return nil, nil
	}
	x.hosts++
	if f, end := h.cooling(time.Now()); f != nil {
		x.note(h, f, end)
		return nil, nil
	}
	started := time.Now()
	addrs, err := x.path.Router.Addrs(ctx, hop)
	if err != nil {
		f := x.unrouted(err)
		f.host = hop.Host
		x.note(h, f, time.Time{})
		return nil, nil
	}
	f := &fault{stage: delivery.StageConnect, host: hop.Host, text: "no address to dial from " + x.path.Bind.String()}
	for _, a := range x.t.family.order(addrs, x.path.Bind) {
		if x.left--; x.left < 0 || ctx.Err() != nil {
			break
		}
		if c, f = x.reach(ctx, hop, h, a); f == nil {
			return c, nil
		}
		if f.halts {
			return nil, f
		}
	}
	if ctx.Err() == nil {
		h.fail(f, started)
		_, end := h.cooling(time.Now())
		x.note(h, f, end)
		x.t.log.Debug("host not reached", "host", f.host, "stage", f.stage.String(), "error", f.text, "again", end)
	}
	return nil, nil
}

// note takes one host's fault into what is said when there is no other.
func (x *search) note(h *host, f *fault, end time.Time) {
	if f.dns != nil {
		x.dns = route.Milder(x.dns, f.dns)
	} else {
		x.worst = f
	}
	if f.dns == nil && end.IsZero() {
		x.down = false
	}
	if !end.IsZero() && (x.next.IsZero() || end.Before(x.next)) {
		x.next = end
	}
	if h.refusedTwice() {
		x.refuse++
	}
}

func (x *search) verdict() *fault {
	if x.worst == nil {
		f := &fault{stage: delivery.StageResolve, dns: x.dns, down: x.down}
		if x.dns == nil {
			f = &fault{stage: delivery.StageConnect, text: "no other host to try"}
		}
		return f
	}
	f := *x.worst
	f.charged, f.down, f.next = false, x.down, x.next
	f.final = !x.path.Relay && x.refuse > 0 && x.refuse == x.hosts && len(x.avoid) == 0
	return &f
}

// reach dials one address and brings the connection up; once more without TLS where TLS was only wished for.
func (x *search) reach(ctx context.Context, hop route.Hop, h *host, a netip.Addr) (*conn, *fault) {
	for _, plain := range []bool{false, true} {
		c, f := x.dial(ctx, hop, h, a)
		if f != nil {
			return nil, f
		}
		c.bind(ctx)
		if f = c.open(ctx, plain); f == nil {
			return c, nil
		}
		c.hangUp()
		if !f.unsafe || plain || ctx.Err() != nil {
			return nil, f
		}
		x.t.log.Info("TLS failed, going on without", "host", f.host, "error", f.text)
	}
	return nil, nil // not reached: the second round always returns
}

func (x *search) dial(ctx context.Context, hop route.Hop, h *host, a netip.Addr) (*conn, *fault) {
	c := &conn{t: x.t, path: x.path, key: x.id(hop), hop: hop, host: h, name: hop.Host, idle: x.s.o.Idle, perConn: x.s.o.PerConnection}
	if hop.Host != a.String() {
		c.name = fmt.Sprintf("%s [%s]", hop.Host, a)
	}
	if err := x.t.cache.acquire(ctx); err != nil {
		return nil, c.broke(delivery.StageConnect, err)
	}
	raw, err := x.t.connect(ctx, x.path, netip.AddrPortFrom(a, uint16(hop.Port)))
	if starved(err) {
		x.t.cache.shed()
		raw, err = x.t.connect(ctx, x.path, netip.AddrPortFrom(a, uint16(hop.Port)))
	}
	if err != nil {
		x.t.cache.release()
		x.t.family.failed(a, err)
		return nil, c.broke(delivery.StageConnect, err)
	}
	c.raw, c.nc = raw, raw
	c.r, c.w = smtpwire.NewReader(raw), smtpwire.NewWriter(c)
	return c, nil
}

// connect opens the socket. The address that is connected to is checked last of all, in the dialer.
func (t *Transport) connect(ctx context.Context, p *Path, to netip.AddrPort) (net.Conn, error) {
	if err := p.Router.Permit(to.Addr()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.o.Timeouts.Connect)
	defer cancel()
	if t.o.Dial != nil {
		return t.o.Dial(ctx, "tcp", to.String())
	}
	d := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return p.Router.Permit(a.Addr())
	}}
	if p.Bind.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.Bind, 0))
	}
	return d.DialContext(ctx, "tcp", to.String())
}
