package cmd

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

const doubted = 4 // people

// inDoubtOf is a campaign by which everybody is unknown: the relay took each letter and hung up. It calls reached with how many
// letters were begun since, before it replies.
func inDoubtOf(t *testing.T, reached func(letters int)) (*sending, *smtptest.Peer) {
	t.Helper()
	var retrying atomic.Bool
	var letters atomic.Int32
	scripts := []string{""} // the preflight's connection
	var people []string
	for n := range doubted {
		scripts, people = append(scripts, "dot: accept; drop"), append(people, fmt.Sprintf("p%d@x.test", n))
	}
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Scripts: append(scripts, ""), Reply: func(verb, _ string) string {
		if verb == "RCPT" && retrying.Load() {
			reached(int(letters.Add(1)))
		}
		return ""
	}})
	s := toPeer(t, peer, fmt.Sprintf("connections: %d\n", doubted), list(people...))
	s.run("send").exits(exitPartial)
	s.counts(0, 0, doubted, 0)
	retrying.Store(true)
	return s, peer
}

// Whom `send --retry unknown` was ended before it came to, is unknown still: listed, and left alone by every send that is not told to
// retry. The next that is goes on with them.
func TestRetryUnknownCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sig  syscall.Signal
		code int
	}{{syscall.SIGKILL, -1}, {syscall.SIGINT, exitInterrupted}} {
		t.Run(signalNames[c.sig], func(t *testing.T) {
			t.Parallel()
			p := build(t)
			third := make(chan struct{})
			signalled := make(chan struct{})
			s, peer := inDoubtOf(t, func(n int) {
				if n == 3 {
					close(third)
					<-signalled
				}
			})
			r := p.start(t, s.dir, "send", "-y", "--retry", "unknown", "--max-connections", "1")
			select {
			case <-third:
			case <-time.After(20 * time.Second):
				t.Error("nothing is tried again")
			}
			must(r.Process.Signal(c.sig))
			if c.sig == syscall.SIGINT {
				time.Sleep(200 * time.Millisecond) // until it is heeded
			}
			close(signalled)
			if code := r.code(t, 20*time.Second); code != c.code {
				t.Fatalf("exit code %d, want %d\n%s", code, c.code, r.err.String())
			}
			again := peer.Accepted() - doubted
			if again < 2 || again == doubted {
				t.Fatalf("%d were tried again before it was cut", again)
			}
			if said := r.err.String(); c.code != -1 && !strings.Contains(said, "run again to continue: mailblast send --retry unknown") {
				t.Errorf("not told how to go on:\n%s", said)
			}
			s.run("send", "-y").exits(exitPartial)
			// what a kill came upon between dot and outcome is one more, as there is one connection
			if n := s.report(); n.Pending > 0 || n.Sent+n.Unknown != doubted || n.Sent > again || n.Sent < again-1 {
				t.Errorf("%d were tried again: %+v", again, n)
			}
			if listed := strings.Count(s.run("report", "--only", "unknown", "-o", "csv").exits(exitOK).out, "@x.test"); listed < doubted-again {
				t.Errorf("%d are listed as unknown, want %d", listed, doubted-again)
			}
			if got := peer.Accepted() - doubted; got != again {
				t.Errorf("a send that was not told to retry wrote to %d", got-again)
			}
			s.run("send", "-y", "--retry", "unknown").exits(exitOK)
			s.counts(doubted, 0, 0, 0)
		})
	}
}

// Who is asked before a retry is told, on a terminal, that these people may have the letter.
func TestRetryUnknownAsked(t *testing.T) {
	t.Parallel()
	s, peer := inDoubtOf(t, func(int) {})
	s.onTerminal("no\n", "send", "--retry", "unknown").exits(exitRefused).says("Send to 4 people, who may have the letter already? Type yes")
	if got := peer.Accepted(); got != doubted {
		t.Errorf("%d were accepted, want %d", got, doubted)
	}
}
