package cmd

import (
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/mail"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// killings is how often a run is killed with each peer.
func killings(t *testing.T) int {
	text := os.Getenv("MAILBLAST_KILLS")
	if text == "" {
		return 20
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("MAILBLAST_KILLS=%s: not a number of kills", text)
	}
	return n
}

const killConnections = 8

const killCampaign = `name: kills
from: Shop <news@shop.example>
subject: "News for {{ .name }}"
template: letter.txt
recipients: people.csv
unsubscribe: false
smtp: {host: 127.0.0.1, port: %d, tls: none}
connections: %d
queues:
  large: {domains: [large.example], connections: 5}
general: {per_domain: 4}
retry: {first: 1s, max: 1s}
`

// killFolder makes a campaign for n people: half at one domain with a queue of its own, the rest over thirty.
func killFolder(t *testing.T, n, port int) (dir string, people []string) {
	var list strings.Builder
	list.WriteString("email,name\n")
	for i := range n {
		domain := "large.example"
		if i%2 == 1 {
			domain = fmt.Sprintf("small%d.example", i%30)
		}
		people = append(people, fmt.Sprintf("p%d@%s", i, domain))
		fmt.Fprintf(&list, "%s,Name%d\n", people[i], i)
	}
	return folder(t, map[string]string{
		"people.csv": list.String(), "letter.txt": "Dear {{ .name }},\n\nnews.\n", "campaign.yaml": fmt.Sprintf(killCampaign, port, killConnections),
	}), people
}

// moody is a peer that greylists some, has no user for others, fails a few messages after their dot for now and for good,
// and takes one in twenty without telling: it closes the connection instead.
func moody() smtptest.Options {
	var mu sync.Mutex
	met := map[string]bool{}
	return smtptest.Options{
		Addr: "127.0.0.1:0", Latency: time.Millisecond,
		Reply: func(verb, arg string) string {
			if verb != "RCPT" {
				return ""
			}
			mu.Lock()
			defer mu.Unlock()
			first := !met[arg]
			met[arg] = true
			switch {
			case strings.Contains(arg, "3@"): // every tenth
				return "550 5.1.1 no such user"
			case first && strings.Contains(arg, "7@"):
				return "451 4.7.1 greylisted"
			}
			return ""
		},
		Scripts: []string{"dot#7: 452 4.3.1 disk full\ndot#13: 554 5.6.0 refused\ndot#20: accept; drop"},
	}
}

// A run that is killed again and again, and started again each time, loses nobody and writes to nobody twice. The judge
// is what the peer has accepted.
func TestKill(t *testing.T) {
	p := build(t)
	for _, peer := range []struct {
		name string
		o    smtptest.Options
	}{
		{"friendly peer", smtptest.Options{Addr: "127.0.0.1:0", Latency: time.Millisecond}},
		{"moody peer", moody()},
	} {
		t.Run(peer.name, func(t *testing.T) {
			n := killings(t)
			rng := rand.New(rand.NewPCG(1, uint64(len(peer.name))))
			s := smtptest.Start(t, peer.o)
			dir, people := killFolder(t, 200*n, s.Port())
			killed := 0
			for killed < n && p.kill(t, dir, s, rng) {
				killed++
			}
			if killed < n {
				t.Errorf("the run ended after %d of %d kills", killed, n)
			}
			p.run(t, dir, []int{exitOK, exitPartial}, "send", "-y")
			v := p.judge(t, dir, s, people)
			v.kills = killed
			v.hold(t)
			most := killConnections * killed // on the wire at a kill
			if peer.name == "moody peer" {
				most += v.connections // each is closed after a dot at most once
			}
			if len(v.unknown) > most {
				t.Errorf("%d unknown, at most %d were in doubt", len(v.unknown), most)
			}
			if peer.name == "moody peer" {
				if len(v.unknown) == 0 || v.states["failed"] == 0 {
					t.Errorf("%d unknown, %d failed: the peer was not moody", len(v.unknown), v.states["failed"])
				}
				return
			}
			p.retryUnknown(t, dir, s, people, v)
		})
	}
}

// kill starts the run and kills it at a random moment; false: it ended before.
func (p program) kill(t *testing.T, dir string, s *smtptest.Peer, rng *rand.Rand) bool {
	r := p.start(t, dir, "send", "-y")
	var err error
	if rng.IntN(4) == 0 { // anywhere, the time before and after the sending included
		delay := time.After(time.Duration(rng.IntN(300)) * time.Millisecond)
		err = r.when(t, func() bool {
			select {
			case <-delay:
				return true
			default:
				return false
			}
		})
	} else {
		at := s.Accepted() + 1 + rng.IntN(120)
		err = r.when(t, func() bool { return s.Accepted() >= at })
		time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
	}
	if errors.Is(err, errGone) {
		return false
	}
	if err := r.Process.Kill(); err != nil {
		return false
	}
	<-r.done
	return !r.ProcessState.Exited()
}

// verdict holds what the journal says against what the peer has accepted.
type verdict struct {
	people, kills, connections       int
	states                           map[string]int
	lost, doubles                    []string // no outcome and no mail; more than one mail
	falseSuccess, falseFailure, open []string
	unknown, named                   []string          // as in the journal, and by name in the report
	ids                              map[string]string // Message-ID by person, of what was accepted
}

func (p program) judge(t *testing.T, dir string, s *smtptest.Peer, people []string) *verdict {
	t.Helper()
	await(t, "the end of all connections", func() bool { _, _, open := s.Connections(); return open == 0 })
	v := &verdict{people: len(people), states: map[string]int{}, ids: map[string]string{}}
	v.connections, _, _ = s.Connections()
	accepted := map[string]int{}
	for _, m := range s.Messages() {
		letter, err := mail.ReadMessage(strings.NewReader(m.Data))
		if err != nil || len(m.To) != 1 {
			t.Fatalf("to %v: %v\n%s", m.To, err, m.Data)
		}
		to, id := m.To[0], letter.Header.Get("Message-Id")
		accepted[to]++
		if old, ok := v.ids[to]; ok && old != id {
			t.Errorf("%s: Message-ID %s, then %s", to, old, id)
		}
		v.ids[to] = id
	}
	states := p.states(t, dir)
	for _, to := range people {
		state, n := states[to], accepted[to]
		v.states[state]++
		switch {
		case state == "":
			v.lost = append(v.lost, to)
		case state == "sent" && n == 0:
			v.falseSuccess = append(v.falseSuccess, to)
		case state == "failed" && n > 0:
			v.falseFailure = append(v.falseFailure, to)
		case state == "unknown":
			v.unknown = append(v.unknown, to)
		case state != "sent" && state != "failed":
			v.open = append(v.open, to+" "+state)
		}
		if n > 1 {
			v.doubles = append(v.doubles, to)
		}
		delete(states, to)
	}
	if len(states) > 0 {
		t.Errorf("the report has people that the list does not have: %v", slices.Sorted(maps.Keys(states)))
	}
	v.named = p.unknownByName(t, dir)
	return v
}

// unknownByName gives the people whom the report lists as unknown.
func (p program) unknownByName(t *testing.T, dir string) (names []string) {
	t.Helper()
	table, err := csv.NewReader(strings.NewReader(p.run(t, dir, []int{exitOK}, "report", "--only", "unknown", "-o", "csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	email := slices.Index(table[0], "email")
	for _, row := range table[1:] {
		names = append(names, row[email])
	}
	return names
}

// hold fails the test for everything that a campaign promises and the verdict denies.
func (v *verdict) hold(t *testing.T) {
	t.Helper()
	t.Logf("%d people, %d kills, %d connections: %v\n  lost %d · doubles %d · false success %d · false failure %d · unknown %d, by name in the report %d",
		v.people, v.kills, v.connections, v.states, len(v.lost), len(v.doubles), len(v.falseSuccess), len(v.falseFailure), len(v.unknown), len(v.named))
	for what, who := range map[string][]string{
		"lost": v.lost, "written to twice": v.doubles, "sent, but not accepted": v.falseSuccess,
		"failed, but accepted": v.falseFailure, "left open": v.open,
	} {
		if len(who) > 0 {
			t.Errorf("%s: %v", what, who)
		}
	}
	slices.Sort(v.unknown)
	slices.Sort(v.named)
	if !slices.Equal(v.unknown, v.named) {
		t.Errorf("%d are unknown, the report names %d: %v…\nand %v…", len(v.unknown), len(v.named), v.unknown[:min(20, len(v.unknown))], v.named[:min(20, len(v.named))])
	}
}

// retryUnknown tries again those in doubt: whoever gets a second copy by that gets the same letter.
func (p program) retryUnknown(t *testing.T, dir string, s *smtptest.Peer, people []string, before *verdict) {
	t.Helper()
	p.run(t, dir, []int{exitOK}, "send", "-y", "--retry", "unknown")
	after := p.judge(t, dir, s, people)
	if after.states["sent"] != len(people) {
		t.Errorf("after --retry unknown: %v", after.states)
	}
	for _, to := range after.doubles {
		if !slices.Contains(before.unknown, to) {
			t.Errorf("%s was not in doubt and has two letters", to)
		}
	}
}

// A first signal lets what is on the wire finish: nobody is in doubt.
func TestKillGently(t *testing.T) {
	p := build(t)
	for sig, code := range map[syscall.Signal]int{syscall.SIGTERM: exitTerminated, syscall.SIGINT: exitInterrupted, syscall.SIGHUP: exitHangUp} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			s := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Latency: 3 * time.Millisecond})
			dir, people := killFolder(t, 1000, s.Port())
			r := p.start(t, dir, "send", "-y")
			if err := r.when(t, func() bool { return s.Accepted() > 100 }); err != nil {
				t.Fatal(err)
			}
			must(r.Process.Signal(sig))
			if got := r.code(t, 20*time.Second); got != code {
				t.Errorf("exit code %d, want %d\n%s", got, code, r.err.String())
			}
			p.nobodyInDoubt(t, dir, s)
			p.run(t, dir, []int{exitOK}, "send", "-y")
			v := p.judge(t, dir, s, people)
			v.hold(t)
			if v.states["sent"] != len(people) {
				t.Errorf("in the end: %v", v.states)
			}
		})
	}
	t.Run("second interrupt", func(t *testing.T) { t.Parallel(); p.killTwice(t) })
}

