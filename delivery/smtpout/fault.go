package smtpout

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/class"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

// fault is why a connection, or a try over it, came to nothing before anything was accepted.
type fault struct {
	stage    delivery.Stage
	host     string
	tls      string
	code     int // of the reply; 0 when no server said it
	enhanced string
	text     string
	charged  bool         // it may be the message's doing: the try counts
	cools    bool         // the host is in trouble
	halts    bool         // until a person has changed something
	unsafe   bool         // opportunistic TLS came to nothing: once more without
	silent   bool         // the peer did not say all it should have
	down     bool         // no host of the route may be tried now
	final    bool         // every host said so, twice
	next     time.Time    // when a host may be tried again
	dns      *route.Error // the way was not found
}

// refused tells of a final no to whoever connects.
func (f *fault) refused() bool { return f.stage == delivery.StageConnect && f.code >= 500 }

func (f *fault) halt() *delivery.Halt {
	return &delivery.Halt{Stage: f.stage, Host: f.host, Code: f.code, Enhanced: f.enhanced, Text: f.text}
}

// outcome is what f means for one message of a batch.
func (f *fault) outcome(m *delivery.Message, via int, began time.Time) delivery.Outcome {
	now := time.Now()
	if f.dns != nil {
		o := f.dns.Outcome(m, now)
		o.Via, o.Host, o.Took = via, f.host, now.Sub(began)
		return o
	}
	o := delivery.Outcome{
		ID: m.ID, To: m.To, Status: delivery.Deferred, Stage: f.stage, Class: delivery.ClassSoft, Code: f.code,
		Enhanced: f.enhanced, Text: f.text, Host: f.host, TLS: f.tls, Via: via, Charged: f.charged,
		At: now, Next: f.next, Took: now.Sub(began),
	}
	if f.code != 0 {
		o.Class = class.Of(f.code, f.enhanced, f.text, f.stage)
	}
	if f.final && m.Tries > 0 {
		o.Status, o.Charged, o.Next = delivery.Failed, true, time.Time{}
	}
	return o
}

// said makes a fault of a reply.
func (c *conn) said(stage delivery.Stage, r smtpwire.Reply) *fault {
	f := c.fault(stage, r.Text)
	f.code, f.enhanced, f.cools = r.Code, r.Enhanced, true
	return f
}

// broke makes a fault of an error of the connection.
func (c *conn) broke(stage delivery.Stage, err error) *fault {
	f := c.fault(stage, describe(err))
	f.cools = true
	var wire *smtpwire.ProtocolError
	f.silent = errors.As(err, &wire) || timedOut(err)
	return f
}

func (c *conn) fault(stage delivery.Stage, text string) *fault {
	return &fault{stage: stage, host: c.name, tls: c.tls, text: text}
}

// describe puts an error of a connection in words for a person.
func describe(err error) string {
	var wire *smtpwire.ProtocolError
	var cert *tls.CertificateVerificationError
	var alert tls.AlertError
	switch {
	case errors.As(err, &wire):
		return wire.Error()
	case errors.As(err, &cert):
		return "certificate: " + smtpwire.Printable(cert.Err.Error())
	case errors.As(err, &alert):
		return "the server ended TLS: " + alert.Error()
	case timedOut(err):
		return "timed out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection closed by the server"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "network unreachable"
	case starved(err):
		return "this machine is out of file descriptors"
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	return smtpwire.Printable(fmt.Sprint(err))
}

func timedOut(err error) bool {
	var e net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &e) && e.Timeout()
}

// starved tells of our own limit, which is no host's fault.
func starved(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) }
