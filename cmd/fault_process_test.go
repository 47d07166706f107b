package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// under starts the binary by a shell that gives it its limits or its streams: how, which ends in "$@".
func (p program) under(t *testing.T, dir, how string, args ...string) *child {
	t.Helper()
	r := &child{Cmd: exec.Command("sh", append([]string{"-c", how, "sh", string(p)}, args...)...), done: make(chan struct{})}
	r.Stdout = &r.out
	r.startIn(t, dir)
	return r
}

// campaignOf makes a folder with a list of n people, for a peer. connections and more go into its campaign.yaml.
func campaignOf(t *testing.T, s *smtptest.Peer, n, connections int, more string) (dir string, people []string) {
	t.Helper()
	set := setting{pipelines: true}
	dir = set.folder(t, s.Port())
	path := filepath.Join(dir, "campaign.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	usual := fmt.Sprintf("connections: %d\n", campaignConnections)
	text = []byte(strings.Replace(string(text), usual, fmt.Sprintf("connections: %d\n", connections), 1) + more)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, set.grow(t, dir, 0, n)
}

// A process that may open few files goes on with few connections. It says so once, and does not dial in vain for ever.
func TestFaultOpenFiles(t *testing.T) {
	var queues strings.Builder
	queues.WriteString("queues:\n")
	for i := range 15 {
		fmt.Fprintf(&queues, "  q%d: {domains: [small%d.example]}\n", i, i)
	}
	for name, c := range map[string]struct {
		files int
		more  string
		says  string
		seen  string
	}{
		"known beforehand": {64, "", "this process may have no more than 64 files open: 32 connections at most, not 200", "32 connections"},
		"met while sending": {24, queues.String(), "this machine is out of file descriptors: going on with fewer connections",
			"fewer connections than queues"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := build(t)
			s := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Latency: time.Millisecond})
			dir, people := campaignOf(t, s, 300, 200, c.more)
			r := p.under(t, dir, fmt.Sprintf(`ulimit -n %d; exec "$@"`, c.files), "send", "-y", "-v", "--progress=none")
			if code := r.code(t, time.Minute); code != exitOK {
				t.Fatalf("exit code %d\n%s", code, r.err.String())
			}
			if said := r.err.String(); strings.Count(said, c.says) != 1 || strings.Contains(said, "cannot be reached") {
				t.Errorf("said %s", said)
			}
			v := p.judge(t, dir, s, people)
			v.hold(t, nil)
			total, most, _ := s.Connections()
			if v.accepted != len(people) || most > c.files-16 || total > len(people)/2 {
				t.Errorf("%d of %d accepted, %d connections, %d at once", v.accepted, len(people), total, most)
			}
			cpu := r.ProcessState.UserTime() + r.ProcessState.SystemTime()
			if cpu > 3*time.Second {
				t.Errorf("%v of CPU", cpu)
			}
			t.Attr("fault", "R19 ulimit -n, "+name)
			t.Attr("expected", "the pool shrinks, no dial spin, everybody is sent to, the operator is told once")
			t.Attr("seen", fmt.Sprintf("ulimit -n %d: %d people once each over %d connections, %d at once; told once", c.files, v.accepted, total, most))
		})
	}
}

// Where there are too few files to begin with, the error says what to do.
func TestFaultNoFiles(t *testing.T) {
	t.Parallel()
	p := build(t)
	s := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	dir, _ := campaignOf(t, s, 3, campaignConnections, "")
	for _, c := range []struct {
		files int
		args  []string
		code  int
	}{
		{12, []string{"status"}, exitIO}, {12, []string{"send", "-y"}, exitIO}, {17, []string{"send", "-y"}, exitIO}, {20, []string{"send", "-y"}, exitIO},
		{18, []string{"send", "-n=letters"}, exitIO}, {24, []string{"send", "-n=letters"}, exitIO},
		{40, []string{"send", "-n=letters"}, exitOK}, {28, []string{"send", "-y"}, exitOK}, {28, []string{"status"}, exitOK},
	} {
		r := p.under(t, dir, fmt.Sprintf(`ulimit -n %d; exec "$@"`, c.files), c.args...)
		code, said := r.code(t, time.Minute), r.err.String()
		want := fmt.Sprintf("mailblast: too many open files: this process may have no more than %d open at once, which is too low a limit\nhint: %s\n", c.files, moreFiles)
		if code != c.code || code == exitIO && said != want {
			t.Errorf("%v, %d files: exit code %d\n%s", c.args, c.files, code, said)
		}
	}
	t.Attr("fault", "R19 out of file descriptors from the start")
	t.Attr("expected", "ended with 73 and what to do, nothing half done")
	t.Attr("seen", "the limit with its number, hint: ulimit -n")
}
