package conn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

// Open brings a new connection up to where MAIL may follow. With plain, opportunistic TLS is left out.
func (c *Conn) Open(ctx context.Context, plain bool) *fault.Fault {
	if c.Hop.TLS == route.Implicit {
		if f := c.handshake(ctx); f != nil {
			return f
		}
	}
	r, f := c.hear(delivery.StageConnect, c.o.Timeouts.Greeting)
	if f != nil {
		return f
	}
	if r.Code != 220 || r.Long {
		return c.Said(delivery.StageConnect, r)
	}
	if f = c.hello(); f != nil {
		return f
	}
	if c.Hop.TLS == route.Required || c.Hop.TLS == route.Opportunistic && !plain {
		if f = c.upgrade(ctx); f != nil {
			return f
		}
	}
	if c.o.Auth != nil {
		return c.login(ctx)
	}
	return nil
}

// hello says EHLO, or HELO to a server that does not know it (RFC 5321 §4.1.4). It forgets what was offered before.
func (c *Conn) hello() *fault.Fault {
	c.Ext = smtpwire.Extensions{}
	for _, verb := range []string{"EHLO ", "HELO "} {
		r, f := c.Ask(delivery.StageConnect, c.o.Timeouts.Hello, verb, c.o.Hello)
		if f != nil {
			return f
		}
		switch {
		case r.Long:
			f = c.Fault(delivery.StageConnect, "protocol error: endless line in the reply to "+verb[:4])
			f.Cools = true
			return f
		case r.Code == 250:
			if verb == "EHLO " {
				c.Ext = smtpwire.ParseEHLO(r)
			}
			return nil
		case verb == "HELO " || r.Code != 500 && r.Code != 502 && r.Code != 504:
			return c.Said(delivery.StageConnect, r)
		}
	}
	return nil
}

// upgrade does STARTTLS (RFC 3207). Where TLS is required it never steps down.
func (c *Conn) upgrade(ctx context.Context) *fault.Fault {
	required := c.Hop.TLS == route.Required
	if !c.Ext.StartTLS {
		if !required {
			return nil
		}
		f := c.Fault(delivery.StageTLS, "TLS is required, the server does not offer STARTTLS")
		f.Cools, f.Halts = true, c.o.Relay
		return f
	}
	r, f := c.Ask(delivery.StageTLS, c.o.Timeouts.Hello, "STARTTLS")
	if f == nil && r.Code != 220 {
		f = c.Said(delivery.StageTLS, r)
	}
	if f != nil {
		f.Unsafe = !required
		return f
	}
	// What is already here was not encrypted, whoever put it there (CVE-2011-0411 and its like).
	if c.Pending() {
		f = c.Fault(delivery.StageTLS, "possible attack: plaintext after the reply to STARTTLS")
		f.Cools = true
		return f
	}
	if f = c.handshake(ctx); f == nil {
		f = c.hello()
	}
	if f != nil && f.Stage == delivery.StageTLS {
		f.Unsafe = !required
	}
	return f
}

// handshake puts TLS over the socket. Only opportunistic TLS goes on with a certificate that proves nothing.
func (c *Conn) handshake(ctx context.Context) *fault.Fault {
	cfg := c.o.TLS.Clone()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg.ServerName = c.Hop.Host
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	cfg.InsecureSkipVerify = c.Hop.TLS == route.Opportunistic
	tc := tls.Client(c.raw, cfg)
	if err := c.until(c.raw.SetDeadline, c.o.Timeouts.TLS); err != nil {
		return c.Broke(delivery.StageTLS, err)
	}
	if err := tc.HandshakeContext(ctx); err != nil {
		f := c.Broke(delivery.StageTLS, err)
		var cert *tls.CertificateVerificationError
		f.Halts = c.o.Relay && errors.As(err, &cert)
		return f
	}
	state := tc.ConnectionState()
	c.verified = !cfg.InsecureSkipVerify || verify(cfg, state) == nil
	c.TLS = strings.ReplaceAll(tls.VersionName(state.Version), " ", "")
	if c.verified {
		c.TLS += " verified"
	} else {
		c.TLS += " unverified"
	}
	c.nc = tc
	c.in.Reset(tc)
	return nil
}

// verify does what crypto/tls leaves out with InsecureSkipVerify, to record the result.
func verify(cfg *tls.Config, state tls.ConnectionState) error {
	o := x509.VerifyOptions{Roots: cfg.RootCAs, DNSName: cfg.ServerName, Intermediates: x509.NewCertPool()}
	for _, c := range state.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(o)
	return err
}
