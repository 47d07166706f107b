package smtpout

import (
	"container/list"
	"context"
	"errors"
	"net"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

// quitWait is how long a goodbye may take; nobody waits for it.
const quitWait = 2 * time.Second

// conn is one connection. At any time it belongs to one goroutine, or to the cache.
type conn struct {
	t    *Transport
	path *Path
	key  key
	hop  route.Hop
	host *host
	name string // "mx.example.org [192.0.2.1]"

	raw      net.Conn // the socket; deadlines are set here
	nc       net.Conn // raw, or TLS over it
	r        *smtpwire.Reader
	w        *smtpwire.Writer
	ext      smtpwire.Extensions
	tls      string // as Outcome.TLS
	verified bool
	auth     string // the mechanism used

	cutErr  func() error // ctx.Err of who uses it now
	release func() bool  // unbinds it from that ctx
	inBody  bool         // between DATA and the final dot
	reset   bool         // the next transaction begins with RSET
	used    int          // transactions
	cached  bool         // it comes from the cache and has not proven itself since
	idle    time.Duration
	perConn int
	idleEnd time.Time
	place   *list.Element
}

// errEarly is the error of a write in mid-body when the peer has already replied or left.
var errEarly = errors.New("the server spoke before the end of the message")

// bind makes the end of ctx end every wait on c.
func (c *conn) bind(ctx context.Context) {
	c.cutErr = ctx.Err
	c.release = context.AfterFunc(ctx, func() { _ = c.raw.SetDeadline(time.Unix(1, 0)) })
}

// until sets a deadline, unless ctx has ended: then it is in the past.
func (c *conn) until(set func(time.Time) error, limit time.Duration) error {
	if err := set(time.Now().Add(limit)); err != nil {
		return err
	}
	if c.cutErr() != nil {
		return set(time.Unix(1, 0))
	}
	return nil
}

// read takes one reply. The limit is for the whole of it, however it drips.
func (c *conn) read(limit time.Duration) (smtpwire.Reply, error) {
	if err := c.until(c.raw.SetReadDeadline, limit); err != nil {
		return smtpwire.Reply{}, err
	}
	return c.r.Read()
}

// Write is what smtpwire writes through: each write has its own deadline, and in mid-body the peer is listened to.
func (c *conn) Write(p []byte) (int, error) {
	if c.inBody && c.spoke() {
		return 0, errEarly
	}
	if err := c.until(c.raw.SetWriteDeadline, c.t.o.Timeouts.Block); err != nil {
		return 0, err
	}
	return c.nc.Write(p)
}

// spoke tells that there is something to read, or the end of the connection.
func (c *conn) spoke() bool {
	if c.r.Buffered() > 0 {
		return true
	}
	if !stirred(c.raw) {
		return false
	}
	// Over TLS, what arrived may be a record without content.
	if err := c.until(c.raw.SetReadDeadline, 20*time.Millisecond); err != nil {
		return true
	}
	return !timedOut(c.r.Wait())
}

// ask writes one command and reads the reply to it.
func (c *conn) ask(stage delivery.Stage, limit time.Duration, parts ...string) (smtpwire.Reply, *fault) {
	err := c.w.Command(parts...)
	if err == nil {
		err = c.w.Flush()
	}
	if err != nil {
		return smtpwire.Reply{}, c.broke(stage, err)
	}
	return c.hear(stage, limit)
}

func (c *conn) hear(stage delivery.Stage, limit time.Duration) (smtpwire.Reply, *fault) {
	r, err := c.read(limit)
	if err != nil {
		return r, c.broke(stage, err)
	}
	return r, nil
}

// fresh tells whether an idle connection may still be used: the peer has neither said anything nor left.
func (c *conn) fresh() bool { return c.r.Buffered() == 0 && !stirred(c.raw) }

// park gives c to the cache, or lets it go when it has done its share.
func (c *conn) park(ok bool) {
	c.unbind()
	most, _ := c.host.limits(c.perConn)
	switch {
	case !ok:
		c.hangUp()
	case c.used >= most:
		c.t.cache.retire(c)
	case !c.t.cache.put(c):
		c.goodbye()
	}
}

func (c *conn) unbind() {
	if c.release != nil {
		c.release()
		c.release = nil
	}
	c.cutErr = func() error { return nil }
}

// hangUp closes the socket at once.
func (c *conn) hangUp() {
	c.unbind()
	_ = c.raw.Close()
	c.t.cache.release()
}

// goodbye says QUIT and does not wait for the answer.
func (c *conn) goodbye() {
	_ = c.raw.SetWriteDeadline(time.Now().Add(quitWait / 20))
	_, _ = c.nc.Write([]byte("QUIT\r\n"))
	c.hangUp()
}

// quit says QUIT and waits a moment for the answer (RFC 5321 §4.1.1.10). Whatever it is, the connection is closed.
func (c *conn) quit() {
	_ = c.raw.SetDeadline(time.Now().Add(quitWait))
	if _, err := c.nc.Write([]byte("QUIT\r\n")); err == nil {
		_, _ = c.r.Read()
	}
	c.hangUp()
}
