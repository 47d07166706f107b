package smtpout

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// show reports what was seen, and demands it.
func show(t *testing.T, seen, want string) {
	t.Helper()
	t.Attr("seen", seen)
	if seen != want {
		t.Errorf("got  %s\nwant %s", seen, want)
	}
}

// TestFaultRounds has hosts that turn everybody away. Only when all of them do, for good and twice, the mail has failed.
func TestFaultRounds(t *testing.T) {
	const twice = "failed at the second round"
	const stays = "tried later, as long as retry allows"
	for _, c := range []struct {
		name, must string
		hosts      []string // the script of each mail exchanger
		want       string   // by the second try
	}{
		{"S7 554 banner of the only host", twice, []string{"connect: 554 5.7.1 no; drop"}, "deferred connect 554 at 0s, failed connect 554 charged at 1m0s"},
		{"S7 554 banner of all hosts", twice, []string{"connect: 554 5.7.1 no; drop", "connect: 554 5.7.1 no; drop"},
			"deferred connect 554 at 0s, failed connect 554 charged at 1m0s"},
		{"S7 554 banner of one, 421 of the other", stays, []string{"connect: 554 5.7.1 no; drop", "connect: 421 4.3.2 no; drop"},
			"deferred connect 421 at 0s, deferred connect 421 at 1m0s"},
		{"S7 554 banner of one, the other hangs up", stays, []string{"connect: 554 5.7.1 no; drop", "connect: drop"}, "deferred connect at 0s, deferred connect at 1m0s"},
		{"S11 EHLO 550 of all hosts", twice, []string{"ehlo: 550 5.7.1 no; drop", "ehlo: 550 5.7.1 no; drop"},
			"deferred connect 550 at 0s, failed connect 550 charged at 1m0s"},
		{"S11 EHLO 550 of one, 451 of the other", stays, []string{"ehlo: 451 4.7.1 no; drop", "ehlo: 550 5.7.1 no; drop"},
			"deferred connect 550 at 0s, deferred connect 550 at 1m0s"},
		{"S13 neither EHLO nor HELO of all hosts", stays, []string{"ehlo: 502 what\nhelo: 502 what", "ehlo: 500 what\nhelo: 500 what"},
			"deferred connect 500 at 0s, deferred connect 500 at 1m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tell(t, c.name, c.must)
			synctest.Test(t, func(bubble *testing.T) {
				p := newPosting(bubble)
				for i, script := range c.hosts {
					name := fmt.Sprintf("mx%d.example", i)
					p.host(bubble, name, smtptest.Options{Scripts: []string{script}})
					p.mx["a.example"] = append(p.mx["a.example"], name)
				}
				p.mail(1, "a.example")
				p.o.Retry.For = time.Hour
				p.run()
				tries := strings.Split(p.story(0), ", ")
				show(t, strings.Join(tries[:min(2, len(tries))], ", "), c.want)
			})
		})
	}
}

// S24, S27: many connections meet a relay that wants nothing of us.
func TestFaultRelayRefuses(t *testing.T) {
	for _, c := range []struct{ name, verb, reply string }{
		{"S24 login refused, 8 connections", "AUTH", "535 5.7.8 no"},
		{"S27 530 at MAIL, 8 connections", "MAIL", "530 5.7.0 log in"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tell(t, c.name, "the run ends, nobody's mail fails, and no connection asks twice")
			ca := smtptest.NewCA(t)
			synctest.Test(t, func(bubble *testing.T) {
				p := newPosting(bubble)
				o := smtptest.Options{Latency: 20 * time.Millisecond, Scripts: []string{strings.ToLower(c.verb) + ": " + c.reply}}
				if c.verb == "AUTH" {
					o.User, o.Password, o.TLS = "ana", "secret", ca.Server("relay.example")
					p.logsIn(ca)
				}
				relay := p.host(bubble, "relay.example", o)
				for i := range 8 {
					p.mx[fmt.Sprintf("d%d.example", i)] = []string{"relay.example"}
					p.mail(50, fmt.Sprintf("d%d.example", i))
				}
				p.o.Connections, p.path.Relay = 8, true
				p.run()
				var halt *delivery.Halt
				if !errors.As(p.err, &halt) || halt.Stage != delivery.StageAuth || relay.Count(c.verb) > 8 {
					bubble.Errorf("%v, %d times %s", p.err, relay.Count(c.verb), c.verb)
				}
				show(t, fmt.Sprintf("halt %d; %v", halt.Code, p.totals()), fmt.Sprintf("halt %s; map[pending:400]", c.reply[:3]))
			})
		})
	}
}

