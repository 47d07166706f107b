package cmd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// What was on the wire when a process was killed is told by all who look, once nobody sends any more, and is unknown at the next send.
func TestFaultOnTheWire(t *testing.T) {
	t.Parallel()
	t.Attr("fault", "R1 killed between dot and reply; who looks before the next send")
	t.Attr("expected", "those on the wire are told of, and are unknown at the next send")
	const wire, all = 3, 5
	scripts := []string{""} // the preflight's connection
	var people []string
	for n := range all {
		scripts, people = append(scripts, "dot: accept; hang"), append(people, fmt.Sprintf("p%d@x.test", n))
	}
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Scripts: append(scripts[:wire+1], "")})
	s := toPeer(t, peer, fmt.Sprintf("connections: %d\n", wire), list(people...))
	r := build(t).start(t, s.dir, "send", "-y")
	await(t, "the letters", func() bool { return peer.Accepted() == wire })
	if out := s.run("status").exits(exitOK).out; strings.Contains(out, "on the wire") {
		t.Errorf("status while it runs:\n%s", out)
	}
	must(r.Process.Kill())
	r.code(t, time.Minute)
	said := fmt.Sprintf("  %d were on the wire when it was cut off: the next send takes them for unknown\n", wire)
	for look, want := range map[string]string{
		"status": said, "report": said, "status --json": `"on_the_wire":3`,
		"journal check": "; 3 were on the wire when it was cut off: unknown at the next send\n",
	} {
		if out := s.run(strings.Fields(look)...).exits(exitOK).out; !strings.Contains(out, want) {
			t.Errorf("%s says nothing of them:\n%s", look, out)
		}
	}
	if n := s.report(); n.OnWire != wire {
		t.Errorf("%d on the wire", n.OnWire)
	}
	s.run("send", "-y").exits(exitPartial)
	n := s.counts(all-wire, 0, wire, 0)
	if n.OnWire != 0 {
		t.Errorf("%d are told of although they are unknown", n.OnWire)
	}
	t.Attr("seen", fmt.Sprintf("%d told of by status, report and journal check; then %d sent, %d unknown", wire, n.Sent, n.Unknown))
}

// Whoever is unknown and is suppressed later stays unknown, for nobody knows, and is nobody's to decide about any more. To try them
// again comes upon the suppression.
func TestUnknownSuppressed(t *testing.T) {
	t.Parallel()
	s, peer := inDoubtOf(t, func(int) {})
	s.run("suppress", "add", "p0@x.test", "--reason", "asked by phone").exits(exitOK)
	s.run("send").exits(exitPartial)
	if n := s.counts(0, 0, doubted, 0); n.UnknownSuppressed != 1 {
		t.Errorf("%d are suppressed", n.UnknownSuppressed)
	}
	const one = "  1 of the unknown was suppressed since: will not be written to\n"
	for _, look := range []string{"status", "report"} {
		if out := s.run(look).exits(exitOK).out; !strings.Contains(out, one) {
			t.Errorf("%s:\n%s", look, out)
		}
	}
	if out := s.run("report", "--only", "unknown").exits(exitOK).out; strings.Count(out, "; suppressed since: will not be written to\n") != 1 {
		t.Errorf("who that is:\n%s", out)
	}
	s.run("suppress", "add", "@x.test").exits(exitOK)
	s.run("send").exits(exitOK)
	if n := s.counts(0, 0, doubted, 0); n.UnknownSuppressed != doubted || n.Undecided() != 0 {
		t.Errorf("%d are suppressed", n.UnknownSuppressed)
	}
	if out := s.run("report").exits(exitOK).out; strings.Contains(out, "--retry unknown") || !strings.Contains(out, "4 of the unknown were suppressed since") {
		t.Errorf("there is nothing to decide:\n%s", out)
	}
	s.run("suppress", "rm", "p0@x.test", "@x.test").exits(exitOK)
	s.run("send").exits(exitPartial)
	s.run("suppress", "add", "p1@x.test", "p2@x.test").exits(exitOK)
	s.run("send", "--retry", "unknown").exits(exitOK)
	if n := s.counts(doubted-2, 0, 0, 0); n.Suppressed != 2 {
		t.Errorf("%d are suppressed", n.Suppressed)
	}
	out := s.run("report", "--only", "suppressed").exits(exitOK).out
	if strings.Count(out, "suppressed; it was unknown, and may have arrived before\n") != 2 {
		t.Errorf("what is known of them is not told:\n%s", out)
	}
	if got := peer.Accepted() - doubted; got != doubted-2 {
		t.Errorf("%d got a second letter", got)
	}
}
