package smtpout

import (
	"context"
	"fmt"
	"net"
	"sync"
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

// What there were no file descriptors for comes back when there are some again. While there are none, looking for them costs next to
// nothing.
func TestFaultSocketsComeBack(t *testing.T) {
	const few, threads, letters = 5, 40, 3000 // so many that the last socket is back before the last letter, however late it was lost
	for name, want := range map[string]time.Duration{"for a moment": 5 * time.Second, "for good": time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			p := newPosting(t)
			p.o.Connections, p.most = threads, threads
			p.host(t, "relay.example", smtptest.Options{Latency: 500 * time.Millisecond})
			p.mx["a.example"] = []string{"relay.example"}
			p.mail(letters, "a.example")
			var open, vain atomic.Int32
			var mu sync.Mutex
			most := int32(0)
			began := time.Now()
			p.dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
				n := open.Add(1)
				if n > few && time.Since(began) < want {
					open.Add(-1)
					vain.Add(1)
					return nil, &net.OpError{Op: "dial", Err: syscall.EMFILE}
				}
				mu.Lock()
				most = max(most, n)
				mu.Unlock()
				c, err := p.dial(ctx, network, addr)
				return &counted{Conn: c, open: &open}, err
			}
			p.run()
			if n := p.totals(); p.err != nil || n["sent"] != letters {
				t.Errorf("%s: %v, %v", name, n, p.err)
			}
			slow := letters / few * time.Second                 // as long as it takes with few sockets only
			switch tries := threads + 2*int32(p.took/regrow); { // an idle connection may be given up for another look
			case vain.Load() > tries:
				t.Errorf("%s: %d dials in vain in %v", name, vain.Load(), p.took)
			case want < slow && (most != threads || p.took > slow/2):
				t.Errorf("%s: %d connections at once, took %v", name, most, p.took)
			case want > slow && (most != few || p.took > slow*5/4):
				t.Errorf("%s: %d connections at once, took %v", name, most, p.took)
			}
			t.Logf("%s: %d connections at once, %d dials in vain, %v", name, most, vain.Load(), p.took)
		})
	}
	t.Attr("fault", "R19 EMFILE at dials for 5 s, or for good")
	t.Attr("expected", "the pool shrinks, and grows again once it can; no dial spin meanwhile")
	t.Attr("seen", "40 threads, 5 sockets for 5 s: 40 connections a minute later; for good: one dial in vain each 10 s, or two")
}
