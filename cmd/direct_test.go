package cmd

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// These tests send with `delivery: direct` to mail exchangers on different loopback addresses, and judge by what those saw.

func domainOf(addr string) string { _, d, _ := strings.Cut(addr, "@"); return d }

// once demands that each of these recipients got exactly one letter, over all peers.
func once(t *testing.T, want []string, peers ...*smtptest.Peer) {
	t.Helper()
	got := map[string]int{}
	for _, p := range peers {
		for _, m := range p.Messages() {
			for _, to := range m.To {
				got[to]++
			}
		}
	}
	for _, to := range want {
		if got[to] != 1 {
			t.Errorf("%s got %d letters", to, got[to])
		}
		delete(got, to)
	}
	if len(got) > 0 {
		t.Errorf("nobody should have written to %v", got)
	}
}

// With no specific queue, with one and with seventeen: each carries its own domains only, and the general queue all else.
// Every mail exchanger serves domains of several queues, and connections are never shared by queues, so a connection that
// the peer saw belongs to one queue: it must not have carried what belongs to another.
func TestDirectQueuesByPeersLogs(t *testing.T) {
	for _, n := range []int{0, 1, 17} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			var peers []*smtptest.Peer
			for last := 2; last <= 4; last++ {
				peers = append(peers, l.peer(last, smtptest.Options{}))
				l.know(fmt.Sprintf("mx%d.test. A 127.0.0.%d", last, last))
			}
			queueOf, to := map[string]string{}, []string(nil)
			config := campaignHead + l.direct() + "connections: 20\n"
			if n > 0 {
				config += "queues:\n"
			}
			for i := 1; i <= 20; i++ {
				domain := fmt.Sprintf("d%d.test", i)
				l.know(fmt.Sprintf("%s. MX 10 mx%d.test.", domain, 2+i%3))
				queueOf[domain] = general
				if i <= n {
					queueOf[domain] = fmt.Sprintf("q%d", i)
					config += fmt.Sprintf("  q%d: {domains: [%s, sub.%s]}\n", i, domain, domain)
					l.know(fmt.Sprintf("sub.%s. MX 10 mx%d.test.", domain, 2+(i+1)%3))
					queueOf["sub."+domain] = queueOf[domain]
				}
			}
			for k := range 4 {
				for _, d := range slices.Sorted(maps.Keys(queueOf)) {
					to = append(to, fmt.Sprintf("p%d@%s", k, d))
				}
			}
			s := newSending(t, map[string]string{"campaign.yaml": config, "list.csv": list(to...)})
			s.run("send").exits(exitOK)
			s.counts(len(to), 0, 0, 0)
			once(t, to, peers...)
			for i, p := range peers {
				carried := map[int]string{} // by connection
				for _, m := range p.Messages() {
					q := queueOf[domainOf(m.To[0])]
					if was := carried[m.Conn]; was != "" && was != q {
						t.Errorf("peer %d: connection %d carried mail of %s and of %s", i, m.Conn, was, q)
					}
					carried[m.Conn] = q
				}
			}
			for _, o := range s.outcomes() {
				if want := queueOf[domainOf(o.To)]; o.Queue != want {
					t.Errorf("%s went through queue %q, want %q", o.To, o.Queue, want)
				}
			}
		})
	}
}

// crowd holds back every letter until n connections are open at once, so that a pool that stays smaller is seen.
type crowd struct {
	n int
	p atomic.Pointer[smtptest.Peer]
}

func (c *crowd) reply(verb, _ string) string {
	for end := time.Now().Add(10 * time.Second); verb == "DATA" && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if p := c.p.Load(); p != nil {
			if _, most, _ := p.Connections(); most >= c.n {
				break
			}
		}
	}
	return ""
}

