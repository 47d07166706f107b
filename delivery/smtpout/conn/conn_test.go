package conn

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dial connects to p as mx.example.
func dial(t *testing.T, p *smtptest.Peer, demand route.Demand, o *Options) *Conn {
	t.Helper()
	raw, err := p.Dial(t.Context(), "tcp", "192.0.2.1:25")
	if err != nil {
		t.Fatal(err)
	}
	o.Hello, o.Timeouts = "me.example", o.Timeouts.WithDefaults()
	return New(raw, "mx.example [192.0.2.1]", route.Hop{Host: "mx.example", Port: 25, TLS: demand}, o)
}

// A connection is brought up once, is fresh while nobody speaks on it, and ends with a goodbye.
func TestOpenAndQuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := smtptest.NewCA(t)
		p := smtptest.Start(t, smtptest.Options{TLS: ca.Server("mx.example"), User: "ana", Password: "secret"})
		login := &Auth{User: "ana", Password: func(context.Context) (string, error) { return "secret", nil }}
		c := dial(t, p, route.Required, &Options{TLS: &tls.Config{RootCAs: ca.Pool}, Auth: login, Gate: new(Gate)})
		c.Bind(t.Context())
		if f := c.Open(t.Context(), false); f != nil {
			t.Fatalf("%+v", f)
		}
		if c.TLS != "TLS1.3 verified" || c.Login != "PLAIN" || !c.Ext.Pipelining {
			t.Errorf("TLS %q, login %q, %v", c.TLS, c.Login, c.Ext.Names)
		}
		c.Unbind()
		if !c.Fresh() {
			t.Error("not fresh")
		}
		c.Quit()
		if p.Count("QUIT") != 1 {
			t.Errorf("%q", p.Commands())
		}
	})
}

// Whoever cuts the ctx that a connection is bound to does not wait for the peer, and what was bound before is forgotten.
func TestBindEndsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := smtptest.Start(t, smtptest.Options{Scripts: []string{"noop: wait 1h; ok"}})
		c := dial(t, p, route.None, &Options{})
		earlier, forget := context.WithCancel(t.Context())
		c.Bind(earlier)
		if f := c.Open(earlier, false); f != nil {
			t.Fatalf("%+v", f)
		}
		c.Unbind()
		forget()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.Bind(ctx)
		began := time.Now()
		_, f := c.Ask(delivery.StageMail, time.Minute, "NOOP")
		if f == nil || c.Cut() == nil || time.Since(began) != time.Second {
			t.Errorf("%+v after %v", f, time.Since(began))
		}
		c.Close()
	})
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		want    string
		offered string
		got     string
		why     string
	}{
		{"", "LOGIN PLAIN", "LOGIN", ""},
		{"plain", "LOGIN PLAIN", "PLAIN", ""},
		{"", "XOAUTH2", "", "only these ways to log in: XOAUTH2"},
		{"xoauth2", "PLAIN LOGIN PLAIN", "", "by XOAUTH2, only by LOGIN, PLAIN"},
		{"plain", "", "", "offers no login"},
	} {
		got, why := choose(c.want, strings.Fields(c.offered))
		if got != c.got || !strings.Contains(why, c.why) || (why == "") != (c.why == "") {
			t.Errorf("%q of %q: %q, %q", c.want, c.offered, got, why)
		}
	}
}

// What would end a field of a login early is refused.
func TestResponses(t *testing.T) {
	for _, c := range []struct{ mechanism, secret string }{{"PLAIN", "a\x00b"}, {"XOAUTH2", "a\x01b"}, {"CRAM-MD5", "a"}} {
		if first, answers, err := responses(c.mechanism, "ana", c.secret); err == nil {
			t.Errorf("%s: %q %q", c.mechanism, first, answers)
		}
	}
}
