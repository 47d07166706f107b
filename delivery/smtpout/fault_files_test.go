package smtpout

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// counted is a connection that has a file descriptor until it is closed.
type counted struct {
	net.Conn
	open   *atomic.Int32
	closed atomic.Bool
}

func (c *counted) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

// Where the system gives fewer sockets than there are threads, those do it. Dials are not repeated in vain, no host is blamed, and no
// message loses a try.
func TestFaultFewSockets(t *testing.T) {
	const sockets, threads, letters = 5, 40, 400
	synctest.Test(t, func(t *testing.T) {
		p := newPosting(t)
		p.o.Connections = threads
		host := p.host(t, "relay.example", smtptest.Options{Latency: 50 * time.Millisecond})
		for i := range 10 {
			p.mx[fmt.Sprintf("d%d.example", i)] = []string{"relay.example"}
		}
		p.mail(letters, "d0.example", "d1.example", "d2.example", "d3.example", "d4.example", "d5.example")
		var open, vain atomic.Int32
		p.dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if open.Add(1) > sockets {
				open.Add(-1)
				vain.Add(1)
				return nil, &net.OpError{Op: "dial", Err: syscall.EMFILE}
			}
			c, err := p.dial(ctx, network, addr)
			return &counted{Conn: c, open: &open}, err
		}
		p.run()
		if n := p.totals(); p.err != nil || n["sent"] != letters {
			t.Errorf("%v, %v", n, p.err)
		}
		for i := range letters {
			if os := p.book.all[p.id(i, 0)]; len(os) != 1 {
				t.Errorf("letter %d: %s", i, p.story(i))
			}
		}
		total, most, _ := host.Connections()
		if most > sockets || total > 4*threads || vain.Load() > threads {
			t.Errorf("%d connections, %d at once; %d dials in vain", total, most, vain.Load())
		}
		if least := letters / sockets * 100 * time.Millisecond; p.took > 3*least {
			t.Errorf("took %v", p.took)
		}
		t.Logf("%d connections, %d at once, %d dials in vain, %v", total, most, vain.Load(), p.took)
	})
	t.Attr("fault", "R19 EMFILE at a dial")
	t.Attr("expected", "the pool shrinks to what there is, no dial spin, nothing charged")
	t.Attr("seen", "40 threads and 5 sockets: 400 sent at their first try, no more than one dial in vain a thread")
}
