package smtpout

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// S54: a host that takes three connections at once, for a pool of eight threads.
func TestFaultTooManyConnections(t *testing.T) {
	tell(t, "S54 too many connections, 3 of 8 are let in", "fewer at once for this host, one more from time to time; nothing is charged or put off")
	synctest.Test(t, func(bubble *testing.T) {
		p := newPosting(bubble)
		peer := p.host(bubble, "a.example", smtptest.Options{Latency: 100 * time.Millisecond, Most: 3})
		p.o.Connections = 8
		p.mail(6000, "a.example")
		p.run()
		put := 0
		for _, os := range p.book.all {
			put += len(os) - 1
		}
		if p.err != nil || put != 0 || p.totals()["sent"] != 6000 {
			bubble.Errorf("%v, %v, %d times put off", p.err, p.totals(), put)
		}
		// Three connections at work all the time would take 200 ms a message each.
		if best := 6000 * 200 * time.Millisecond / 3; p.took > best*4/3 || peer.TurnedAway() > 15 || p.book.back > 600 {
			bubble.Errorf("took %v, at best %v; %d connections were turned away, %d messages not tried", p.took, best, peer.TurnedAway(), p.book.back)
		}
		_, most, _ := peer.Connections()
		t.Attr("seen", fmt.Sprintf("%v over %d connections at once in %s; %d turned away, %d put off", p.totals(), most, p.took, peer.TurnedAway(), put))
	})
}

// S59: a tarpit takes a second for each reply. The general queue's other domains do not notice.
func TestFaultTarpit(t *testing.T) {
	tell(t, "S59 1 s for each reply, in the general queue", "works; only that host's slots are held, all others are served meanwhile")
	synctest.Test(t, func(bubble *testing.T) {
		p := newPosting(bubble)
		slow := p.host(bubble, "tar.example", smtptest.Options{Latency: time.Second, Extensions: []string{}})
		p.mail(60, "tar.example")
		for i := range 50 {
			name := fmt.Sprintf("d%d.example", i)
			p.host(bubble, name, smtptest.Options{Latency: 10 * time.Millisecond})
			p.mail(20, name)
		}
		p.o.Connections, p.o.General.PerDomain = 4, 3
		p.run()
		var others time.Duration
		for i := 60; i < len(p.to); i++ {
			os := p.book.all[p.id(i, 0)]
			others = max(others, os[len(os)-1].At.Sub(p.began))
		}
		_, most, _ := slow.Connections()
		// 50 domains of 20 messages with three replies of 10 ms each, one at a time, and the threads' first turns.
		if p.err != nil || p.totals()["sent"] != len(p.to) || others > 45*time.Second || most > 3 || p.took < time.Minute {
			bubble.Errorf("%v, %v; the others took %v of %v", p.err, p.totals(), others, p.took)
		}
		t.Attr("seen", fmt.Sprintf("%v; 50 other domains were done after %s, the tarpit after %s over %d connections", p.totals(), others, p.took, most))
	})
}

// flaws are what can go wrong at each step of a connection.
var flaws = map[string][]string{
	"connect": {"drop", "421 4.3.2 busy; drop", "554 5.7.1 no; drop", "hang", `raw "what?\r\n"; drop`, `raw "22"; drop`, "wait 20s; ok"},
	"ehlo":    {"drop", "421 no; drop", "502 what", "550 5.7.1 no; drop", "hang", "times 2000 250-a"},
	"mail":    {"drop", "421 no; drop", "451 4.3.0 no", "452 4.3.1 no", "hang", "354 go"},
	"rcpt":    {"drop", "421 no; drop", "450 4.2.1 no", "451 4.7.1 greylisted", "452 4.5.3 too many", "550 5.1.1 no such user", "hang", "354 go"},
	"data":    {"drop", "421 no; drop", "451 4.3.0 no", "554 5.7.1 no", "250 ok", "hang"},
	"body":    {"hang", "skip 20; drop", "skip 40; drop"},
	"dot": {"drop", "hang", "accept; drop", "accept; hang", "421 4.3.0 no; drop", "451 4.3.0 no", "554 5.7.1 no", "552 5.2.2 full", "354 go", `raw "25"; drop`,
		`accept; raw "250 o"; drop`, "wait 9m; ok", `accept; raw "250 "; blow 9000; raw "\r\n"`, `raw "what?\r\n250 ok\r\n"`},
	"rset": {"drop", "421 no; drop", "500 what", "hang"},
	"quit": {"drop", "hang", "500 what"},
}

