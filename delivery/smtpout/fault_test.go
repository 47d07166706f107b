package smtpout

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// faults are what a server can do wrong, and what one message to it must come to. Each name begins with its row in the
// table of faults. The first host goes by the script, a second one, where there is one, behaves well.
var faults = []struct {
	name   string
	script string
	second bool // there is a second mail exchanger
	relay  bool
	demand route.Demand
	login  bool
	ext    []string
	batch  int // recipients; 0 is 1
	serial bool
	want   string // outcomes, or the halt
	taken  int    // messages the hosts accepted
	conns  int    // connections the first host saw; 0 is 1
	within time.Duration
}{
	{name: "well", want: "sent dot 250 charged", taken: 1},
	{name: "well, one by one", serial: true, want: "sent dot 250 charged", taken: 1},
	{name: "S1 no banner", script: "connect: hang", want: "deferred connect", within: 5*time.Minute + time.Second},
	{name: "S1 no banner, second host", script: "connect: hang", second: true, want: "sent dot 250 charged", taken: 1},
	{name: "S2 late banner", script: "connect: wait 20s; ok", want: "sent dot 250 charged", taken: 1},
	{name: "S3 dripping banner", script: "connect: drip 9s 220 hi there", want: "sent dot 250 charged", taken: 1},
	{name: "S3 the limit is for the whole reply", script: "connect: drip 40s 220 hi there", want: "deferred connect", within: 5*time.Minute + time.Second},
	{name: "S4 long banner", script: "connect: 220-a; 220-b; 220 c", want: "sent dot 250 charged", taken: 1},
	{name: "S5 endless banner", script: "connect: times 1000000 220-a", want: "deferred connect"},
	{name: "S5 endless EHLO", script: "ehlo: times 1000000 250-a", second: true, want: "sent dot 250 charged", taken: 1},
	{name: "S6 421 banner", script: "connect: 421 4.3.2 busy; drop", want: "deferred connect 421"},
	{name: "S6 421 banner, second host", script: "connect: 421 4.3.2 busy; drop", second: true, want: "sent dot 250 charged", taken: 1},
	{name: "S7 554 banner", script: "connect: 554 5.7.1 no", want: "deferred connect 554"},
	{name: "S8 junk banner", script: `connect: raw "HTTP/1.1 400 Bad Request\r\n"; hang`, want: "deferred connect"},
	{name: "S9 closed at once", script: "connect: drop", second: true, want: "sent dot 250 charged", taken: 1},
	{name: "S10 half a banner", script: `connect: raw "220 he"; hang`, want: "deferred connect", within: 5*time.Minute + time.Second},
	{name: "S11 EHLO 421", script: "ehlo: 421 no", want: "deferred connect 421"},
	{name: "S11 EHLO 550", script: "ehlo: 550 5.7.1 no", second: true, want: "sent dot 250 charged", taken: 1},
	{name: "S12 HELO", script: "ehlo: 502 what", want: "sent dot 250 charged", taken: 1},
	{name: "S12 HELO, TLS required", script: "ehlo: 502 what", demand: route.Required, want: "deferred tls"},
	{name: "S12 HELO, login required", script: "ehlo: 502 what", relay: true, demand: route.Required, login: true, want: "halt tls 0"},
	{name: "S13 neither", script: "ehlo: 502 what\nhelo: 502 what", want: "deferred connect 502"},
	{name: "S14 EHLO drop", script: "ehlo: drop", want: "deferred connect"},
	{name: "S14 EHLO hang", script: "ehlo: hang", second: true, want: "sent dot 250 charged", taken: 1},
	{name: "S15 long EHLO line", script: "ehlo: raw \"250-\"; blow 1048576; raw \"\\r\\n250 x\\r\\n\"", want: "deferred connect"},
	{name: "S17 STARTTLS 454, required", script: "starttls: 454 4.7.0 no", demand: route.Required, want: "deferred tls 454"},
	{name: "S17 STARTTLS 454, opportunistic", script: "starttls: 454 4.7.0 no", demand: route.Opportunistic, want: "sent dot 250 charged", taken: 1, conns: 2},
	{name: "S17 STARTTLS drop, opportunistic", script: "starttls: drop", demand: route.Opportunistic, want: "sent dot 250 charged", taken: 1, conns: 2},
	{name: "S17 STARTTLS hang, required at a relay", script: "starttls: hang", relay: true, demand: route.Required, want: "deferred tls"},
	{name: "S18 junk for a ServerHello", script: "starttls: 220 go; wait 1s; 550 what", demand: route.Opportunistic, want: "sent dot 250 charged", taken: 1, conns: 2},
	{name: "S18 no ServerHello", script: "starttls: 220 go; hang", demand: route.Required, want: "deferred tls", within: 61 * time.Second},
	{name: "S19 plaintext after 220", script: `starttls: raw "220 go\r\n250 injected\r\n"; hang`, demand: route.Opportunistic, want: "deferred tls"},
	{name: "S20 no STARTTLS, required", script: "ehlo: 250 x", demand: route.Required, want: "deferred tls"},
	{name: "S20 no STARTTLS, required at a relay", script: "ehlo: 250 x", relay: true, demand: route.Required, want: "halt tls 0"},
	{name: "S20 no STARTTLS, opportunistic", script: "ehlo: 250 x", demand: route.Opportunistic, want: "sent dot 250 charged", taken: 1},
	{name: "S23 only the second EHLO counts", script: "ehlo#1: 250-x; 250-SIZE 1; 250 STARTTLS", demand: route.Required, want: "sent dot 250 charged", taken: 1},
	{name: "S24 login refused", script: "auth: 535 5.7.8 no", relay: true, demand: route.Required, login: true, want: "halt auth 535"},
	{name: "S25 login later", script: "auth: 454 4.7.0 later", relay: true, demand: route.Required, login: true, want: "deferred auth 454"},
	{name: "S25 login hang", script: "auth: hang", relay: true, demand: route.Required, login: true, want: "deferred auth"},
	{name: "S25 login drop", script: "auth: drop", relay: true, demand: route.Required, login: true, want: "deferred auth"},
	{name: "S25 endless challenges", script: "auth: 334 \n: 334 ", relay: true, demand: route.Required, login: true, want: "deferred auth"},
	{name: "S26 login in clear", relay: true, login: true, want: "halt auth 0"},
	{name: "S27 530 at MAIL", script: "mail: 530 5.7.0 log in", relay: true, want: "halt auth 530"},
	{name: "S27 530 at MAIL, one by one", script: "mail: 530 5.7.0 log in", relay: true, serial: true, want: "halt auth 530"},
	{name: "S28 MAIL 421", script: "mail: 421 4.3.2 no; drop", want: "deferred mail 421"},
	{name: "S28 MAIL 451", script: "mail: 451 4.3.0 no", want: "deferred mail 451"},
	{name: "S28 MAIL 451, second host", script: "mail: 451 4.3.0 no", second: true, want: "sent dot 250 charged", taken: 1},
	{name: "S29 MAIL 550", script: "mail: 550 5.7.1 no", want: "failed mail 550 charged"},
	{name: "S29 MAIL 552, one by one", script: "mail: 552 5.3.4 no", serial: true, want: "failed mail 552 charged"},
	{name: "S30 MAIL drop", script: "mail: drop", want: "deferred mail charged"},
	{name: "S30 MAIL drop, second host", script: "mail: drop", second: true, want: "sent dot 250 charged", taken: 1},
	{name: "S30 RCPT hang", script: "rcpt: hang", want: "deferred rcpt charged", within: 5*time.Minute + time.Second},
	{name: "S30 DATA drop", script: "data: drop", want: "deferred data charged"},
	{name: "S31 RCPT 450", script: "rcpt: 450 4.2.1 later", want: "deferred rcpt 450 charged"},
	{name: "S32 too many recipients", script: "rcpt#3: 452 4.5.3 too many", batch: 3, want: "not-tried rcpt, sent dot 250 charged, sent dot 250 charged", taken: 1},
	{name: "S32 452 for the first", script: "rcpt#1: 452 4.2.2 full", batch: 2, want: "deferred rcpt 452 charged, sent dot 250 charged", taken: 1},
	{name: "S33 RCPT 550", script: "rcpt: 550 5.1.1 unknown", want: "failed rcpt 550 charged"},
	{name: "S33 RCPT 550, one by one", script: "rcpt: 550 5.1.1 unknown", serial: true, want: "failed rcpt 550 charged"},
	{name: "S33 one of two", script: "rcpt#1: 550 5.1.1 unknown", batch: 2, want: "failed rcpt 550 charged, sent dot 250 charged", taken: 1},
	{name: "S34 RCPT 421", script: "rcpt: 421 4.3.2 bye; drop", want: "deferred rcpt 421"},
	{name: "S34 RCPT 421 after one refused", script: "rcpt#1: 550 5.1.1 no\nrcpt#2: 421 4.3.2 bye; drop", batch: 2, want: "failed rcpt 550 charged, deferred rcpt 421"},
	{name: "S35 354 at RCPT", script: "rcpt: 354 go", want: "deferred rcpt charged"},
	{name: "S35 250 at DATA", script: "data: 250 ok", want: "deferred data charged"},
	{name: "S36 DATA 421", script: "data: 421 4.3.2 bye; drop", want: "deferred data 421"},
	{name: "S36 DATA 451", script: "data: 451 4.3.0 later", want: "deferred data 451 charged"},
	{name: "S36 DATA 554", script: "data: 554 5.7.1 no", want: "failed data 554 charged"},
	{name: "S36 354 for nobody", script: "rcpt: 550 5.1.1 unknown\ndata: 354 go", want: "failed rcpt 550 charged"},
	{name: "S40 stops reading", script: "body: hang", want: "deferred dot charged", within: 4 * time.Minute},
	{name: "S41 dot 451", script: "dot: 451 4.3.0 later", want: "deferred dot 451 charged"},
	{name: "S41 dot 421", script: "dot: 421 4.3.0 later; drop", want: "deferred dot 421 charged"},
	{name: "S42 dot 554", script: "dot: 554 5.7.1 spam", want: "failed dot 554 charged"},
	{name: "S42 dot 552 mailbox full", script: "dot: 552 5.2.2 mailbox full", want: "deferred dot 552 charged"},
	{name: "S42 dot 552 too big", script: "dot: 552 5.3.4 too big", want: "failed dot 552 charged"},
	{name: "S43 dot drop", script: "dot: drop", second: true, want: "unknown dot charged"},
	{name: "S43 dot hang", script: "dot: hang", second: true, want: "unknown dot charged", within: 10*time.Minute + time.Second},
	{name: "S44 taken, drop", script: "dot: accept; drop", second: true, want: "unknown dot charged", taken: 1},
	{name: "S45 cut reply", script: `dot: raw "25"; drop`, want: "unknown dot charged"},
	{name: "S45 cut reply line", script: `dot: raw "250 2.0.0 ok"; drop`, want: "unknown dot charged"},
	{name: "S46 late 250", script: "dot: wait 9m; ok", want: "sent dot 250 charged", taken: 1},
	{name: "S47 dripping 250", script: "dot: accept; drip 1s 250 ok", want: "sent dot 250 charged", taken: 1},
	{name: "S47 200 lines", script: "dot: accept; times 200 250-a; 250 b", want: "sent dot 250 charged", taken: 1},
	{name: "S47 1 MiB line", script: `dot: accept; raw "250 "; blow 1048576; raw "\r\n"`, want: "sent dot 250 charged", taken: 1},
	{name: "S47 endless line", script: `dot: raw "250 "; blow 3000000; drop`, want: "unknown dot charged"},
	{name: "S48 dot 354", script: "dot: 354 go", want: "unknown dot 354 charged"},
	{name: "S48 dot 220", script: "dot: 220 hi", want: "unknown dot 220 charged"},
	{name: "S49 junk", script: `dot: raw "what?\r\n250 ok\r\n"`, want: "unknown dot charged"},
	{name: "S50 QUIT drop", script: "quit: drop", want: "sent dot 250 charged", taken: 1},
	{name: "S50 QUIT hang", script: "quit: hang", want: "sent dot 250 charged", taken: 1},
	{name: "S54 too many connections", script: "connect: 421 4.7.0 too many connections", want: "deferred connect 421"},
	{name: "S55 too big", ext: []string{"SIZE 10", "PIPELINING"}, want: "failed mail charged"},
	{name: "S56 offers nothing", ext: []string{}, want: "sent dot 250 charged", taken: 1},
	{name: "S59 tarpit", script: "mail: wait 1s; ok\nrcpt: wait 1s; ok", want: "sent dot 250 charged", taken: 1},
}

