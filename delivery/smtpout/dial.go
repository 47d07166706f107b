package smtpout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpout/conn"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
	"github.com/mailblast/mailblast/delivery/smtpout/hosts"
)

// v6Pause is how long IPv6 is tried last after it turned out to lead nowhere.
const v6Pause = 10 * time.Minute

// family remembers whether IPv6 works here.
type family struct {
	mu     sync.Mutex
	v6Down time.Time
}

func (f *family) failed(a netip.Addr, err error) {
	if !a.Is6() || !errors.Is(err, syscall.ENETUNREACH) && !errors.Is(err, syscall.EHOSTUNREACH) && !fault.TimedOut(err) {
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

// reach dials one address and brings the connection up; once more without TLS where TLS was only wished for.
func (x *search) reach(ctx context.Context, hop route.Hop, h *hosts.Host, a netip.Addr) (*line, *fault.Fault) {
	for _, plain := range []bool{false, true} {
		c, f := x.dial(ctx, hop, h, a)
		if f != nil {
			return nil, f
		}
		if f = c.bringUp(ctx, plain); f == nil {
			return c, nil
		}
		if !f.Unsafe || plain || ctx.Err() != nil {
			return nil, f
		}
		x.t.log.Info("TLS failed, going on without", "host", f.Host, "error", f.Text)
	}
	return nil, nil // not reached: the second round always returns
}

func (x *search) dial(ctx context.Context, hop route.Hop, h *hosts.Host, a netip.Addr) (*line, *fault.Fault) {
	name := hop.Host
	if name != a.String() {
		name = fmt.Sprintf("%s [%s]", name, a)
	}
	broke := func(err error) (*line, *fault.Fault) {
		f := fault.Broke(delivery.StageConnect, err)
		f.Host = name
		return nil, f
	}
	if err := x.t.cache.acquire(ctx); err != nil {
		return broke(err)
	}
	taken := true // until somebody else is to give it back
	defer func() {
		if taken {
			x.t.cache.release()
		}
	}()
	raw, err := x.t.connect(ctx, x.path, netip.AddrPortFrom(a, uint16(hop.Port)))
	if fault.Starved(err) && x.t.cache.shed() {
		raw, err = x.t.connect(ctx, x.path, netip.AddrPortFrom(a, uint16(hop.Port)))
	}
	if fault.Starved(err) {
		x.starved, taken = true, false
		x.t.starve()
		return broke(err)
	}
	if err != nil {
		x.t.family.failed(a, err)
		return broke(err)
	}
	taken = false
	return &line{
		Conn: conn.New(raw, name, hop, &x.t.conns[x.via]), cache: x.t.cache, key: x.id(hop), host: h,
		idle: x.s.o.Idle, perConn: x.s.o.PerConnection,
	}, nil
}

// starve goes on with the connections there are, when the system gives no more.
func (t *Transport) starve() {
	t.cache.shrink()
	t.hunger.Do(func() {
		t.log.Warn("this machine is out of file descriptors: going on with fewer connections; more with: ulimit -n")
	})
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
