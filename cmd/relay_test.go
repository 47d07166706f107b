package cmd

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/report"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// policy is a policy service for Postfix (SMTPD_POLICY_README): it puts off grey@… the first time, and busy@… until it
// relents.
type policy struct {
	addr   string
	relent atomic.Bool

	mu   sync.Mutex
	seen map[string]bool
}

func newPolicy(t *testing.T) *policy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &policy{addr: l.Addr().String(), seen: map[string]bool{}}
	var work sync.WaitGroup
	var conns sync.Map
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Store(c, nil)
			work.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		conns.Range(func(c, _ any) bool { return c.(net.Conn).Close() == nil })
		work.Wait()
	})
	return p
}

// serve answers the questions of one connection, each some lines and an empty one.
func (p *policy) serve(c net.Conn) {
	defer c.Close()
	to := ""
	for s := bufio.NewScanner(c); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "recipient="); ok {
			to = v
		}
		if s.Text() == "" {
			fmt.Fprintf(c, "action=%s\n\n", p.decide(to))
		}
	}
}

func (p *policy) decide(to string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := !p.seen[to]
	p.seen[to] = true
	switch {
	case strings.HasPrefix(to, "grey@") && first:
		return "451 4.7.1 greylisted, come back in a second"
	case strings.HasPrefix(to, "busy@") && !p.relent.Load():
		return "450 4.2.1 mailbox busy"
	}
	return "dunno"
}

// table is an access table for startPostfix that asks the policy service about those domains, and has the lines besides.
func table(domains []string, lines ...string) string {
	for _, d := range domains {
		lines = append(lines, d+" ask_policy")
	}
	return strings.Join(lines, "\n") + "\n"
}

// config is what main.cf needs for such a table.
func (p *policy) config() string {
	return "smtpd_restriction_classes = ask_policy\nask_policy = check_policy_service inet:" + p.addr
}

// onward starts the server behind the relay, and gives it in Postfix's form.
func onward(t *testing.T) (*smtptest.Peer, string) {
	p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	return p, fmt.Sprintf("[127.0.0.1]:%d", p.Port())
}

// through is the part of a campaign that sends through p.
func (p *relayhost) through(more string) string {
	return fmt.Sprintf("smtp: {host: localhost, port: %d, tls: starttls, user: ana@relay.test, password: \"${RELAY_PASSWORD}\"%s}\n", p.port, more)
}

func (p *relayhost) trusted() string { return p.through(", ca_file: " + p.ca) }

// logged counts lines of Postfix's log.
func (p *relayhost) logged(t *testing.T, words string) int {
	t.Helper()
	b, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), words)
}

var relayPassword = []string{"RELAY_PASSWORD=correct horse"}

// A real Postfix as relay, with STARTTLS and a login: it takes most, refuses some for good, puts some off once and one until
// the next run. Each has the right outcome, and who was accepted gets one letter from the relay's next hop.
func TestPostfixOutcomes(t *testing.T) {
	t.Parallel()
	next, address := onward(t)
	p := newPolicy(t)
	relay := startPostfix(t, address, table([]string{"a.test", "b.test", "c.test"},
		"gone@a.test 550 5.1.1 no such user here", "gone@b.test 550 5.1.1 no such user here", "spam@c.test 554 5.7.1 we want none of this"), p.config())
	var good []string
	for i := range 30 {
		good = append(good, fmt.Sprintf("p%d@%c.test", i, 'a'+i%3))
	}
	good = append(good, "grey@a.test", "grey@c.test")
	config := campaignHead + "queues: {a: {domains: [a.test], connections: 3}}\nretry: {first: 1s, wait: %s, jitter: false}\n"
	s := newSending(t, map[string]string{
		"list.csv":      list(append([]string{"gone@a.test", "gone@b.test", "spam@c.test", "busy@b.test"}, good...)...),
		"campaign.yaml": fmt.Sprintf(config, "6s") + relay.trusted(), // greylisting is given five times as long as others
	})
	s.env = relayPassword
	e := s.run("send", "--json", "-v").exits(exitPaused).says("1 put off for a later try")
	r := s.counts(len(good), 3, 0, 1)
	if r.DeferredOK != 2 || r.Deferred != 1 {
		t.Errorf("%d of those sent were put off before, %d are put off; want 2 and 1", r.DeferredOK, r.Deferred)
	}
	if got := reasons(r); got != "2× 550 5.1.1 gone@a.test gone@b.test; 1× 554 5.7.1 spam@c.test" {
		t.Errorf("reasons: %s", got)
	}
	for to, want := range map[string]string{
		"p0@a.test": "sent dot 250", "gone@a.test": "failed rcpt 550", "spam@c.test": "failed rcpt 554", "grey@a.test": "deferred rcpt 451, sent dot 250",
	} {
		if got := e.tries()[to]; got != want {
			t.Errorf("%s: %s; want %s", to, got, want)
		}
	}
	for to, o := range s.outcomes() {
		if o.Host != "localhost [127.0.0.1]" || o.TLS != "TLS1.3 verified" {
			t.Errorf("%s: host %q, TLS %q", to, o.Host, o.TLS)
		}
	}
	arrived(t, next, good)

	p.relent.Store(true)
	s.write("campaign.yaml", fmt.Sprintf(config, "10m")+relay.trusted())
	s.run("send").exits(exitOK)
	s.counts(len(good)+1, 3, 0, 0)
	arrived(t, next, append(good, "busy@b.test"))
	if relay.logged(t, "sasl_method=PLAIN, sasl_username=ana@relay.test") == 0 {
		t.Error("Postfix saw no login")
	}
}

