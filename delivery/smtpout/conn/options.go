package conn

import (
	"context"
	"crypto/tls"
	"time"
)

// Options are what every connection over one path goes by.
type Options struct {
	Hello        string      // our name for EHLO; required
	Relay        bool        // a server of ours: refused login or certificate is a fault of the set-up and halts
	Auth         *Auth       // nil: no login
	Gate         *Gate       // of all connections that log in with Auth; required with it
	TLS          *tls.Config // nil: the system's roots. ServerName and MinVersion are set from the hop
	InsecureAuth bool        // log in without verified TLS, to a loopback address only
	Timeouts     Timeouts
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

// WithDefaults fills in the zero fields.
func (t Timeouts) WithDefaults() Timeouts {
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