func (p program) nobodyInDoubt(t *testing.T, dir string, s *smtptest.Peer) {
	t.Helper()
	n := map[string]int{}
	for _, state := range p.states(t, dir) {
		n[state]++
	}
	if n["unknown"] > 0 || n["sent"] != s.Accepted() || n["sent"] == 0 {
		t.Errorf("after the signal: %v, the peer has accepted %d", n, s.Accepted())
	}
}

// killTwice interrupts a run whose peer does not answer the dots. The second time it ends at once.
func (p program) killTwice(t *testing.T) {
	s := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Scripts: []string{"dot#5: accept; hang"}})
	dir, people := killFolder(t, 200, s.Port())
	r := p.start(t, dir, "send", "-y")
	// the preflight has a connection of its own, so killConnections hang in the end
	if err := r.when(t, func() bool { return s.Accepted() == 5*killConnections }); err != nil {
		t.Fatal(err)
	}
	must(r.Process.Signal(syscall.SIGINT))
	select {
	case <-r.done:
		t.Fatalf("the first interrupt cut what was on the wire: %d\n%s", r.ProcessState.ExitCode(), r.err.String())
	case <-time.After(300 * time.Millisecond):
	}
	start := time.Now()
	must(r.Process.Signal(syscall.SIGINT))
	if got := r.code(t, 20*time.Second); got != exitInterrupted {
		t.Errorf("exit code %d, want %d\n%s", got, exitInterrupted, r.err.String())
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("the second interrupt took %v", d)
	}
	n := map[string]int{}
	for _, state := range p.states(t, dir) {
		n[state]++
	}
	if n["unknown"] != killConnections || n["sent"] != 4*killConnections {
		t.Errorf("after two interrupts: %v of %d", n, len(people))
	}
}
