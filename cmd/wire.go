package cmd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/pace"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpout"
)

// transport makes the way out of a campaign. A target takes the place of its relay and of direct delivery.
func (e *env) transport(c *campaign.Campaign, target *campaign.Relay, log *slog.Logger) (*smtpout.Transport, error) {
	var paths []smtpout.Path
	switch {
	case target != nil:
		p, err := e.relay(target)
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	case c.Delivery == "direct":
		paths = append(paths, e.direct(c.Direct))
	default:
		p, err := e.relay(&c.SMTP)
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	if c.Fallback != nil && target == nil {
		p, err := e.relay(c.Fallback)
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	patience := c.Retry.Wait
	if patience == 0 {
		patience = -1 // as long as it takes, like any other wait
	}
	return smtpout.New(smtpout.Options{Paths: paths, MaxOpen: c.Connections, Patience: patience, Pipelining: c.Pipelining, Log: log})
}

var demands = map[string]route.Demand{"starttls": route.Required, "implicit": route.Implicit, "opportunistic": route.Opportunistic, "none": route.None}

func (e *env) relay(r *campaign.Relay) (smtpout.Path, error) {
	p := smtpout.Path{
		Router: route.NewRelay(route.Hop{Host: r.Host, Port: r.Port, TLS: demands[r.TLS]}, net.DefaultResolver),
		Relay:  true, Hello: e.hello(r.Hello), InsecureAuth: r.InsecureAuth,
	}
	if r.User != "" || len(r.TokenCommand) > 0 {
		mechanism := r.Auth
		if mechanism == "auto" {
			mechanism = ""
		}
		p.Auth = &smtpout.Auth{Mechanism: mechanism, User: r.User, Password: func(ctx context.Context) (string, error) {
			s, err := r.Credential(ctx)
			return s.Reveal(), err
		}}
	}
	if r.CAFile != "" {
		pem, err := os.ReadFile(r.CAFile)
		if err != nil {
			return p, failf(exitNoInput, "smtp: ca_file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return p, failf(exitData, "smtp: ca_file: %s holds no certificate", r.CAFile)
		}
		p.TLS = &tls.Config{RootCAs: pool}
	}
	return p, nil
}

func (e *env) direct(d campaign.Direct) smtpout.Path {
	o := route.DirectOptions{Port: d.Port, Resolver: resolver(d.Resolver), Allow: d.AllowNetworks, TLS: demands[d.TLS]}
	if addrs, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() {
				o.Own = append(o.Own, p.Addr())
			}
		}
	}
	return smtpout.Path{Router: route.NewDirect(o), Hello: e.hello(d.Hello), Bind: d.Bind}
}

// resolver is the system's, or one name server.
func resolver(addr string) route.Resolver {
	if addr == "" || addr == "system" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
}

// hello is our name for EHLO: a domain name, or where the machine has none an address literal (RFC 5321 §4.1.4).
func (e *env) hello(name string) string {
	if name != "" {
		return name
	}
	if strings.Contains(e.host, ".") {
		return e.host
	}
	return "[127.0.0.1]"
}

// newDispatcher makes the queues of the campaign.
func (p *pipeline) newDispatcher(pauses []delivery.Pause) (*delivery.Dispatcher, error) {
	c, t := p.c, p.transport
	o := delivery.Options{
		Connections: c.Connections, Memory: c.Memory, SpillDir: p.store.temp, Rate: pace.Rate(c.Rate.Total),
		DomainRates: map[string]pace.Rate{}, Fallback: p.fallback(), Direct: c.Delivery == "direct" && p.target == nil,
		Pauses: pauses, Note: p.run.Pause, Resend: c.OnUnknown == "resend", Log: p.log, Revive: p.composer.Revive,
		Retry: pace.Retry{For: c.Retry.For, First: c.Retry.First, Max: c.Retry.Max, Wait: c.Retry.Wait, Jitter: c.Retry.Jitter},
	}
	if p.barred != nil {
		o.Barred = p.barred.message
	}
	for domain, r := range c.Rate.PerDomain {
		o.DomainRates[domain] = pace.Rate(r)
	}
	for _, q := range c.Queues {
		o.Queues = append(o.Queues, delivery.QueueOptions{
			Name: q.Name, Domains: q.Domains, Connections: q.Connections, Rate: pace.Rate(q.Rate),
			Sender: t.Queue(smtpout.QueueOptions{Name: q.Name, PerConnection: q.MessagesPerConnection, Idle: c.General.Idle}),
		})
	}
	g := c.General
	o.General = delivery.QueueOptions{
		Name: general, Connections: g.Connections, PerDomain: g.PerDomain, Rate: pace.Rate(g.Rate),
		Sender: t.Queue(smtpout.QueueOptions{Name: general, PerConnection: g.MessagesPerConnection, Idle: g.Idle}),
	}
	return delivery.New(o)
}