// arrived waits for letters at the relay's next hop and demands that there is one for each.
func arrived(t *testing.T, next *smtptest.Peer, to []string) {
	t.Helper()
	await(t, fmt.Sprintf("%d letters at the next hop", len(to)), func() bool {
		n := 0
		for _, m := range next.Messages() {
			n += len(m.To)
		}
		return n >= len(to)
	})
	once(t, to, next)
}

// reasons is why people did not get their mail, in short.
func reasons(r *report.Report) string {
	var all []string
	for _, x := range r.Reasons {
		text := fmt.Sprintf("%d× %d %s", x.Count, x.Code, x.Enhanced)
		var people []string
		for _, p := range x.People {
			people = append(people, p.To)
		}
		slices.Sort(people)
		text += " " + strings.Join(people, " ")
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// What is wrong with login or certificate ends a run before the first message, with a word on what to check.
func TestPostfixRefusesUs(t *testing.T) {
	t.Parallel()
	next, address := onward(t)
	relay := startPostfix(t, address, "")
	s := newSending(t, map[string]string{"list.csv": list("a@a.test", "b@b.test")})
	try := func(config string, code int, words ...string) {
		t.Helper()
		s.write("campaign.yaml", campaignHead+config)
		e := s.run("send").exits(code).says(words...)
		if strings.Contains(e.err+e.out, "battery staple") || strings.Contains(e.err+e.out, "YmF0dGVyeSBzdGFwbGU") {
			t.Errorf("the password is told:\n%s%s", e.out, e.err)
		}
	}
	s.env = []string{"RELAY_PASSWORD=battery staple"}
	try(relay.trusted(), exitDenied, "localhost [127.0.0.1] refused the login: 535 5.7.8", "hint: check user and password")
	if n := relay.logged(t, "authentication failed"); n != 1 {
		t.Errorf("%d logins were tried, one is enough to lock an account", n)
	}
	s.env = relayPassword
	try(relay.through(""), exitDenied, "localhost [127.0.0.1]: no safe TLS: certificate: ", "ca_file")
	try(strings.Replace(relay.trusted(), "host: localhost", "host: 127.0.0.1", 1), exitDenied, "127.0.0.1: no safe TLS: certificate: ", "127.0.0.1")
	try(strings.Replace(relay.trusted(), "tls: starttls", "tls: none", 1), exitData, "campaign.yaml:7:", "smtp: the password would go over an unencrypted connection")
	try(relay.through(", ca_file: nowhere.pem"), exitData, "smtp.ca_file: there is no such file")
	s.env = nil
	try(relay.trusted(), exitData, "campaign.yaml:7:", "RELAY_PASSWORD")
	if n := relay.logged(t, "client=localhost"); n != 0 || len(next.Messages()) != 0 {
		t.Errorf("%d transactions, %d letters although every try was refused", n, len(next.Messages()))
	}

	s.env = relayPassword
	s.write("campaign.yaml", campaignHead+relay.through(", auth: login, ca_file: "+relay.ca))
	s.run("send").exits(exitOK)
	s.counts(2, 0, 0, 0)
	arrived(t, next, []string{"a@a.test", "b@b.test"})
	if relay.logged(t, "sasl_method=LOGIN") == 0 {
		t.Error("Postfix saw no login by LOGIN")
	}
}

// With the relay down everything goes to the fallback; without one nothing is sent, and that is said.
func TestRelayDown(t *testing.T) {
	t.Parallel()
	fallback := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	dead := fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", freePort(t))
	to := []string{"a@a.test", "b@b.test", "c@c.test"}
	s := newSending(t, map[string]string{"list.csv": list(to...), "campaign.yaml": campaignHead + dead})
	s.run("send", "--patience", "1s").exits(exitUnavailable).says("127.0.0.1 cannot be reached", "Nothing was sent")
	s.counts(0, 0, 0, 3)
	s.write("campaign.yaml", campaignHead+dead+fmt.Sprintf("fallback: {host: 127.0.0.1, port: %d, tls: none}\n", fallback.Port()))
	s.run("send").exits(exitOK)
	s.counts(3, 0, 0, 0)
	once(t, to, fallback)
	for _, o := range s.outcomes() {
		if o.Status != delivery.Sent || o.Via != 1 || o.Try != 2 {
			t.Errorf("%s: %s via %d at try %d", o.To, o.Status, o.Via, o.Try)
		}
	}
}

// Through a relay all recipients of one letter are of one site: one transaction, whatever their domains.
func TestRelayClones(t *testing.T) {
	t.Parallel()
	relay := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	s := newSending(t, map[string]string{"list.csv": list("a@a.test"), "campaign.yaml": campaignHead + fmt.Sprintf(`smtp: {host: 127.0.0.1, port: %d, tls: none}
cc: [b@b.test]
bcc: [c@c.test, d@d.test]
`, relay.Port())})
	s.run("send").exits(exitOK)
	s.counts(4, 0, 0, 0)
	m := relay.Messages()
	if len(m) != 1 || len(m[0].To) != 4 || relay.Count("MAIL") != 1 || relay.Count("DATA") != 1 {
		t.Fatalf("%d transactions: %+v", relay.Count("MAIL"), m)
	}
	if low := strings.ToLower(m[0].Data); strings.Contains(low, "bcc") || strings.Contains(low, "c@c.test") {
		t.Errorf("blind copies can be seen:\n%s", m[0].Data)
	}
}

// A relay that cannot check logins for now has refused nobody: it is asked again for a while.
func TestRelayLoginLater(t *testing.T) {
	t.Parallel()
	var refusals atomic.Int32
	relay := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", User: "ana", Password: "correct horse", Reply: func(verb, _ string) string {
		if verb == "AUTH" && refusals.Add(-1) >= 0 {
			return "454 4.7.0 temporary authentication failure"
		}
		return ""
	}})
	s := newSending(t, map[string]string{"list.csv": list("a@a.test"), "campaign.yaml": campaignHead + fmt.Sprintf(
		"smtp: {host: 127.0.0.1, port: %d, tls: none, insecure_auth: true, user: ana, password: \"${RELAY_PASSWORD}\"}\n", relay.Port())})
	s.env = relayPassword
	refusals.Store(1000)
	s.run("send", "--patience", "2s").exits(exitUnavailable).says("cannot let us in for now: 454 4.7.0", "Nothing was sent")
	refusals.Store(1)
	s.run("send").exits(exitOK)
	once(t, []string{"a@a.test"}, relay)
}

// A relay that never greets cannot be reached.
func TestRelaySilent(t *testing.T) {
	t.Parallel()
	relay := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Scripts: []string{"connect: hang"}})
	s := newSending(t, map[string]string{"list.csv": list("a@a.test"),
		"campaign.yaml": campaignHead + fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", relay.Port())})
	s.run("send", "--patience", "1s").exits(exitUnavailable).says("cannot be reached: no answer within 1s", "Nothing was sent")
}