// The pool of each queue opens several connections at once, up to its maximum, as the peers see it; the general queue no
// more than its share to each domain.
func TestDirectThreadsByPeersLogs(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	want := map[string]int{"alpha.test": 4, "beta.test": 3, "gamma.test": 2, "delta.test": 2}
	peers, to := map[string]*smtptest.Peer{}, []string(nil)
	for i, d := range slices.Sorted(maps.Keys(want)) {
		c := &crowd{n: want[d]}
		peers[d] = l.peer(2+i, smtptest.Options{Reply: c.reply})
		c.p.Store(peers[d])
		l.know(fmt.Sprintf("%s. MX 10 mx.%s.", d, d), fmt.Sprintf("mx.%s. A 127.0.0.%d", d, 2+i))
		for k := range 40 {
			to = append(to, fmt.Sprintf("p%d@%s", k, d))
		}
	}
	s := newSending(t, map[string]string{"list.csv": list(to...), "campaign.yaml": campaignHead + l.direct() + `connections: 14
queues:
  a: {domains: [alpha.test], connections: 4}
  b: {domains: [beta.test], connections: 3}
general: {connections: 6, per_domain: 2}
`})
	s.run("send").exits(exitOK)
	s.counts(len(to), 0, 0, 0)
	once(t, to, slices.Collect(maps.Values(peers))...)
	for d, n := range want {
		if _, most, _ := peers[d].Connections(); most != n {
			t.Errorf("%s saw %d connections at once, want %d", d, most, n)
		}
	}
}

// The one thread of the general queue serves domain after domain and comes back to each: by the second letter to a known
// host there is no lookup, which the name server counts, and no dial, which the peer counts.
func TestDirectOneThreadManyDomains(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var begun []time.Time // MAIL, over all peers
	reply := func(verb, _ string) string {
		if verb == "MAIL" {
			mu.Lock()
			begun = append(begun, time.Now())
			mu.Unlock()
		}
		return ""
	}
	l := newLab(t)
	var peers []*smtptest.Peer
	var to []string
	for i := range 4 {
		d := fmt.Sprintf("d%d.test", i)
		peers = append(peers, l.peer(2+i, smtptest.Options{Reply: reply}))
		l.know(fmt.Sprintf("%s. MX 10 mx.%s.", d, d), fmt.Sprintf("mx.%s. A 127.0.0.%d", d, 2+i))
	}
	for k := range 50 {
		for i := range peers {
			to = append(to, fmt.Sprintf("p%d@d%d.test", k, i))
		}
	}
	s := newSending(t, map[string]string{"list.csv": list(to...), "campaign.yaml": campaignHead + l.direct() + "general: {connections: 1}\n"})
	s.run("send").exits(exitOK)
	s.counts(len(to), 0, 0, 0)
	once(t, to, peers...)
	type taken struct {
		at   time.Time
		peer int
	}
	var log []taken
	for i, p := range peers {
		if total, _, _ := p.Connections(); total != 1 {
			t.Errorf("peer %d was dialled %d times", i, total)
		}
		for _, m := range p.Messages() {
			log = append(log, taken{m.At, i})
		}
	}
	slices.SortFunc(log, func(a, b taken) int { return a.at.Compare(b.at) })
	turns := 1
	for i := 1; i < len(log); i++ {
		if log[i].peer != log[i-1].peer {
			turns++
		}
		if begun[i].Before(log[i-1].at) {
			t.Fatalf("letter %d began while the one before was under way: that was a second thread", i+1)
		}
	}
	if turns < 2*len(peers) {
		t.Errorf("%d turns: the thread never came back to a domain", turns)
	}
	for q, n := range l.questions() {
		if n != 1 {
			t.Errorf("the name server was asked %d times for %s", n, q)
		}
	}
}

