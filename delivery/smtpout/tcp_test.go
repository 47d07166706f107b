package smtpout

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// relayTo is the way to a peer on loopback.
func relayTo(p *smtptest.Peer, host string, d route.Demand) Path {
	w := &ways{hops: []route.Hop{{Host: host, Port: p.Port(), TLS: d}}, addr: netip.MustParseAddr("127.0.0.1")}
	return Path{Router: w, Hello: "me.example", Relay: true}
}

func TestTLS(t *testing.T) {
	ca, other := smtptest.NewCA(t), smtptest.NewCA(t)
	old := ca.Server("mx.example")
	old.MaxVersion = tls.VersionTLS11
	demanding := ca.Server("mx.example")
	demanding.ClientAuth = tls.RequireAnyClientCert
	for _, c := range []struct {
		name   string
		server *tls.Config
		demand route.Demand
		want   string
		tls    string
	}{
		{"required", ca.Server("mx.example"), route.Required, "sent", "TLS1.3 verified"},
		{"implicit", ca.Server("mx.example"), route.Implicit, "sent", "TLS1.3 verified"},
		{"opportunistic", ca.Server("mx.example"), route.Opportunistic, "sent", "TLS1.3 verified"},
		{"S21 expired", ca.Expired("mx.example"), route.Required, "halt", ""},
		{"S21 wrong name", ca.Server("other.example"), route.Required, "halt", ""},
		{"S21 wrong name, implicit", ca.Server("other.example"), route.Implicit, "halt", ""},
		{"S21 unknown authority", other.Server("mx.example"), route.Required, "halt", ""},
		{"S21 unknown authority, opportunistic", other.Server("mx.example"), route.Opportunistic, "sent", "TLS1.3 unverified"},
		{"S21 wrong name, opportunistic", ca.Server("other.example"), route.Opportunistic, "sent", "TLS1.3 unverified"},
		{"S22 TLS 1.1 only", old, route.Required, "deferred", ""},
		{"S22 TLS 1.1 only, opportunistic", old, route.Opportunistic, "sent", ""},
		{"S22 wants a client certificate", demanding, route.Required, "deferred", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", TLS: c.server, Implicit: c.demand == route.Implicit})
			path := relayTo(p, "mx.example", c.demand)
			path.TLS = &tls.Config{RootCAs: ca.Pool}
			tr, stop := running(t, Options{Paths: twoWays(path), Pipelining: true})
			defer stop()
			f := newFeed(t, 2)
			err := f.serve(t.Context(), tr.Queue(QueueOptions{}))
			var halt *delivery.Halt
			if errors.As(err, &halt) {
				if c.want != "halt" || halt.Stage != delivery.StageTLS || !strings.Contains(halt.Text, "certificate") {
					t.Errorf("halted: %+v", halt)
				}
				return
			}
			o := f.done[0]
			if err != nil || o.Status.String() != c.want || o.Status == delivery.Sent && (o.TLS != c.tls || p.Messages()[0].TLS != (c.tls != "")) {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
}

func TestLogins(t *testing.T) {
	ca := smtptest.NewCA(t)
	for _, c := range []struct {
		name, mechanism, password string
		demand                    route.Demand
		insecure                  bool
		want                      string // the command, or the halt's text
	}{
		{name: "picked", password: "pw", demand: route.Required, want: "AUTH PLAIN AGFuYQBwdw=="},
		{name: "plain", mechanism: "plain", password: "pw", demand: route.Implicit, want: "AUTH PLAIN AGFuYQBwdw=="},
		{name: "login", mechanism: "login", password: "pw", demand: route.Required, want: "AUTH LOGIN"},
		{name: "xoauth2", mechanism: "xoauth2", password: "pw", demand: route.Required, want: "AUTH XOAUTH2 dXNlcj1hbmEBYXV0aD1CZWFyZXIgcHcBAQ=="},
		{name: "opportunistic, verified", password: "pw", demand: route.Opportunistic, want: "AUTH PLAIN AGFuYQBwdw=="},
		{name: "insecure on loopback", password: "pw", insecure: true, want: "AUTH PLAIN AGFuYQBwdw=="},
		{name: "in clear", password: "pw", want: "no verified TLS"},
		{name: "wrong", password: "no", demand: route.Required, want: "bad credentials"},
		{name: "not offered", mechanism: "cram-md5", password: "pw", demand: route.Required, want: "LOGIN, PLAIN, XOAUTH2"},
		{name: "NUL", password: "p\x00w", demand: route.Required, want: "NUL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := smtptest.Options{Addr: "127.0.0.1:0", TLS: ca.Server("mx.example"), Implicit: c.demand == route.Implicit, User: "ana", Password: "pw"}
			p := smtptest.Start(t, o)
			path := relayTo(p, "mx.example", c.demand)
			path.TLS, path.InsecureAuth = &tls.Config{RootCAs: ca.Pool}, c.insecure
			path.Auth = &Auth{Mechanism: c.mechanism, User: "ana", Password: func(context.Context) (string, error) { return c.password, nil }}
			tr, stop := running(t, Options{Paths: []Path{path}, Pipelining: true})
			defer stop()
			peer, err := tr.Probe(t.Context(), 0)
			var halt *delivery.Halt
			if errors.As(err, &halt) {
				if halt.Stage != delivery.StageAuth || !strings.Contains(halt.Text, c.want) {
					t.Errorf("halted: %+v", halt)
				}
				if strings.Contains(c.want, "TLS") && p.Count("AUTH") > 0 {
					t.Error("the password went over the wire")
				}
				return
			}
			if err != nil || peer.Auth == "" || peer.Size != 26214400 || peer.Host != "mx.example [127.0.0.1]" || p.Count(strings.ToUpper(c.want)) == 0 && p.Count(c.want[:10]) == 0 {
				t.Errorf("%+v, %v, %q", peer, err, p.Commands())
			}
		})
	}
}

func TestProbeOfADeadServer(t *testing.T) {
	p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	path := relayTo(p, "mx.example", route.None)
	p.Close()
	tr, stop := running(t, Options{Paths: []Path{path}})
	defer stop()
	var halt *delivery.Halt
	if _, err := tr.Probe(t.Context(), 0); !errors.As(err, &halt) || halt.Stage != delivery.StageConnect || halt.Text != "connection refused" {
		t.Errorf("%v", err)
	}
}

// Who probes again is told how the server is now, not how it was.
func TestProbeAgain(t *testing.T) {
	p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Scripts: []string{"connect: 421 4.3.2 starting up; drop", ""}})
	tr, stop := running(t, Options{Paths: []Path{relayTo(p, "mx.example", route.None)}})
	defer stop()
	var halt *delivery.Halt
	if _, err := tr.Probe(t.Context(), 0); !errors.As(err, &halt) || halt.Code != 421 {
		t.Errorf("%v", err)
	}
	if _, err := tr.Probe(t.Context(), 0); err != nil {
		t.Errorf("it is up: %v", err)
	}
}

