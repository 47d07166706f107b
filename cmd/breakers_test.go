package cmd

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mailblast/mailblast/delivery/pace/breaker"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// people are n addresses in so many domains, in turn.
func people(n, domains int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("c%d@d%d.test", i, i%domains)
	}
	return all
}

func relayOf(p *smtptest.Peer, more string) string {
	return fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none%s}\nconnections: 20\n", p.Port(), more)
}

// turning starts a peer that is asked what it says to a command instead of the proper reply; "" is that.
func turning(t *testing.T, start func(smtptest.Options) *smtptest.Peer, o smtptest.Options, reply func(p *smtptest.Peer, verb string) string) *smtptest.Peer {
	t.Helper()
	var self atomic.Pointer[smtptest.Peer]
	o.Reply = func(verb, _ string) string { return reply(self.Load(), verb) }
	p := start(o)
	self.Store(p) // before anybody knows its port
	return p
}

// alone starts a peer on a port of its own.
func alone(t *testing.T) func(smtptest.Options) *smtptest.Peer {
	return func(o smtptest.Options) *smtptest.Peer {
		o.Addr = "127.0.0.1:0"
		return smtptest.Start(t, o)
	}
}

// A relay that refuses everybody after a thousand messages, whatever it calls it, makes no more failures than the window is
// long, in the run, in the next one and in the one after that; the peer's log has no more tries than that either.
func TestFaultsS61RelayTurnsAgainstAll(t *testing.T) {
	t.Parallel()
	var refused atomic.Int32
	p := turning(t, alone(t), smtptest.Options{}, func(p *smtptest.Peer, verb string) string {
		if verb != "RCPT" || p.Accepted() < 1000 {
			return ""
		}
		n := refused.Add(1)
		return fmt.Sprintf("550 5.7.1 no [%x]: your address 192.0.2.%d has a bad reputation", n*7919, n%250)
	})
	t.Attr("fault", "S61 a relay refuses all after 1000, in other words each time")
	t.Attr("expected", "no more than 61 fail, and the run is paused with a warning; each later run tries at most 5, of whom 1 fails")
	s := newSending(t, map[string]string{"campaign.yaml": campaignHead + relayOf(p, ""), "list.csv": list(people(10_000, 500)...)})
	e := s.run("send", "-y", "--json").exits(exitPaused)
	sent := p.Accepted()
	s.counts(sent, 61, 0, 10_000-61-sent)
	if n := refused.Load(); n > 61+20 {
		t.Errorf("the relay refused %d", n)
	}
	var warned struct{ Fields map[string]string }
	for line := range strings.Lines(e.out) {
		if strings.Contains(line, `"type":"warning"`) {
			if err := json.Unmarshal([]byte(line), &warned); err != nil {
				t.Fatal(err)
			}
		}
	}
	if f := warned.Fields; f["route"] != "127.0.0.1" || !strings.HasPrefix(f["reason"], "550 5.7.1 no [") || f["refused"] != "61" {
		t.Errorf("the warning says %v", f)
	}
	for again := range 2 {
		before := refused.Load()
		s.run("send").exits(exitPaused).says("paused: 127.0.0.1 refuses ")
		s.counts(sent, 62+again, 0, 10_000-62-again-sent)
		if n := refused.Load() - before; n > breaker.Trials {
			t.Errorf("a later run tried %d", n)
		}
	}
	t.Attr("seen", fmt.Sprintf("%d failed of 10000 in three runs, %d tries were refused", s.report().Failed, refused.Load()))
}

// In direct delivery, one domain that turns against us is left alone; its neighbours get all of theirs.
func TestFaultsS61DirectDomainPauses(t *testing.T) {
	t.Parallel()
	l := newLab(t, "big.test. MX 10 mx.big.test.", "mx.big.test. A 127.0.0.2", "d0.test. MX 10 mx.d.test.", "d1.test. MX 10 mx.d.test.",
		"d2.test. MX 10 mx.d.test.", "mx.d.test. A 127.0.0.3")
	big := turning(t, func(o smtptest.Options) *smtptest.Peer { return l.peer(2, o) }, smtptest.Options{}, func(p *smtptest.Peer, verb string) string {
		if verb == "DATA" && p.Accepted() >= 50 {
			return "554 5.7.1 blocked"
		}
		return ""
	})
	t.Attr("fault", "S61 in direct delivery, one domain refuses all after 50")
	t.Attr("expected", "no more than 61 fail, the domain is paused; its neighbours get all of theirs")
	other := l.peer(3, smtptest.Options{})
	addresses := people(600, 3)
	for i := range 400 {
		addresses = append(addresses, fmt.Sprintf("b%d@big.test", i))
	}
	s := newSending(t, map[string]string{"campaign.yaml": campaignHead + l.direct(), "list.csv": list(addresses...)})
	s.run("send").exits(exitPaused).says("paused: big.test refuses ", "554 5.7.1 blocked")
	s.counts(600+big.Accepted(), 61, 0, 400-61-big.Accepted())
	if n := other.Accepted(); n != 600 {
		t.Errorf("the others got %d", n)
	}
	t.Attr("seen", fmt.Sprintf("%d failed of 400; %d of 600 others sent", s.report().Failed, other.Accepted()))
}