// What a domain's MX set says is heeded: the null MX, none at all, the order of preference past a dead one, and that an
// address outside of the allowed networks is never dialled.
func TestDirectExchangers(t *testing.T) {
	t.Parallel()
	l := newLab(t,
		"null.test. MX 0 .", "null.test. A 127.0.0.2",
		"implicit.test. A 127.0.0.2",
		"order.test. MX 30 c.order.test.", "order.test. MX 10 a.order.test.", "order.test. MX 20 b.order.test.",
		"a.order.test. A 127.0.0.9", "b.order.test. A 127.0.0.3", "c.order.test. A 127.0.0.4",
		"guarded.test. MX 10 mx.guarded.test.", "mx.guarded.test. A 127.0.0.8",
		"half.test. MX 10 mx.guarded.test.", "half.test. MX 20 b.order.test.",
	)
	two, three, four := l.peer(2, smtptest.Options{}), l.peer(3, smtptest.Options{}), l.peer(4, smtptest.Options{})
	outside := l.peer(8, smtptest.Options{}) // and nobody at 127.0.0.9
	s := newSending(t, map[string]string{
		"list.csv": list("p@null.test", "p@implicit.test", "p@order.test", "q@order.test", "p@guarded.test", "p@half.test", "p@nowhere.test"),
		"campaign.yaml": campaignHead + fmt.Sprintf("delivery: direct\ndirect: {port: %d, resolver: \"%s\", allow_networks: [127.0.0.2/31, 127.0.0.4/32, 127.0.0.9/32]}\n", l.port, l.dns) +
			"retry: {wait: 1m}\ngeneral: {per_domain: 1}\n",
	})
	s.run("send").exits(exitPaused).says("1 put off for a later try")
	s.counts(4, 2, 0, 1)
	once(t, []string{"p@implicit.test"}, two)
	once(t, []string{"p@order.test", "q@order.test", "p@half.test"}, three)
	once(t, nil, four)
	if total, _, _ := outside.Connections(); total != 0 {
		t.Errorf("an address outside of the allowed networks was dialled %d times", total)
	}
	all := s.outcomes()
	for to, want := range map[string]string{
		"p@null.test":     "failed resolve 5.1.10 ",
		"p@guarded.test":  "failed resolve 5.4.6 ",
		"p@nowhere.test":  "deferred resolve 4.1.2 ",
		"p@implicit.test": "sent dot 2.0.0 implicit.test [127.0.0.2]",
		"p@order.test":    "sent dot 2.0.0 b.order.test [127.0.0.3]",
		"p@half.test":     "sent dot 2.0.0 b.order.test [127.0.0.3]",
	} {
		o := all[to]
		if got := fmt.Sprint(o.Status, " ", o.Stage, " ", o.Enhanced, " ", o.Host); got != want {
			t.Errorf("%s: %q, want %q (%s)", to, got, want, o.Text)
		}
	}
}

// A first try without success is followed by the fallback: when the mail exchanger is dead, when it says 4xx. Greylisting
// is given one more try on its own path. A 5xx is final and what is unknown is left alone; neither goes to the fallback.
func TestDirectFallback(t *testing.T) {
	t.Parallel()
	l := newLab(t, "dead.test. MX 10 mx.dead.test.", "mx.dead.test. A 127.0.0.9", "lost.test. A 127.0.0.3",
		"fine.test. A 127.0.0.2", "busy.test. A 127.0.0.2", "grey.test. A 127.0.0.2", "hard.test. A 127.0.0.2")
	var greyed atomic.Bool
	own := l.peer(2, smtptest.Options{Reply: func(verb, arg string) string {
		switch {
		case verb == "RCPT" && strings.Contains(arg, "@busy.test"):
			return "450 4.2.1 mailbox busy"
		case verb == "RCPT" && strings.Contains(arg, "@hard.test"):
			return "550 5.1.1 no such user"
		case verb == "RCPT" && strings.Contains(arg, "@grey.test") && !greyed.Swap(true):
			return "451 4.7.1 greylisted, come back later"
		}
		return ""
	}})
	lost := l.peer(3, smtptest.Options{Scripts: []string{"dot: accept; drop"}})
	fallback := l.peer(6, smtptest.Options{})
	to := []string{"p@dead.test", "p@lost.test", "p@fine.test", "p@busy.test", "p@grey.test", "p@hard.test"}
	s := newSending(t, map[string]string{"list.csv": list(to...), "campaign.yaml": campaignHead + l.direct() +
		fmt.Sprintf("fallback: {host: 127.0.0.6, port: %d, tls: none}\nretry: {first: 1s, jitter: false}\n", l.port)})
	e := s.run("send", "--json", "-v").exits(exitPartial)
	s.counts(4, 1, 1, 0)
	tries := e.tries()
	for to, want := range map[string]string{
		"p@dead.test": "deferred connect, sent dot 250",
		"p@lost.test": "unknown dot",
		"p@fine.test": "sent dot 250",
		"p@busy.test": "deferred rcpt 450, sent dot 250",
		"p@grey.test": "deferred rcpt 451, sent dot 250",
		"p@hard.test": "failed rcpt 550",
	} {
		if tries[to] != want {
			t.Errorf("%s: %s; want %s", to, tries[to], want)
		}
	}
	once(t, []string{"p@fine.test", "p@grey.test"}, own)
	once(t, []string{"p@lost.test"}, lost)
	once(t, []string{"p@dead.test", "p@busy.test"}, fallback)
	if n := fallback.Count("RCPT"); n != 2 {
		t.Errorf("the fallback was asked for %d recipients", n)
	}
	s.run("send").exits(exitPartial) // nothing is left to do: unknown ones are held
	once(t, []string{"p@lost.test"}, lost)
	for to, o := range s.outcomes() {
		if fell := to == "p@dead.test" || to == "p@busy.test"; fell != (o.Via == 1) {
			t.Errorf("%s went via %d", to, o.Via)
		}
	}
}