// idle gives the connections of the cache, oldest first.
func idle(tr *Transport) (cs []*line) {
	tr.cache.mu.Lock()
	defer tr.cache.mu.Unlock()
	for e := tr.cache.order.Front(); e != nil; e = e.Next() {
		cs = append(cs, e.Value.(*line))
	}
	return cs
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

// The dialer itself asks whether an address may be dialled.
func TestForbiddenAddressIsNotDialled(t *testing.T) {
	p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	path := relayTo(p, "mx.example", route.None)
	path.Router.(*ways).forbid = true
	tr, stop := running(t, Options{Paths: twoWays(path)})
	defer stop()
	f := newFeed(t, 1)
	if err := f.serve(t.Context(), tr.Queue(QueueOptions{})); err != nil || f.lines() != "deferred connect" || f.done[0].Text != "not a public address" {
		t.Errorf("%+v, %v", f.done, err)
	}
	if n, _, _ := p.Connections(); n != 0 {
		t.Error("dialled")
	}
}

func TestOutOfFileDescriptors(t *testing.T) {
	p := smtptest.Start(t, smtptest.Options{})
	dials := 0
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials++; dials == 2 {
			return nil, &net.OpError{Op: "dial", Err: syscall.EMFILE}
		}
		return p.Dial(ctx, network, addr)
	}
	tr, stop := running(t, Options{Paths: []Path{{Router: mxs(route.None, "mx.example"), Hello: "me"}}, Dial: dial})
	defer stop()
	for _, q := range []string{"a", "b"} {
		f := newFeed(t, 1)
		if err := f.serve(t.Context(), tr.Queue(QueueOptions{Name: q})); err != nil || f.lines() != "sent dot 250 charged" {
			t.Errorf("%s: %s, %v", q, f.lines(), err)
		}
	}
	if dials != 3 {
		t.Errorf("%d dials; the idle connection was to make room for the second queue's", dials)
	}
}
