package cmd

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// place is where a process is killed: when one of its threads enters a system call for the nth time.
type place struct {
	call string
	n    int
}

// places are calls that change what is on disk, each as often as a thread may make it.
func places(rng *rand.Rand) (all []place) {
	for call, most := range map[string]int{"write": 8, "pwrite64": 30, "fsync": 10, "mkdirat": 4, "linkat": 3, "unlinkat": 3, "ftruncate": 3} {
		for n := range most {
			all = append(all, place{call, n + 1})
		}
	}
	slices.SortFunc(all, func(x, y place) int { return cmp.Or(strings.Compare(x.call, y.call), x.n-y.n) })
	if os.Getenv("MAILBLAST_KILLS") == "" { // some of them
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:4]
	}
	return all
}

// killedAt runs a campaign, or another command, until it is killed at a place, and tells what the call was; empty: the process has
// ended before.
func (p program) killedAt(t *testing.T, dir string, at place, args ...string) (call string) {
	t.Helper()
	if len(args) == 0 {
		args = []string{"send", "-y"}
	}
	out := filepath.Join(t.TempDir(), "trace")
	r := &child{Cmd: exec.Command("strace", append([]string{"-f", "-y", "-e", "signal=none", "-o", out, "-e", "trace=" + at.call, "-e",
		fmt.Sprintf("inject=%s:signal=KILL:when=%d", at.call, at.n), string(p)}, args...)...), done: make(chan struct{})}
	r.Stdout = &r.out
	r.startIn(t, dir)
	if code := r.code(t, time.Minute); code == exitOK || code == exitPartial {
		return ""
	} else if status := r.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() { // strace ends as its program did
		t.Fatalf("exit code %d\n%s%s", code, r.out.String(), r.err.String())
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasSuffix(line, "= ?\n") { // it never came back
			call = strings.TrimSpace(line)
		}
	}
	return call
}

// Wherever a first start is killed, between any two things it does to the disk, the next one goes on as if nothing had been.
func TestFaultKillAtFirstStart(t *testing.T) {
	t.Parallel()
	needTracing(t)
	p, rng := build(t), rand.New(rand.NewPCG(seedOf(t), 1))
	killed := 0
	for _, at := range places(rng) {
		set := setting{peer: wellBehaved(), pipelines: true}
		peer := smtptest.Start(t, set.peer)
		dir := set.folder(t, peer.Port())
		people := set.grow(t, dir, 0, 3)
		call := p.killedAt(t, dir, at)
		if call != "" {
			killed++
		}
		p.run(t, dir, []int{exitOK, exitPartial}, "send", "-y")
		v := p.judge(t, dir, peer, people)
		v.hold(t, nil)
		if len(v.unknown) != len(v.killed) || t.Failed() {
			t.Fatalf("killed at %s: %v", call, v.states)
		}
		peer.Close()
	}
	if killed == 0 {
		t.Error("no process was killed")
	}
	t.Attr("fault", "R1 kill -9 at a first start")
	t.Attr("expected", "wherever it is killed, the next start sends to everybody once")
	t.Attr("seen", fmt.Sprintf("killed at %d places: 0 lost, 0 doubles", killed))
}

// The replay of the journal may be cut anywhere, again and again: what was on the wire is in doubt afterwards, neither more nor less.
func TestFaultKillInReplay(t *testing.T) {
	t.Parallel()
	needTracing(t)
	p, rng := build(t), rand.New(rand.NewPCG(seedOf(t), 2))
	dir, peer := p.onWire(t)
	const sent = 4 * campaignConnections
	killed := 0
	for _, at := range places(rng) {
		again := twin(t, dir)
		var calls []string
		for range 2 { // the second time what the first has left
			if call := p.killedAt(t, again, at); call != "" {
				killed++
				calls = append(calls, call)
			}
		}
		p.run(t, again, []int{exitPartial}, "send", "-y")
		states := map[entry]int{}
		for _, e := range p.reported(t, again, "") {
			states[e]++
		}
		if states[entry{"sent", ""}] != sent || states[entry{"unknown", byKill}] != campaignConnections || len(states) != 2 || peer.Accepted() != sent+campaignConnections {
			t.Fatalf("killed at %q: %v, %d letters", calls, states, peer.Accepted())
		}
	}
	if killed == 0 {
		t.Error("no process was killed")
	}
	t.Attr("fault", "R3 kill during the journal's replay, at its writes")
	t.Attr("expected", "the replay is idempotent")
	t.Attr("seen", fmt.Sprintf("killed at %d places: always %d sent, %d unknown, none sent again", killed, sent, campaignConnections))
}

// twin is a copy of a campaign's folder, with its state, for a process that is killed in it.
func twin(t *testing.T, dir string) string {
	t.Helper()
	again := t.TempDir()
	if err := os.CopyFS(again, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(again, ".mailblast"), 0o700); err != nil { // which a copy is not
		t.Fatal(err)
	}
	return again
}

// onWire makes a campaign whose process was killed when every connection had four letters accepted and answered, and a fifth
// accepted and not answered. Nobody else is on its list.
func (p program) onWire(t *testing.T) (dir string, peer *smtptest.Peer) {
	t.Helper()
	set := setting{peer: smtptest.Options{Addr: "127.0.0.1:0", Scripts: []string{"dot#5: accept; hang"}}, queues: 1, pipelines: true}
	peer = smtptest.Start(t, set.peer)
	dir = set.folder(t, peer.Port())
	set.grow(t, dir, 0, 200)
	l := p.live(t, dir, "send", "-y")
	ok := l.until(func() bool { return l.told == 4*campaignConnections && peer.Accepted() == 5*campaignConnections })
	if l.end(t, syscall.SIGKILL); !ok || l.told != 4*campaignConnections {
		t.Fatalf("%d letters accepted, %d answered\n%s", peer.Accepted(), l.told, l.err.String())
	}
	var list strings.Builder
	list.WriteString("email,name,boss\n")
	for _, m := range peer.Messages() {
		fmt.Fprintf(&list, "%s,Jo,boss@large1.example\n", m.To[0])
	}
	if err := os.WriteFile(filepath.Join(dir, "people.csv"), []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, peer
}

// A send without a terminal that finds people whose mail may or may not have gone tells of them, once.
func TestUnknownFoundIsTold(t *testing.T) {
	t.Parallel()
	p := build(t)
	dir, _ := p.onWire(t)
	want := fmt.Sprintf("(unknown %d); report: mailblast report ", campaignConnections)
	if got := p.run(t, dir, []int{exitPartial}, "send"); !strings.Contains(got, want) || strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
	if got := p.run(t, dir, []int{exitPartial}, "send"); got != "" {
		t.Errorf("the second time: %q", got)
	}
}
