package smtpout

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

// open brings a new connection up to where MAIL may follow. With plain, opportunistic TLS is left out.
func (c *conn) open(ctx context.Context, plain bool) *fault {
	if c.hop.TLS == route.Implicit {
		if f := c.handshake(ctx); f != nil {
			return f
		}
	}
	r, f := c.hear(delivery.StageConnect, c.t.o.Timeouts.Greeting)
	if f != nil {
		return f
	}
	if r.Code != 220 || r.Long {
		return c.said(delivery.StageConnect, r)
	}
	if f = c.hello(); f != nil {
		return f
	}
	if c.hop.TLS == route.Required || c.hop.TLS == route.Opportunistic && !plain {
		if f = c.upgrade(ctx); f != nil {
			return f
		}
	}
	if c.path.Auth != nil {
		return c.login(ctx)
	}
	return nil
}

// hello says EHLO, or HELO to a server that does not know it (RFC 5321 §4.1.4). It forgets what was offered before.
func (c *conn) hello() *fault {
	c.ext = smtpwire.Extensions{}
	for _, verb := range []string{"EHLO ", "HELO "} {
		r, f := c.ask(delivery.StageConnect, c.t.o.Timeouts.Hello, verb, c.path.Hello)
		if f != nil {
			return f
		}
		switch {
		case r.Long:
			f = c.fault(delivery.StageConnect, "protocol error: endless line in the reply to "+verb[:4])
			f.cools = true
			return f
		case r.Code == 250:
			if verb == "EHLO " {
				c.ext = smtpwire.ParseEHLO(r)
			}
			return nil
		case verb == "HELO " || r.Code != 500 && r.Code != 502 && r.Code != 504:
			return c.said(delivery.StageConnect, r)
		}
	}
	return nil
}

// upgrade does STARTTLS (RFC 3207). Where TLS is required it never steps down.
func (c *conn) upgrade(ctx context.Context) *fault {
	required := c.hop.TLS == route.Required
	if !c.ext.StartTLS {
		if !required {
			return nil
		}
		f := c.fault(delivery.StageTLS, "TLS is required, the server does not offer STARTTLS")
		f.cools, f.halts = true, c.path.Relay
		return f
	}
	r, f := c.ask(delivery.StageTLS, c.t.o.Timeouts.Hello, "STARTTLS")
	if f == nil && r.Code != 220 {
		f = c.said(delivery.StageTLS, r)
	}
	if f != nil {
		f.unsafe = !required
		return f
	}
	// What is already here was not encrypted, whoever put it there (CVE-2011-0411 and its like).
	if c.r.Buffered() > 0 {
		f = c.fault(delivery.StageTLS, "possible attack: plaintext after the reply to STARTTLS")
		f.cools = true
		return f
	}
	if f = c.handshake(ctx); f != nil {
		f.unsafe = !required
		return f
	}
	return c.hello()
}

// handshake puts TLS over the socket. Only opportunistic TLS goes on with a certificate that proves nothing.
func (c *conn) handshake(ctx context.Context) *fault {
	cfg := c.path.TLS.Clone()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg.ServerName = c.hop.Host
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	cfg.InsecureSkipVerify = c.hop.TLS == route.Opportunistic
	tc := tls.Client(c.raw, cfg)
	if err := c.until(c.raw.SetDeadline, c.t.o.Timeouts.TLS); err != nil {
		return c.broke(delivery.StageTLS, err)
	}
	if err := tc.HandshakeContext(ctx); err != nil {
		f := c.broke(delivery.StageTLS, err)
		var cert *tls.CertificateVerificationError
		f.halts = c.path.Relay && errors.As(err, &cert)
		return f
	}
	state := tc.ConnectionState()
	c.verified = !cfg.InsecureSkipVerify || verify(cfg, state) == nil
	c.tls = strings.ReplaceAll(tls.VersionName(state.Version), " ", "")
	if c.verified {
		c.tls += " verified"
	} else {
		c.tls += " unverified"
	}
	c.nc = tc
	c.r.Reset(tc)
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