func TestFaults(t *testing.T) {
	ca := smtptest.NewCA(t)
	server := ca.Server("mx1.example", "mx2.example")
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := smtptest.Options{Extensions: f.ext}
				if f.demand != route.None {
					o.TLS = server
				}
				if f.login {
					o.User, o.Password = "ana", "secret"
				}
				good := smtptest.Start(t, o)
				o.Scripts = []string{f.script}
				peer := smtptest.Start(t, o)
				w := mxs(f.demand, "mx1.example")
				if f.second {
					w = mxs(f.demand, "mx1.example", "mx2.example")
				}
				path := Path{Router: w, Hello: "me.example", Relay: f.relay, TLS: &tls.Config{RootCAs: ca.Pool}}
				if f.login {
					path.Auth = &Auth{User: "ana", Password: func(context.Context) (string, error) { return "secret", nil }}
				}
				tr, stop := running(t, Options{Paths: twoWays(path), Pipelining: !f.serial, Dial: dialers(peer.Dial, good.Dial)})
				fd := &feed{t: t}
				fd.batch(hello(), []string{"a@example.org", "b@example.org", "c@example.org"}[:max(1, f.batch)]...)
				began := time.Now()
				err := fd.serve(t.Context(), tr.Queue(QueueOptions{Name: "q"}))
				took := time.Since(began)
				stop()

				got := fd.lines()
				var halt *delivery.Halt
				if errors.As(err, &halt) {
					if got != "not-tried gate" {
						t.Errorf("halted with outcomes %q", got)
					}
					got = strings.TrimSpace(strings.Join([]string{"halt", halt.Stage.String(), itoa(halt.Code)}, " "))
				} else if err != nil {
					t.Fatal(err)
				}
				if got != f.want {
					t.Errorf("got  %s\nwant %s\n%+v\n%q", got, f.want, fd.done, peer.Commands())
				}
				if taken := len(peer.Messages()) + len(good.Messages()); taken != f.taken {
					t.Errorf("%d messages accepted, want %d", taken, f.taken)
				}
				if n, _, _ := peer.Connections(); n != max(1, f.conns) {
					t.Errorf("%d connections, want %d", n, max(1, f.conns))
				}
				if limit := f.within; limit > 0 && took > limit {
					t.Errorf("took %v, want at most %v", took, limit)
				}
			})
		})
	}
}
