// Package alert makes connections that tell when something comes, or when they end, while nobody reads: a session that waits for
// nothing learns at once that its server is gone.
package alert

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/mailblast/mailblast/delivery/panicked"
)

// Dialer dials like net.Dialer. Its News has a value whenever something came, or a connection ended.
type Dialer struct {
	news chan struct{}

	mu   sync.Mutex
	open map[*conn]bool
}

// NewDialer gives a Dialer.
func NewDialer() *Dialer { return &Dialer{news: make(chan struct{}, 1), open: map[*conn]bool{}} }

// News is one channel for all connections; several things that come together are one value.
func (d *Dialer) News() <-chan struct{} { return d.news }

// Cut closes all connections: who reads from one gets an error at once. pq does not stop reading for a context that ends.
func (d *Dialer) Cut() {
	d.mu.Lock()
	all := slices.Collect(maps.Keys(d.open))
	d.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // nothing in it is wanted any more
	}
}

// DialContext gives a connection. Once its deadline is lifted (pq does that when it has logged in), it is read ahead, and must not be
// given another.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, d: d, chunks: make(chan []byte), failed: make(chan struct{}), closed: make(chan struct{})}
	d.mu.Lock()
	d.open[c] = true
	d.mu.Unlock()
	if err := ctx.Err(); err != nil { // a Cut at that end may have come too early for this one
		_ = c.Close()
		return nil, err
	}
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
	ahead   bool
	chunks  chan []byte
	rest    []byte
	err     error
	failed  chan struct{} // closed after err was set
	closing sync.Once
	closed  chan struct{}
}

// SetDeadline begins to read ahead when it lifts the deadline.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.Conn.SetDeadline(t); err != nil {
		return err
	}
	if t.IsZero() && !c.ahead {
		c.ahead = true
		go c.readAhead()
	}
	return nil
}

// readAhead ends with the connection; a panic breaks that, and is why.
func (c *conn) readAhead() {
	defer close(c.failed)
	c.err = c.gather()
}

func (c *conn) gather() (err error) {
	defer panicked.Contain(&err)
	for {
		b := make([]byte, 4096)
		n, err := c.Conn.Read(b)
		select {
		case c.d.news <- struct{}{}:
		default:
		}
		if n > 0 {
			select {
			case c.chunks <- b[:n]:
			case <-c.closed:
				return net.ErrClosed
			}
		}
		if err != nil {
			return err
		}
	}
}

// Read gives what came.
func (c *conn) Read(b []byte) (int, error) {
	if !c.ahead {
		return c.Conn.Read(b)
	}
	if len(c.rest) == 0 {
		select {
		case c.rest = <-c.chunks:
		case <-c.failed:
			return 0, c.err
		}
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// Close ends the connection.
func (c *conn) Close() error {
	c.closing.Do(func() {
		close(c.closed)
		c.d.mu.Lock()
		defer c.d.mu.Unlock()
		delete(c.d.open, c)
	})
	return c.Conn.Close()
}
