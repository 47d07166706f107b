// Package conn is one SMTP connection as a client (RFC 5321): brought up, spoken over, ended.
//
//  1. New takes a socket that is connected;
//  2. Bind ties it to the ctx of who uses it, Open brings it up: greeting, EHLO, STARTTLS as demanded, EHLO again, AUTH;
//  3. commands go through Out, replies come from Read, each wait with its own limit;
//  4. Unbind unties it, Fresh tells whether it may be bound again;
//  5. Quit, Goodbye or Close ends it.
package conn

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

// quitWait is how long a goodbye may take; nobody waits for it.
const quitWait = 2 * time.Second

// Conn is one connection. At any time it belongs to one goroutine, or to a cache.
type Conn struct {
	Name  string // "mx.example.org [192.0.2.1]"
	Hop   route.Hop
	Ext   smtpwire.Extensions
	TLS   string // as Outcome.TLS
	Login string // the mechanism used

	Out       *smtpwire.Writer
	InBody    bool // between DATA and the final dot: the peer is listened to while we write
	NeedsRset bool // the next transaction begins with RSET

	o        *Options
	raw      net.Conn // the socket; deadlines are set here
	nc       net.Conn // raw, or TLS over it
	in       *smtpwire.Reader
	verified bool
	mask     mask         // of the login
	cutErr   func() error // ctx.Err of who uses it now
	release  func() bool  // unbinds it from that ctx
}

// New makes a connection of a socket to the host of hop. o is not changed.
func New(raw net.Conn, name string, hop route.Hop, o *Options) *Conn {
	c := &Conn{Name: name, Hop: hop, o: o, raw: raw, nc: raw, in: smtpwire.NewReader(raw)}
	c.Out = smtpwire.NewWriter(writer{c})
	return c
}

// ErrEarly is the error of a write in mid-body when the peer has already replied or left.
var ErrEarly = errors.New("the server spoke before the end of the message")

// Timeouts gives the limits of c's waits.
func (c *Conn) Timeouts() *Timeouts { return &c.o.Timeouts }

// Relay tells whether the peer is a server of ours.
func (c *Conn) Relay() bool { return c.o.Relay }

// Bind makes the end of ctx end every wait on c.
func (c *Conn) Bind(ctx context.Context) {
	c.cutErr = ctx.Err
	c.release = context.AfterFunc(ctx, func() { _ = c.raw.SetDeadline(time.Unix(1, 0)) })
}

// until sets a deadline, unless ctx has ended: then it is in the past.
func (c *Conn) until(set func(time.Time) error, limit time.Duration) error {
	if err := set(time.Now().Add(limit)); err != nil {
		return err
	}
	if c.cutErr() != nil {
		return set(time.Unix(1, 0))
	}
	return nil
}

// Read takes one reply. The limit is for the whole of it, however it drips.
func (c *Conn) Read(limit time.Duration) (smtpwire.Reply, error) {
	if err := c.until(c.raw.SetReadDeadline, limit); err != nil {
		return smtpwire.Reply{}, err
	}
	r, err := c.in.Read()
	c.mask.reply(&r, err, c.Login == "")
	return r, err
}

// writer is what smtpwire writes through: each write has its own deadline, and in mid-body the peer is listened to.
type writer struct{ c *Conn }

func (w writer) Write(p []byte) (int, error) {
	c := w.c
	if c.InBody && c.spoke() {
		return 0, ErrEarly
	}
	if err := c.until(c.raw.SetWriteDeadline, c.o.Timeouts.Block); err != nil {
		return 0, err
	}
	return c.nc.Write(p)
}

// spoke tells that there is something to read, or the end of the connection.
func (c *Conn) spoke() bool {
	if c.Pending() {
		return true
	}
	if !stirred(c.raw) {
		return false
	}
	// Over TLS, what arrived may be a record without content.
	if err := c.until(c.raw.SetReadDeadline, 20*time.Millisecond); err != nil {
		return true
	}
	return !fault.TimedOut(c.in.Wait())
}

// Ask writes one command and reads the reply to it.
func (c *Conn) Ask(stage delivery.Stage, limit time.Duration, parts ...string) (smtpwire.Reply, *fault.Fault) {
	err := c.Out.Command(parts...)
	if err == nil {
		err = c.Out.Flush()
	}
	if err != nil {
		return smtpwire.Reply{}, c.Broke(stage, err)
	}
	return c.hear(stage, limit)
}

func (c *Conn) hear(stage delivery.Stage, limit time.Duration) (smtpwire.Reply, *fault.Fault) {
	r, err := c.Read(limit)
	if err != nil {
		return r, c.Broke(stage, err)
	}
	return r, nil
}

// Said makes a fault of a reply.
func (c *Conn) Said(stage delivery.Stage, r smtpwire.Reply) *fault.Fault {
	return c.own(fault.Said(stage, r))
}

// Broke makes a fault of an error of the connection.
func (c *Conn) Broke(stage delivery.Stage, err error) *fault.Fault {
	return c.own(fault.Broke(stage, err))
}

// Fault makes a fault of what we found.
func (c *Conn) Fault(stage delivery.Stage, text string) *fault.Fault {
	return c.own(&fault.Fault{Stage: stage, Text: text})
}

func (c *Conn) own(f *fault.Fault) *fault.Fault {
	f.Host, f.TLS = c.Name, c.TLS
	return f
}

// Cut is the error of the ctx that c is bound to.
func (c *Conn) Cut() error { return c.cutErr() }

// Unbind makes c nobody's: no ctx ends its waits.
func (c *Conn) Unbind() {
	if c.release != nil {
		c.release()
		c.release = nil
	}
	c.cutErr = func() error { return nil }
}

// Pending tells whether more has been read than was asked for.
func (c *Conn) Pending() bool { return c.in.Buffered() > 0 }

// Fresh tells whether an idle connection may still be used: the peer has neither said anything nor left.
func (c *Conn) Fresh() bool { return !c.Pending() && !stirred(c.raw) }

// Close closes the socket at once.
func (c *Conn) Close() {
	c.Unbind()
	_ = c.raw.Close()
}

// Goodbye says QUIT and does not wait for the answer.
func (c *Conn) Goodbye() {
	defer c.Close()
	_ = c.raw.SetWriteDeadline(time.Now().Add(quitWait / 20))
	_, _ = c.nc.Write([]byte("QUIT\r\n"))
}

// Quit says QUIT and waits a moment for the answer (RFC 5321 §4.1.1.10). Whatever it is, the connection is closed.
func (c *Conn) Quit() {
	defer c.Close()
	_ = c.raw.SetDeadline(time.Now().Add(quitWait))
	if _, err := c.nc.Write([]byte("QUIT\r\n")); err == nil {
		_, _ = c.in.Read()
	}
}
