package fault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

func TestDescribe(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for _, c := range []struct {
		err    error
		want   string
		silent bool
	}{
		{dial(syscall.ECONNREFUSED), "connection refused", false},
		{dial(syscall.ENETUNREACH), "network unreachable", false},
		{dial(syscall.EMFILE), "this machine is out of file descriptors", false},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, "timed out", true},
		{fmt.Errorf("dial: %w", context.DeadlineExceeded), "timed out", true},
		{io.ErrUnexpectedEOF, "connection closed by the server", false},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, "connection closed by the server", false},
		{&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "a.example"}}, "certificate: x509: certificate is not valid for any names, but wanted to match a.example", false},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, "the server ended TLS: tls: handshake failure", false},
		{&smtpwire.ProtocolError{Text: "junk"}, "protocol error: junk", true},
		{errors.New("odd\x1b[2J"), smtpwire.Printable("odd\x1b[2J"), false},
	} {
		f := Broke(delivery.StageConnect, c.err)
		if f.Text != c.want || f.Silent != c.silent || !f.Cools || f.Refused() {
			t.Errorf("%v: %+v, want %q", c.err, f, c.want)
		}
	}
}

// Only what a server says to whoever connects turns everybody away.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		stage delivery.Stage
		code  int
		want  bool
	}{{delivery.StageConnect, 554, true}, {delivery.StageConnect, 502, false}, {delivery.StageConnect, 421, false}, {delivery.StageMail, 550, false}} {
		f := Said(c.stage, smtpwire.Reply{Code: c.code, Text: "no"})
		if f.Refused() != c.want || !f.Cools || f.Halt().Code != c.code || f.Halt().Stage != c.stage {
			t.Errorf("%s %d: %+v", c.stage, c.code, f)
		}
	}
}
