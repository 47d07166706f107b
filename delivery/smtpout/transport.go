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
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
)

// Options of a Transport.
type Options struct {
	Paths      []Path   // by Message.Via: the normal path, then the fallback
	MaxOpen    int      // sockets at once over all queues, idle ones included; 0 is 500
	Timeouts   Timeouts // zero fields are RFC 5321's
	Pipelining bool     // write a transaction's commands at once where the peer offers PIPELINING
	Dial       Dialer   // nil is a net.Dialer that asks the Router's Permit
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
type Auth struct {
	Mechanism string // "plain", "login" or "xoauth2"; empty is PLAIN or LOGIN, whichever is offered first of these
	User      string
	Password  func(context.Context) (string, error) // password or token, asked at each login
}

// Timeouts bound each wait. Zero fields are the values in brackets, those of RFC 5321 §4.5.3.2 where it has one.
type Timeouts struct {
	Connect  time.Duration // one TCP connect [30 s]
	Greeting time.Duration // [5 min]
	Hello    time.Duration // EHLO, HELO, STARTTLS, RSET [5 min]
	TLS      time.Duration // handshake [1 min]
	Auth     time.Duration // each reply [1 min]
	Mail     time.Duration // [5 min]
	Rcpt     time.Duration // each reply [5 min]
	Data     time.Duration // [2 min]
	Block    time.Duration // each write [3 min]
	Dot      time.Duration // reply to the final dot [10 min]; a shorter wait makes duplicates
}

func (t Timeouts) withDefaults() Timeouts {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&t.Connect, 30*time.Second)
	set(&t.Greeting, 5*time.Minute)
	set(&t.Hello, 5*time.Minute)
	set(&t.TLS, time.Minute)
	set(&t.Auth, time.Minute)
	set(&t.Mail, 5*time.Minute)
	set(&t.Rcpt, 5*time.Minute)
	set(&t.Data, 2*time.Minute)
	set(&t.Block, 3*time.Minute)
	set(&t.Dot, 10*time.Minute)
	return t
}

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
	hosts *hosts
	cache *cache

	family family
}

const (
	defaultOpen = 500
	defaultPer  = 100
	defaultIdle = 30 * time.Second
	// maxRecipients is what every server must take in one transaction (RFC 5321 §4.5.3.1.8).
	maxRecipients = 100
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
	o.Timeouts = o.Timeouts.withDefaults()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Transport{o: o, log: o.Log, hosts: newHosts(), cache: newCache(o.MaxOpen)}, nil
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
// returns nil.
func (t *Transport) Run(ctx context.Context) error { return t.cache.run(ctx) }
