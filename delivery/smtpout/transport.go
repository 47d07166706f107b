// Package smtpout delivers over SMTP as a client (RFC 5321), to a relay or to the recipients' mail exchangers.
//
//  1. Serve takes a batch from its Feed and looks for a connection to the site: its own, one of the cache, a new one;
//  2. a new one is dialled host by host, by preference, hosts that cool down left out, and brought up: greeting, EHLO,
//     STARTTLS as demanded, EHLO again, AUTH;
//  3. the letter is rendered for what the peer offers; MAIL, every RCPT and DATA go out in one write where it can;
//  4. the body goes out, its final dot once the intent is on disk; the reply to it is the outcome;
//  5. a connection that can be used again goes to the cache when the Feed is dry, where Run closes it in time.
//
// What went wrong with a connection is remembered for its host, so that messages move on without dialling it again.
package smtpout

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpout/conn"
	"github.com/mailblast/mailblast/delivery/smtpout/hosts"
)

// Options of a Transport.
type Options struct {
	Paths      []Path        // by Message.Via: the normal path, then the fallback
	MaxOpen    int           // sockets at once over all queues, idle ones included; 0 is 500
	Timeouts   Timeouts      // zero fields are RFC 5321's
	Patience   time.Duration // how long the only relay may be out of reach before that halts; 0 is 10 min, negative is for ever
	Pipelining bool          // write a transaction's commands at once where the peer offers PIPELINING
	Dial       Dialer        // nil is a net.Dialer that asks the Router's Permit
	Log        *slog.Logger
}

// Dialer opens a connection to an address that is an IP literal with port.
type Dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// Path is one way out.
type Path struct {
	Router       route.Router
	Relay        bool        // a server of ours: refused login, certificate or sender is a fault of the set-up and halts
	Auth         *Auth       // nil: no login
	Hello        string      // our name for EHLO; required
	Bind         netip.Addr  // local address to dial from; the zero Addr leaves it to the system
	TLS          *tls.Config // nil: the system's roots. ServerName and MinVersion are set from the hop
	InsecureAuth bool        // log in without verified TLS, to a loopback address only
}

// Auth is a login (RFC 4954).
type Auth = conn.Auth

// Timeouts bound each wait.
type Timeouts = conn.Timeouts

// QueueOptions are what one queue's connections go by.
type QueueOptions struct {
	Name          string
	PerConnection int           // messages until a connection is replaced; 0 is 100
	Idle          time.Duration // how long a connection is kept without work; 0 is 30 s
}

// Transport holds the connections of all queues and what was learnt of each host.
type Transport struct {
	o     Options
	log   *slog.Logger
	conns []conn.Options // by path
	hosts *hosts.Hosts
	cache *cache

	family family

	outage outage

	hunger sync.Once // for file descriptors was told of
}

const (
	defaultOpen = 500
	defaultPer  = 100
	defaultIdle = 30 * time.Second
	// defaultPatience is how long a person would wait before asking what is wrong.
	defaultPatience = 10 * time.Minute
)

// New checks o. It starts nothing; Run must run for idle connections to be closed.
func New(o Options) (*Transport, error) {
	if len(o.Paths) == 0 {
		return nil, errors.New("smtp: no path")
	}
	for i, p := range o.Paths {
		if p.Router == nil || p.Hello == "" {
			return nil, fmt.Errorf("smtp: path %d lacks its router or its name for EHLO", i)
		}
		if p.Auth != nil && p.Auth.Password == nil {
			return nil, fmt.Errorf("smtp: path %d has a login without password", i)
		}
	}
	if o.MaxOpen < 0 {
		return nil, errors.New("smtp: fewer than 0 sockets")
	}
	if o.MaxOpen == 0 {
		o.MaxOpen = defaultOpen
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	o.Timeouts = o.Timeouts.WithDefaults()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	conns := make([]conn.Options, len(o.Paths))
	for i, p := range o.Paths {
		conns[i] = conn.Options{
			Hello: p.Hello, Relay: p.Relay, Auth: p.Auth, Gate: new(conn.Gate), TLS: p.TLS, InsecureAuth: p.InsecureAuth, Timeouts: o.Timeouts,
		}
	}
	return &Transport{o: o, log: o.Log, conns: conns, hosts: hosts.New(), cache: newCache(o.MaxOpen, o.Log)}, nil
}

// Queue gives the Sender of one queue. Connections are never shared between queues.
func (t *Transport) Queue(o QueueOptions) delivery.Sender {
	if o.PerConnection <= 0 {
		o.PerConnection = defaultPer
	}
	if o.Idle <= 0 {
		o.Idle = defaultIdle
	}
	return &sender{t: t, o: o}
}

// Run closes connections that have been idle for too long, politely. When ctx ends it closes all of the cache and
// returns nil, or *panicked.Contained when connections panicked that it closed.
func (t *Transport) Run(ctx context.Context) error { return t.cache.run(ctx) }
