package cmd

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/report"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// faulty is a server whose fault is one that the system's TCP has a part in. The fault is on the second connection: the first is
// the look at the server before anything goes.
type faulty struct {
	name, must, script string
	people             int  // on the list; 0 is one
	rate               bool // they go a third of a second apart
	large              bool // the letter does not fit into what the system keeps for a connection
	interrupt          bool // twice, once the fault is there
	want               string
	again              string // after the same command once more; "" if that would have to wait
}

const (
	notTaken = "tried again, as it was certainly not taken; one copy"
	heldFast = "held, and listed; no second copy"
	freshOne = "a fresh connection; nobody is put off, nothing is in doubt"
	sentOnce = "exit 0, 1 sent; 1 accepted"
)

var faultyServers = []faulty{
	{name: "S9 reset once let in", must: "tried later, nothing is in doubt", script: "connect: rst", want: "exit 69, 1 pending; 0 accepted", again: sentOnce},
	{name: "S9 closed once let in", must: "tried later, nothing is in doubt", script: "connect: drop", want: "exit 69, 1 pending; 0 accepted", again: sentOnce},
	{name: "S10 half a banner, two interrupts", must: "the second ends it within 1 s; nothing is in doubt", script: `connect: raw "220 mx.exa"; hang`, interrupt: true,
		want: "exit 130, 1 pending; 0 accepted", again: sentOnce},
	{name: "S16 half-closed after EHLO", must: notTaken + "; no spinning on the end", script: "ehlo: ok; half; hang", want: sentOnce, again: sentOnce},
	{name: "S38 reset in mid-body", must: notTaken, script: "body: skip 1000; rst", large: true, want: sentOnce, again: sentOnce},
	{name: "S40 stops reading, two interrupts", must: "the second ends it within 1 s; it was certainly not taken", script: "body: skip 1000; hang", large: true, interrupt: true,
		want: "exit 130, 1 pending; 0 accepted", again: sentOnce},
	{name: "S43 reset at the dot, not taken", must: heldFast, script: "dot: rst", want: "exit 3, 1 unknown; 0 accepted", again: "exit 3, 1 unknown; 0 accepted"},
	{name: "S44 taken, reset", must: heldFast, script: "dot: accept; rst", want: "exit 3, 1 unknown; 1 accepted", again: "exit 3, 1 unknown; 1 accepted"},
	{name: "S44 taken, closed", must: heldFast, script: "dot: accept; drop", want: "exit 3, 1 unknown; 1 accepted", again: "exit 3, 1 unknown; 1 accepted"},
	{name: "S52 closed while idle", must: freshOne, script: "dot: ok; drop", people: 2, rate: true, want: "exit 0, 2 sent; 2 accepted", again: "exit 0, 2 sent; 2 accepted"},
	{name: "S52 reset while idle", must: freshOne, script: "dot: ok; rst", people: 2, rate: true, want: "exit 0, 2 sent; 2 accepted", again: "exit 0, 2 sent; 2 accepted"},
}

// The program as it is shipped meets servers that do with their connections what only the system's TCP shows.
func TestFaultServers(t *testing.T) {
	t.Parallel()
	p := build(t)
	for _, f := range faultyServers {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			t.Attr("fault", f.name+"; the program, over TCP")
			t.Attr("expected", f.must)
			f.run(t, p)
		})
	}
}

func (f *faulty) run(t *testing.T, p program) {
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Scripts: []string{"", f.script, ""}})
	dir := f.folder(t, peer.Port())
	args := []string{"send", "-y"}
	if f.rate {
		args = append(args, "--rate", "3/s")
	}
	r := p.start(t, dir, args...)
	if f.interrupt {
		f.interrupts(t, r, peer)
	}
	code := r.code(t, 20*time.Second)
	if cpu := r.ProcessState.UserTime() + r.ProcessState.SystemTime(); cpu > time.Second && !f.large {
		t.Errorf("took %v of the processor", cpu)
	}
	seen, want := p.became(t, dir, code, peer), f.want
	if f.again != "" {
		code := p.start(t, dir, "send", "-y").code(t, 20*time.Second)
		seen += "; again: " + p.became(t, dir, code, peer)
		want += "; again: " + f.again
	}
	if seen != want || len(peer.Violations()) > 0 {
		t.Errorf("got  %s\nwant %s\n%s\n%q, %q", seen, want, r.err.String(), peer.Commands(), peer.Violations())
	}
	t.Attr("seen", seen)
}

// interrupts interrupts r where the fault has it wait, and again until it ends: twice, unless the system makes one signal of two.
func (f *faulty) interrupts(t *testing.T, r *child, peer *smtptest.Peer) {
	if err := r.when(t, func() bool { n, _, _ := peer.Connections(); return n > 1 && (!f.large || peer.Count("DATA") > 0) }); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for n := 1; ; n++ {
		if n == 2 {
			began = time.Now()
		}
		_ = r.Process.Signal(syscall.SIGINT) // it may have ended meanwhile
		select {
		case <-time.After(200 * time.Millisecond):
			continue
		case <-r.done:
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("ended %v after the second interrupt", took)
		}
		return
	}
}

// became is what became of everybody in a run that ended with code.
func (p program) became(t *testing.T, dir string, code int, peer *smtptest.Peer) string {
	t.Helper()
	var n report.Report
	if err := json.Unmarshal([]byte(p.run(t, dir, []int{exitOK}, "report", "-o", "json")), &n); err != nil {
		t.Fatal(err)
	}
	words := fmt.Sprintf("exit %d", code)
	for _, c := range []struct {
		n    int
		name string
	}{{n.Sent, "sent"}, {n.Failed, "failed"}, {n.Unknown, "unknown"}, {n.Pending, "pending"}} {
		if c.n > 0 {
			words += fmt.Sprintf(", %d %s", c.n, c.name)
		}
	}
	return fmt.Sprintf("%s; %d accepted", words, peer.Accepted())
}

func (f *faulty) folder(t *testing.T, port int) string {
	var all []string
	for i := range max(f.people, 1) {
		all = append(all, fmt.Sprintf("p%d@x.test", i))
	}
	files := map[string]string{"letter.txt": "Hello, spring is here.\n", "list.csv": list(all...), "campaign.yaml": campaignHead +
		fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\nconnections: 1\nretry: {first: 1s, max: 1s, wait: 2s}\n", port)}
	if f.large {
		files["campaign.yaml"] += "attachments: [large.bin]\n"
		files["large.bin"] = strings.Repeat("0123456789abcdef", 1<<18)
	}
	return folder(t, files)
}