// S32: what a server takes no more of in one transaction goes in the next.
func TestFaultSplit(t *testing.T) {
	tell(t, "S32 at most 2 recipients a transaction", "the rest in new transactions, nothing is charged more than once")
	synctest.Test(t, func(bubble *testing.T) {
		p := newPosting(bubble)
		rcpts := 0
		peer := p.host(bubble, "a.example", smtptest.Options{Reply: func(verb, _ string) string {
			switch rcpts++; {
			case verb != "RCPT":
				rcpts = 0
			case rcpts > 2:
				return "452 4.5.3 too many recipients"
			}
			return ""
		}})
		p.o.Connections = 1
		p.to = [][]string{{"a@a.example", "b@a.example", "c@a.example", "d@a.example", "e@a.example"}}
		p.run()
		var took []string
		for _, m := range peer.Messages() {
			took = append(took, strings.Join(m.To, " "))
		}
		n, _, _ := peer.Connections()
		show(t, fmt.Sprintf("%v; %s; %d connection", p.totals(), strings.Join(took, ", then "), n),
			"map[sent:5]; a@a.example b@a.example, then c@a.example d@a.example, then e@a.example; 1 connection")
	})
}

// S37: a greylist that lets nobody in before 25 minutes have passed.
func TestFaultGreylist(t *testing.T) {
	tell(t, "S37 greylisting", "tried again after 5, 15 and 30 minutes, with the same sender and recipient")
	synctest.Test(t, func(bubble *testing.T) {
		p := newPosting(bubble)
		var mu sync.Mutex
		said := map[string]int{}
		p.host(bubble, "a.example", smtptest.Options{Reply: func(verb, arg string) string {
			mu.Lock()
			defer mu.Unlock()
			if verb == "MAIL" || verb == "RCPT" {
				said[verb+" "+arg]++
			}
			if verb == "RCPT" && time.Since(p.began) < 25*time.Minute {
				return "450 4.7.1 greylisted, please try again"
			}
			return ""
		}})
		p.mail(1, "a.example")
		p.run()
		if len(said) != 2 {
			bubble.Errorf("%v", said)
		}
		show(t, p.story(0), "deferred rcpt 450 charged at 0s, deferred rcpt 450 charged at 5m0s, deferred rcpt 450 charged at 15m0s, sent dot 250 charged at 30m0s")
	})
}

// S44: with resend, what may have been taken goes once more; held, it does not.
func TestFaultUnknown(t *testing.T) {
	for _, c := range []struct {
		name, must string
		resend     bool
		want       string
	}{
		{"S44 taken without a reply, hold", "held; one copy", false, "unknown dot charged at 0s; 1 copy"},
		{"S44 taken without a reply, resend", "once more after 15 minutes, the same Message-ID", true, "unknown dot charged at 0s, sent dot 250 charged at 15m0s; 2 copies"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tell(t, c.name, c.must)
			synctest.Test(t, func(bubble *testing.T) {
				p := newPosting(bubble)
				p.host(bubble, "a.example", smtptest.Options{Scripts: []string{"dot: accept; drop", ""}})
				p.mail(1, "a.example")
				p.o.Resend = c.resend
				p.run()
				n := p.accepted()["<0@me.example>"]
				show(t, fmt.Sprintf("%s; %d cop%s", p.story(0), n, map[bool]string{true: "y", false: "ies"}[n == 1]), c.want)
			})
		})
	}
}