// A letter to several recipients is one content: those of one site share a transaction, each site gets the same bytes, and
// nobody sees who got a blind copy.
func TestDirectClones(t *testing.T) {
	t.Parallel()
	l := newLab(t, "alpha.test. A 127.0.0.2", "beta.test. A 127.0.0.3")
	alpha, beta := l.peer(2, smtptest.Options{}), l.peer(3, smtptest.Options{})
	s := newSending(t, map[string]string{"list.csv": list("ana@alpha.test", "bea@alpha.test"), "campaign.yaml": campaignHead + l.direct() + `cc: ["c.{{ .email }}", copy@beta.test]
bcc: [blind@alpha.test, blind@beta.test]
queues: {beta: {domains: [beta.test]}}
`})
	s.run("send").exits(exitOK)
	s.counts(10, 0, 0, 0)
	a, b := alpha.Messages(), beta.Messages()
	if len(a) != 2 || len(b) != 2 || alpha.Count("MAIL") != 2 || beta.Count("MAIL") != 2 || alpha.Count("RCPT") != 6 || beta.Count("RCPT") != 4 {
		t.Fatalf("transactions: %d and %d, with %d and %d recipients; want 2 and 2 with 6 and 4", len(a), len(b), alpha.Count("RCPT"), beta.Count("RCPT"))
	}
	data := map[string]string{}
	for _, m := range a {
		data[m.To[0]] = m.Data
		if want := []string{m.To[0], "c." + m.To[0], "blind@alpha.test"}; !slices.Equal(m.To, want) {
			t.Errorf("alpha.test: one transaction for %v, want %v", m.To, want)
		}
		low := strings.ToLower(m.Data)
		if strings.Contains(low, "\nbcc") || strings.Contains(low, "blind") || !strings.Contains(m.Data, "\r\nTo: "+m.To[0]+"\r\n") {
			t.Errorf("the header shows the wrong people:\n%s", m.Data)
		}
	}
	for _, m := range b {
		if want := []string{"copy@beta.test", "blind@beta.test"}; !slices.Equal(m.To, want) {
			t.Errorf("beta.test: one transaction for %v, want %v", m.To, want)
		}
		same := false
		for _, d := range data {
			same = same || d == m.Data
		}
		if !same {
			t.Errorf("the copies differ:\n%s", m.Data)
		}
	}
	if len(data) != 2 || b[0].Data == b[1].Data {
		t.Error("two letters were the same")
	}
}
