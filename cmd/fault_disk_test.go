//go:build linux

package cmd

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// broken runs a campaign to its end on a disk that fails as strace is told, and gives what it did.
func (p program) broken(t *testing.T, dir string, inject ...string) (r *child, calls []call) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "trace")
	args := []string{"-f", "--seccomp-bpf", "-yy", "-s", "65536", "-e", "signal=none", "-o", out,
		"-e", "trace=read,write,writev,pwrite64,pwritev,fsync,fdatasync,sendto,sendmsg,?link,linkat"}
	for _, i := range inject {
		args = append(args, "-e", "inject="+i)
	}
	r = &child{Cmd: exec.Command("strace", append(args, string(p), "send", "-y")...), done: make(chan struct{})}
	r.Stdout = &r.out
	r.startIn(t, dir)
	r.code(t, time.Minute)
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if calls, err = parseTrace(f); err != nil {
		t.Fatal(err)
	}
	return r, calls
}

// failures are the files of which a sync failed, and how often each was asked again.
func failures(calls []call) (failed []string, again []string) {
	slices.SortFunc(calls, func(x, y call) int { return x.begin - y.begin })
	for i := range calls {
		c := &calls[i]
		if !c.syncs() {
			continue
		}
		if slices.Contains(failed, c.object) {
			again = append(again, c.object)
		}
		if c.result < 0 {
			failed = append(failed, c.object)
		}
	}
	return failed, again
}

// One sync fails, wherever: no dot leaves whose intent is not on disk, the file is not asked again, for the second answer would be a
// lie, and the program ends with what it could not write. The next one goes on.
func TestFaultSync(t *testing.T) {
	t.Parallel()
	needTracing(t)
	p, nths := build(t), []int{3, 12}
	if os.Getenv("MAILBLAST_LONG") != "" {
		for n := range 30 {
			nths = append(nths, n+1)
		}
	}
	files, dots := map[string]bool{}, 0
	for _, nth := range nths { // of a thread
		set := setting{peer: wellBehaved(), queues: 1, pipelines: true}
		peer := smtptest.Start(t, set.peer)
		dir := set.folder(t, peer.Port())
		people := set.grow(t, dir, 0, 40)
		r, calls := p.broken(t, dir, fmt.Sprintf("fsync,fdatasync:error=EIO:when=%d", nth))
		failed, again := failures(calls)
		if len(failed) == 0 && r.ProcessState.ExitCode() == exitOK {
			peer.Close()
			continue // no thread syncs that often
		}
		// SQLite syncs the log once more when it is closed. All that counts has been synced by then, in order: watch saw it.
		if closing := r.ProcessState.ExitCode() == exitOK && slices.Equal(plainNames(failed), []string{"journal.db-wal"}); !closing {
			r.refused(t, filepath.Base(dir), "input/output error")
		}
		for _, f := range plainNames(failed) {
			files[f] = true
		}
		w := watch(calls)
		if w.dots == 0 { // making the file did not come to its end, and SQLite syncs what it has taken back
			again = slices.DeleteFunc(again, func(f string) bool { return filepath.Base(f) == "journal.db" })
		}
		if dots += w.dots; len(w.faults) > 0 || len(again) > 0 {
			t.Errorf("sync %d failed: %v; asked again: %v\n%s", nth, failed, again, strings.Join(w.faults, "\n"))
		}
		p.run(t, dir, []int{exitOK, exitPartial}, "send", "-y")
		p.judge(t, dir, peer, people).hold(t, nil)
		peer.Close()
	}
	if len(files) == 0 {
		t.Error("no sync failed")
	}
	t.Attr("fault", "R11 EIO at fsync, from the start")
	t.Attr("expected", "no dot after a failed sync, the file not synced again, exit 73 with its name; the rerun sends to everybody once")
	t.Attr("seen", fmt.Sprintf("failed: %s; %d dots, all of them after a sync that succeeded; no file asked again; 0 lost, 0 doubles",
		strings.Join(slices.Sorted(maps.Keys(files)), ", "), dots))
}

