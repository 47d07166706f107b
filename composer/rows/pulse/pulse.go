// Package pulse makes connections to a PostgreSQL server on which nobody waits for ever. A server that works on a query says nothing
// either, so silence alone proves nothing:
//
//  1. the system's own probes find a host, or a way to it, that is gone: what is sent must be acknowledged in time;
//  2. where something in between still acknowledges, or the host lives and its server does not, the server is asked over another
//     connection whether it is there, each time when nothing came for a while. It need not log anybody in for that;
//  3. a server that answered so once, and then several times in a row does not, is gone; so is one that kept silent for longer than
//     it gives any statement.
//
// A connection whose server is gone ends with an error. One whose server answers is waited on.
package pulse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Options of a Dialer.
type Options struct {
	Quiet  time.Duration // without a word, until the server is asked; 0: 10 s
	Answer time.Duration // for it to answer; 0: 5 s
	Most   time.Duration // the longest silence; 0: no limit
}

const (
	soon   = 5  // part of Quiet after which it is asked for the first time, while nothing is wrong yet
	misses = 3  // answers in a row that do not come
	gone   = 40 // seconds without a sign from the host; Quiet and Answer come to as much
)

// Dialer dials like net.Dialer.
type Dialer struct {
	o Options

	mu   sync.Mutex
	open map[*conn]bool
}

// NewDialer gives a Dialer.
func NewDialer(o Options) *Dialer {
	if o.Quiet == 0 {
		o.Quiet = 10 * time.Second
	}
	if o.Answer == 0 {
		o.Answer = 5 * time.Second
	}
	return &Dialer{o: o, open: map[*conn]bool{}}
}

// Cut closes all connections: who reads from one gets an error at once. pq does not stop reading for a context that ends.
func (d *Dialer) Cut() {
	d.mu.Lock()
	all := slices.Collect(maps.Keys(d.open))
	d.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // nothing in it is wanted any more
	}
}

// DialContext gives a connection. The server is asked only once its deadline is lifted, which pq does when it has logged in.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	nd := net.Dialer{Control: control, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: gone / 2 * time.Second, Interval: 5 * time.Second, Count: 4}}
	raw, err := nd.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, d: d}
	c.open, c.end = context.WithCancel(context.Background())
	d.mu.Lock()
	d.open[c] = true
	d.mu.Unlock()
	return c, nil
}

// Dial is DialContext for pq.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialTimeout is DialContext for pq.
func (d *Dialer) DialTimeout(network, address string, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

type conn struct {
	net.Conn
	d       *Dialer
	up      bool // its deadline was lifted
	answers bool // the server answered over another connection
	open    context.Context
	end     context.CancelFunc
}

// SetDeadline begins to listen for silence when it lifts the deadline.
func (c *conn) SetDeadline(t time.Time) error {
	c.up = t.IsZero()
	return c.Conn.SetDeadline(t)
}

// Read waits for as long as the server is there.
func (c *conn) Read(b []byte) (int, error) {
	if !c.up {
		return c.Conn.Read(b)
	}
	begun, missed := time.Now(), 0
	for {
		wait := c.d.o.Quiet
		if !c.answers {
			wait /= soon
		}
		if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		switch err := c.ask(); {
		case err == nil:
			c.answers, missed = true, 0
		case c.answers && absent(err):
			missed++
		}
		silent := time.Since(begun)
		if missed == misses || c.d.o.Most > 0 && silent > c.d.o.Most {
			_ = c.Close() // what may come yet is not wanted any more
			return 0, &net.OpError{Op: "read", Net: c.RemoteAddr().Network(), Addr: c.RemoteAddr(),
				Err: fmt.Errorf("nothing came for %v", silent.Round(time.Second/10))}
		}
	}
}

// ask has the server answer over another connection, be it by closing that. It sends the first message of a log-in, the question for
// TLS, which is answered by one octet; that somebody leaves then is nothing the server's log has a word for.
func (c *conn) ask() error {
	ctx, cancel := context.WithTimeout(c.open, c.d.o.Answer)
	defer cancel()
	to := c.RemoteAddr()
	raw, err := new(net.Dialer).DialContext(ctx, to.Network(), to.String())
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	defer context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })()
	_, err = raw.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47}) // SSLRequest
	if err == nil {
		_, err = raw.Read(make([]byte, 1))
	}
	if err != nil && !absent(err) {
		return nil // closed or reset: somebody is there
	}
	return err
}

// absent tells that nobody answers, from trouble of our own.
func absent(err error) bool {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return true
	}
	return errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}

// Close ends the connection.
func (c *conn) Close() error {
	c.end()
	c.d.mu.Lock()
	delete(c.d.open, c)
	c.d.mu.Unlock()
	return c.Conn.Close()
}