// flawed gives a connection's script, with a flaw at one of 20 steps.
func flawed(r *rand.Rand, events []string) (script string) {
	for _, event := range events {
		for nth := 1; nth <= 12; nth++ {
			if r.IntN(20) == 0 {
				script += fmt.Sprintf("%s#%d: %s\n", event, nth, flaws[event][r.IntN(len(flaws[event]))])
			}
		}
	}
	return script
}

// S60: five in a hundred of everything goes wrong, at eight hosts. Nobody is lost, and nobody gets two letters unexplained.
func TestFaultEverything(t *testing.T) {
	events := []string{"connect", "ehlo", "mail", "rcpt", "data", "body", "dot", "rset", "quit"}
	for _, resend := range []bool{false, true} {
		name := "S60 5 % of everything, what is unknown is " + map[bool]string{false: "held", true: "resent"}[resend]
		t.Run(name, func(t *testing.T) {
			tell(t, name, "LOST=0: everybody has one final outcome, and it is true")
			seed := rand.Uint64()
			seen := map[string]int{}
			synctest.Test(t, func(bubble *testing.T) {
				r := rand.New(rand.NewPCG(seed, 1))
				p := newPosting(bubble)
				for i := range 8 {
					var scripts []string
					for range 500 {
						scripts = append(scripts, flawed(r, events))
					}
					domain := fmt.Sprintf("d%d.example", i)
					p.host(bubble, domain, smtptest.Options{Scripts: append(scripts, "")})
					p.mail(200, domain)
				}
				p.o.Connections, p.o.Resend, p.o.Retry.For, p.o.Random = 16, resend, 72*time.Hour, r
				p.run()
				if p.err != nil {
					bubble.Error(p.err)
				}
				p.audit(seen)
			})
			if seen["lost"]+seen["false"]+seen["doubles unexplained"] > 0 || seen["sent"] < 1200 {
				t.Errorf("seed %d: %v", seed, seen)
			}
			t.Attr("seen", fmt.Sprintf("%d sent, %d failed, %d unknown, %d lost, %d false, %d doubles unexplained", seen["sent"], seen["failed"], seen["unknown"],
				seen["lost"], seen["false"], seen["doubles unexplained"]))
		})
	}
}

// audit holds the journal against what the hosts have taken.
func (p *posting) audit(seen map[string]int) {
	copies := p.accepted()
	for i := range p.to {
		os := p.book.all[p.id(i, 0)]
		n, may := copies[fmt.Sprintf("<%d@me.example>", i)], 0 // copies, and how many of them the journal knows may be
		for _, o := range os {
			if o.Status == delivery.Unknown {
				may++
			}
		}
		if len(os) == 0 || !os[len(os)-1].Status.Final() {
			seen["lost"]++
			p.t.Errorf("letter %d: %s", i, p.story(i))
			continue
		}
		last := os[len(os)-1]
		seen[last.Status.String()]++
		switch last.Status {
		case delivery.Sent:
			may++
			if n == 0 {
				seen["false"]++
			}
		case delivery.Failed:
			if n > may || last.Code < 500 {
				seen["false"]++
				p.t.Errorf("letter %d: %d copies; %s", i, n, p.story(i))
			}
		}
		if n > may {
			seen["doubles unexplained"]++
			p.t.Errorf("letter %d: %d copies; %s", i, n, p.story(i))
		}
	}
}