// plainNames are the names of files without what is random in them.
func plainNames(paths []string) (all []string) {
	for _, path := range paths {
		name, _, _ := strings.Cut(filepath.Base(path), ".new")
		if ext := filepath.Ext(name); len(ext) == 27 {
			name = strings.TrimSuffix(name, ext)
		}
		all = append(all, name)
	}
	return all
}

// ills are what becomes of the journal's disk while letters leave. Each system call fails once in each thread that makes it: what is
// tried again would seem to succeed.
var ills = []struct {
	what, inject, says string
	files              []string // of the journal, by what comes after its name
}{
	{"EIO at fsync", "fsync,fdatasync:error=EIO:when=1", "input/output error", []string{"", "-wal"}},
	{"EIO at fsync of what the log is carried over into", "fsync,fdatasync:error=EIO:when=1", "input/output error", []string{""}},
	{"EIO at writing", "pwrite64:error=EIO:when=1", "input/output error", []string{"", "-wal"}},
	{"read-only", "pwrite64:error=EROFS", "input/output error", []string{"", "-wal"}}, // SQLite does not tell what the system said
}

// The disk fails in the middle of a campaign.
func TestFaultDiskInTheMiddle(t *testing.T) {
	t.Parallel()
	needTracing(t)
	p := build(t)
	for _, ill := range ills {
		t.Run(ill.what, func(t *testing.T) {
			t.Parallel()
			set := setting{peer: wellBehaved(), queues: 1, pipelines: true}
			peer := smtptest.Start(t, set.peer)
			dir := set.folder(t, peer.Port())
			people := set.grow(t, dir, 0, 400)
			l := p.live(t, dir, "send", "-y")
			if !l.until(func() bool { return l.told > 40 }) {
				t.Fatalf("it has ended\n%s", l.err.String())
			}
			calls := l.inflict(t, filepath.Join(dir, ".mailblast", "journal.db"), ill.files, ill.inject)
			l.refused(t, "journal.db", ill.says)
			await(t, "the end of all connections", func() bool { _, _, open := peer.Connections(); return open == 0 })
			n := peer.Accepted()
			var failed, again []string
			for _, c := range calls() {
				if len(failed) > 0 && c.syncs() {
					again = append(again, c.name)
				}
				if c.result < 0 {
					failed = append(failed, c.name)
				}
			}
			if len(failed) == 0 || len(again) > 0 || n == len(people) {
				t.Errorf("%d calls failed, and %d syncs came after: %v; %d letters of %d", len(failed), len(again), again, n, len(people))
			}
			p.run(t, dir, []int{exitOK, exitPartial}, "send", "-y")
			v := p.judge(t, dir, peer, people)
			if v.hold(t, nil); len(v.unknown) > campaignConnections {
				t.Errorf("unknown: %v", v.unknown)
			}
			t.Attr("fault", "R11 "+ill.what+" in the middle")
			t.Attr("expected", "no further dot, exit 73 with the journal's name, no file synced again; the rerun sends to the others, once")
			t.Attr("seen", fmt.Sprintf("%d letters of %d before; then %d lost, %d doubles, %d unknown of %d on the wire",
				n, len(people), len(v.lost), len(v.doubles), len(v.unknown), campaignConnections))
		})
	}
}

// inflict has system calls on a journal fail from now on, and tells in the end what was asked of its files.
func (l *life) inflict(t *testing.T, file string, endings []string, inject string) (calls func() []call) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "trace")
	args := []string{"-f", "-yy", "-s", "0", "-e", "signal=none", "-o", out, "-p", strconv.Itoa(l.Process.Pid)}
	for _, e := range endings {
		args = append(args, "-P", file+e)
	}
	s := &child{Cmd: exec.Command("strace", append(args, "-e", "trace=pwrite64,fsync,fdatasync", "-e", "inject="+inject)...), done: make(chan struct{})}
	s.startIn(t, filepath.Dir(file))
	return func() []call {
		s.code(t, time.Minute)
		f, err := os.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		calls, err := parseTrace(f)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(calls, func(x, y call) int { return x.begin - y.begin })
		return calls
	}
}
