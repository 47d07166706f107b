package cmd

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// Who comes second to a state directory is told at once who is there. What a killed process leaves needs no cleaning.
func TestFaultLocked(t *testing.T) {
	t.Parallel()
	p := build(t)
	came, opened := make(chan struct{}, 1000), make(chan struct{})
	open := sync.OnceFunc(func() { close(opened) })
	set := setting{peer: smtptest.Options{Addr: "127.0.0.1:0", Reply: func(verb, _ string) string {
		if verb == "MAIL" {
			came <- struct{}{}
			<-opened
		}
		return ""
	}}}
	peer := smtptest.Start(t, set.peer)
	defer open()
	dir := set.folder(t, peer.Port())
	people := set.grow(t, dir, 0, 20)
	first := p.start(t, dir, "send", "-y")
	select {
	case <-came:
	case <-first.done:
		t.Fatalf("it has ended\n%s", first.err.String())
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	second := p.start(t, dir, "send", "-y")
	code := second.code(t, 20*time.Second)
	said := second.err.String()
	want := fmt.Sprintf("kills is being sent by process %d on %s since %s-", first.Process.Pid, host, time.Now().Format("2006"))
	if code != exitPaused || !strings.Contains(said, want) {
		t.Errorf("the second: exit code %d\n%s", code, said)
	}
	if err := first.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	first.code(t, time.Minute)
	open()
	p.run(t, dir, []int{exitOK, exitPartial}, "send", "-y")
	states := map[string]int{}
	for _, e := range p.reported(t, dir, "") {
		states[e.state]++
	}
	if states["sent"] != peer.Accepted() || states["sent"] == 0 || states["sent"]+states["unknown"] != len(people) {
		t.Errorf("%d letters to %d people, states %v", peer.Accepted(), len(people), states)
	}
	t.Attr("fault", "R15 the journal is locked; its holder is killed")
	t.Attr("expected", "exit code 75 at once, with process, host and start; then the next start goes on, with nothing to clean")
	t.Attr("seen", fmt.Sprintf("exit code %d: process, host and start; after the kill states %v of %d people", code, states, len(people)))
}
