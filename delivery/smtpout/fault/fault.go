// Package fault tells why a connection, or a try over it, came to nothing before anything was accepted: said by the
// server in a reply, or met as an error of the connection.
package fault

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

// Fault is a value, not an error: the host's doing, not ours.
type Fault struct {
	Stage    delivery.Stage
	Host     string // as Outcome.Host
	TLS      string // as Outcome.TLS
	Code     int    // of the reply; 0 when no server said it
	Enhanced string
	Text     string
	Charged  bool // it may be the message's doing: the try counts
	Cools    bool // the host is in trouble
	Halts    bool // until a person has changed something
	Unsafe   bool // opportunistic TLS came to nothing: once more without
	Silent   bool // the peer did not say all it should have

	Own error // what our own system failed by, which is no host's fault; nil: it is the host's doing
}

// Said makes a fault of a reply.
func Said(stage delivery.Stage, r smtpwire.Reply) *Fault {
	return &Fault{Stage: stage, Code: r.Code, Enhanced: r.Enhanced, Text: r.Text, Cools: true}
}

// Broke makes a fault of an error of the connection.
func Broke(stage delivery.Stage, err error) *Fault {
	var wire *smtpwire.ProtocolError
	if alert(err) != nil {
		stage = delivery.StageTLS // a client of TLS 1.3 has done before the server looks at its certificate (RFC 8446 §2)
	}
	f := &Fault{Stage: stage, Text: Describe(err), Cools: true, Silent: errors.As(err, &wire) || TimedOut(err)}
	if Starved(err) {
		f.Own = err
	}
	return f
}

// Refused tells of a final no to whoever connects. 500 to 504 only say that the greeting was not understood.
func (f *Fault) Refused() bool { return f.Stage == delivery.StageConnect && f.Code > 504 }

// Busy tells of a no for now to whoever connects.
func (f *Fault) Busy() bool { return f.Stage == delivery.StageConnect && f.Code/100 == 4 }

// Halt is the error that a fault which halts ends the run with.
func (f *Fault) Halt() *delivery.Halt {
	return &delivery.Halt{Stage: f.Stage, Host: f.Host, Code: f.Code, Enhanced: f.Enhanced, Text: f.Text, Err: f.Own}
}

// Describe puts an error of a connection in words for a person.
func Describe(err error) string {
	var wire *smtpwire.ProtocolError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &wire):
		return wire.Error()
	case errors.As(err, &cert):
		return "certificate: " + smtpwire.Printable(cert.Err.Error())
	case alert(err) != nil:
		return "the server ended TLS: " + smtpwire.Printable(alert(err).Error())
	case TimedOut(err):
		return "timed out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection closed by the server"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "network unreachable"
	case Starved(err):
		return "this machine is out of file descriptors"
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	return smtpwire.Printable(fmt.Sprint(err))
}

// alert gives the alert by which the peer ended TLS (RFC 8446 §6.2), nil for any other error. crypto/tls names it by an Op.
func alert(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return op.Err
	}
	return nil
}

// TimedOut tells that a wait came to its end: a deadline, or a connection that was not answered.
func TimedOut(err error) bool {
	var e net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &e) && e.Timeout()
}

// Starved tells of our own limit, which is no host's fault.
func Starved(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) }