// A sender that is refused again and again stops the run after fifty-one in a row, those not counted that were refused before
// the last of the mail that was under way was taken: after sixty-one altogether it stops whatever came in between.
func TestFaultsS29SenderRefused(t *testing.T) {
	t.Parallel()
	p := turning(t, alone(t), smtptest.Options{}, func(p *smtptest.Peer, verb string) string {
		if verb == "MAIL" && p.Accepted() >= 300 {
			return "550 5.7.1 sender not allowed"
		}
		return ""
	})
	s := newSending(t, map[string]string{"campaign.yaml": campaignHead + relayOf(p, ""), "list.csv": list(people(5000, 500)...)})
	e := s.run("send").exits(exitPaused).says("paused: 127.0.0.1 refuses our ", ": 550 5.7.1 sender not allowed, ", "hint: run again")
	t.Attr("fault", "S29 MAIL 550 to everybody after 300, 20 connections")
	t.Attr("expected", "at 51 in a row the run is paused; it ends with a question to the user, not with 4700 failures")
	failed := s.report().Failed
	t.Attr("seen", fmt.Sprintf("%d failed of 5000, %d sent; exit %d", failed, p.Accepted(), exitPaused))
	if bySender := strings.Contains(e.err, "our sender"); failed > 61 || failed < 51 || !bySender && failed != 61 {
		t.Errorf("%d failed\n%s", failed, e.err)
	}
	s.counts(p.Accepted(), failed, 0, 5000-failed-p.Accepted())
}

// A password that is refused is tried once by twenty connections; one that is changed in mid-campaign twice at most, and
// what the next run adds to it is one.
func TestFaultsS24LoginRefused(t *testing.T) {
	t.Parallel()
	t.Attr("fault", "S24 login refused from the start, and in mid-campaign, 20 connections")
	t.Attr("expected", "tried once, and twice at most; the run ends with 78, no mail fails, and the next run tries once")
	var refused, locked atomic.Int32
	p := turning(t, alone(t), smtptest.Options{User: "ana", Password: "secret"}, func(p *smtptest.Peer, verb string) string {
		if verb == "AUTH" && p.Accepted() >= int(locked.Load()) {
			refused.Add(1)
			return "535 5.7.8 account locked"
		}
		return ""
	})
	files := map[string]string{"list.csv": list(people(3000, 500)...),
		"campaign.yaml": campaignHead + relayOf(p, ", user: ana, password: secret, insecure_auth: true") + "general: {messages_per_connection: 10}\n"}
	newSending(t, files).run("send").exits(exitDenied).says("refused the login: 535 5.7.8 account locked")
	if n := p.Count("AUTH"); n != 1 {
		t.Errorf("%d logins", n)
	}
	locked.Store(600)
	refused.Store(0)
	s := newSending(t, files)
	s.run("send").exits(exitDenied).says("refused the login: 535 5.7.8 account locked")
	if n := refused.Load(); n < 1 || n > 2 {
		t.Errorf("%d logins were refused", n)
	}
	s.counts(p.Accepted(), 0, 0, 3000-p.Accepted())
	if out := s.run("status").exits(exitOK).out; !strings.Contains(out, "paused: 127.0.0.1 refuses the login: 535 5.7.8 account locked") {
		t.Errorf("status does not say why:\n%s", out)
	}
	refused.Store(0)
	s.run("send").exits(exitDenied)
	if n := refused.Load(); n != 1 {
		t.Errorf("the next run was refused %d logins", n)
	}
	t.Attr("seen", fmt.Sprintf("exit %d, %d failed, %d sent; the next run tried %d login", exitDenied, s.report().Failed, p.Accepted(), refused.Load()))
}

// The table of breakers in the document is that of the code, and its exit codes are ours.
func TestTableOfBreakers(t *testing.T) {
	b, err := os.ReadFile("../docs/queues.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, r := range breaker.Rules() {
		limit := fmt.Sprintf("more than %d in a row", r.Over)
		if r.Of > 0 {
			limit = fmt.Sprintf("more than %d of the last %d", r.Over, r.Of)
		}
		if r.Over == 0 {
			limit = "one"
		}
		want = append(want, fmt.Sprintf("| %s | %s | %s | %s | %d |", r.Name, r.Counts, limit, r.Pauses, r.Exit))
		if r.Exit != exitPaused && r.Exit != exitDenied {
			t.Errorf("breaker %s ends with %d", r.Name, r.Exit)
		}
	}
	if table := strings.Join(want, "\n"); !strings.Contains(string(b), "\n"+table+"\n\n") {
		t.Errorf("docs/queues.md lacks this table:\n%s", table)
	}
	if most := regexp.MustCompile(`at most (\d+) messages are tried`).FindSubmatch(b); most == nil || string(most[1]) != strconv.Itoa(breaker.Trials) {
		t.Errorf("docs/queues.md says of trials %q", most)
	}
}
