package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// sockets are all connections of a Store, for Cut: the driver would wait for a reply whatever its context says.
type sockets struct {
	mu   sync.Mutex
	open map[*limited]bool
	over bool // no more are made
}

var errCut = errors.New("cut off")

func (s *sockets) add(c *limited) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return errCut
	}
	if s.open == nil {
		s.open = map[*limited]bool{}
	}
	s.open[c] = true
	return nil
}

func (s *sockets) cut() {
	s.mu.Lock()
	all := s.open
	s.open, s.over = nil, true
	s.mu.Unlock()
	for c := range all {
		_ = c.Conn.Close() // nothing in it is wanted any more
	}
}

func (s *sockets) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// dialer makes connections whose other end may be silent for so long.
type dialer struct {
	answer time.Duration
	all    *sockets
}

func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d *dialer) DialTimeout(network, address string, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &limited{Conn: raw, answer: d.answer, all: d.all}
	if err := d.all.add(c); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return c, nil
}

// limited is a connection that waits so long for its other end, unless it was told by when to be done, as it is while it logs in.
type limited struct {
	net.Conn
	answer time.Duration
	all    *sockets
	told   bool
}

func (c *limited) SetDeadline(t time.Time) error {
	c.told = !t.IsZero()
	return c.Conn.SetDeadline(t)
}

func (c *limited) Read(b []byte) (int, error) {
	if !c.told {
		if err := c.SetReadDeadline(time.Now().Add(c.answer)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(b)
}

func (c *limited) Write(b []byte) (int, error) {
	if !c.told {
		if err := c.SetWriteDeadline(time.Now().Add(c.answer)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

func (c *limited) Close() error {
	c.all.mu.Lock()
	delete(c.all.open, c)
	c.all.mu.Unlock()
	return c.Conn.Close()
}
