package smtpout

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// The server is told which name it is asked for (RFC 6066 §3), and TLS below 1.2 is never spoken, whatever the settings
// that the certificates come with say.
func TestTLSNamesItsServer(t *testing.T) {
	ca := smtptest.NewCA(t)
	for _, d := range []route.Demand{route.Required, route.Implicit, route.Opportunistic} {
		var name atomic.Value
		var oldest atomic.Uint32
		server := ca.Server("mx.example")
		server.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			name.Store(hello.ServerName)
			least := hello.SupportedVersions[0]
			for _, v := range hello.SupportedVersions {
				least = min(least, v)
			}
			oldest.Store(uint32(least))
			return nil, nil
		}
		p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", TLS: server, Implicit: d == route.Implicit})
		path := relayTo(p, "mx.example", d)
		path.TLS = &tls.Config{RootCAs: ca.Pool, MinVersion: tls.VersionTLS10, ServerName: "evil.example", InsecureSkipVerify: true}
		tr, stop := running(t, Options{Paths: []Path{path}})
		if peer, err := tr.Probe(t.Context(), 0); err != nil || peer.TLS != "TLS1.3 verified" {
			t.Errorf("%v: %+v, %v", d, peer, err)
		}
		stop()
		if name.Load() != "mx.example" || oldest.Load() != tls.VersionTLS12 {
			t.Errorf("%v: asked for %q with versions from %x", d, name.Load(), oldest.Load())
		}
	}
}

// Whatever somebody between us and the server takes away or puts in, the password stays here.
func TestPasswordStaysOutOfReach(t *testing.T) {
	ca, other := smtptest.NewCA(t), smtptest.NewCA(t)
	const injected = `ehlo#1: raw "250-x\r\n250 STARTTLS\r\n220 go\r\n250-x\r\n250 AUTH PLAIN\r\n235 ok\r\n"; hang`
	for name, c := range map[string]struct {
		server *tls.Config
		demand route.Demand
		script string
	}{
		"STARTTLS taken away":                           {ca.Server("mx.example"), route.Required, "ehlo: 250-x; 250 AUTH PLAIN LOGIN"},
		"STARTTLS taken away, opportunistic":            {ca.Server("mx.example"), route.Opportunistic, "ehlo: 250-x; 250 AUTH PLAIN LOGIN"},
		"STARTTLS refused, opportunistic":               {ca.Server("mx.example"), route.Opportunistic, "starttls: 454 4.7.0 no"},
		"STARTTLS broken, opportunistic":                {ca.Server("mx.example"), route.Opportunistic, "starttls: 220 go; drop"},
		"another's certificate":                         {other.Server("mx.example"), route.Required, ""},
		"another's certificate, opportunistic":          {other.Server("mx.example"), route.Opportunistic, ""},
		"another's certificate, implicit":               {other.Server("mx.example"), route.Implicit, ""},
		"another name":                                  {ca.Server("mx.evil.example"), route.Required, ""},
		"another name, opportunistic":                   {ca.Server("mx.evil.example"), route.Opportunistic, ""},
		"over":                                          {ca.Expired("mx.example"), route.Opportunistic, ""},
		"replies put in before TLS":                     {ca.Server("mx.example"), route.Required, injected},
		"replies put in before TLS, opportunistic":      {ca.Server("mx.example"), route.Opportunistic, injected},
		"replies put in behind STARTTLS":                {ca.Server("mx.example"), route.Required, `starttls: raw "220 go\r\n250-x\r\n250 AUTH PLAIN\r\n235 ok\r\n"; hang`},
		"replies put in behind STARTTLS, opportunistic": {ca.Server("mx.example"), route.Opportunistic, `starttls: raw "220 go\r\n235 ok\r\n"; hang`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", TLS: c.server, Implicit: c.demand == route.Implicit,
				User: "ana", Password: "hush-hush", Scripts: []string{c.script}})
			path := relayTo(p, "mx.example", c.demand)
			path.TLS = &tls.Config{RootCAs: ca.Pool}
			asked := false
			path.Auth = &Auth{User: "ana", Password: func(context.Context) (string, error) { asked = true; return "hush-hush", nil }}
			tr, stop := running(t, Options{Paths: []Path{path}, Pipelining: true})
			defer stop()
			peer, err := tr.Probe(t.Context(), 0)
			var halt *delivery.Halt
			if !errors.As(err, &halt) {
				t.Errorf("%+v, %v", peer, err)
			}
			if asked || p.Count("AUTH") > 0 || p.Count("MAIL") > 0 {
				t.Errorf("password asked for: %v, commands %q", asked, p.Commands())
			}
			for _, line := range p.Commands() {
				if strings.Contains(line, "hush") || strings.Contains(line, "aHVzaC1odXNo") {
					t.Errorf("it said %q", line)
				}
			}
		})
	}
}
