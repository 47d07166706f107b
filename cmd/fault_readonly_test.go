//go:build linux

package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/mailblast/mailblast/delivery/journal/journaltest"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// A state directory that cannot be written, after a process that came to its end and after one that was killed: nothing is sent and
// nothing is changed, but whoever looks on is told all there is to know.
func TestFaultReadOnly(t *testing.T) {
	t.Parallel()
	// It has no reply for the fifth letter: it waits for an octet until the client is gone.
	set := setting{peer: smtptest.Options{Addr: "127.0.0.1:0", Scripts: []string{"dot#5: accept; skip 1"}}, queues: 1, pipelines: true}
	peer := smtptest.Start(t, set.peer)
	dir := set.folder(t, peer.Port())
	people := set.grow(t, dir, 0, 200)
	v := mount(t, dir, 16<<10)
	v.mb.run(t, dir, []int{exitOK}, "suppress", "add", "nobody@small1.example")
	l := v.mb.live(t, dir, "send", "-y")
	if err := l.when(t, func() bool { return peer.Accepted() >= 5*campaignConnections }); err != nil {
		t.Fatalf("%v\n%s", err, l.err.String())
	}
	l.end(t, syscall.SIGKILL) // its log is not carried over
	await(t, "the end of all connections", func() bool { _, _, open := peer.Connections(); return open == 0 })
	before := peer.Accepted()
	const locked = "mount -o remount,%s '%s/.mailblast'"
	for range 2 {
		v.do(locked, "ro", dir)
		told, suppressed := v.mb.reported(t, dir, ""), v.mb.run(t, dir, []int{exitOK}, "suppress", "list")
		status := v.mb.run(t, dir, []int{exitOK}, "status")
		if len(told) == 0 || !strings.Contains(status, "paused") || !strings.Contains(suppressed, "nobody@small1.example") {
			t.Errorf("%v\n%s%s", told, status, suppressed)
		}
		for _, args := range [][]string{{"send", "-y"}, {"suppress", "add", "somebody@small1.example"}} {
			v.mb.start(t, dir, args...).refused(t, "/.mailblast/", "read-only file system")
		}
		v.do(locked, "rw", dir)
		if now := v.mb.reported(t, dir, ""); fmt.Sprint(now) != fmt.Sprint(told) { // the first who may write carries the log over
			t.Errorf("read-only: %v\nbefore: %v", told, now)
		}
	}
	if n := peer.Accepted(); n != before {
		t.Errorf("%d letters left", n-before)
	}
	t.Attr("fault", "R11 read-only state directory, from the start")
	t.Attr("expected", "send and suppress add: exit 73 with the file named, nothing sent; status, report, suppress list as ever")
	t.Attr("seen", fmt.Sprintf("as expected, with the log of a killed process and without: none of the other %d letters left", len(people)-before))
}

// A journal that cannot be written is not purged, and nobody is told that it was, even where the locks can be had.
func TestFaultPurgeReadOnly(t *testing.T) {
	t.Parallel()
	set := setting{peer: wellBehaved(), queues: 1, pipelines: true}
	peer := smtptest.Start(t, set.peer)
	dir := set.folder(t, peer.Port())
	people := set.grow(t, dir, 0, 3)
	v := mount(t, dir, 16<<10)
	v.mb.run(t, dir, []int{exitOK}, "send", "-y")
	v.do("mount -o remount,ro '%s/.mailblast'", dir)
	v.do("mount -t tmpfs -o size=64k,mode=700 none '%s/.mailblast/locks'", dir)
	for _, args := range [][]string{{"purge", "--yes"}, {"purge", "--all", "--yes"}} {
		r := v.mb.start(t, dir, args...)
		r.refused(t, "/.mailblast/", "read-only file system")
		if strings.Contains(r.out.String(), "purged") {
			t.Errorf("%s", r.out.String())
		}
	}
	if got := journaltest.Traces(t, v.view, people); len(got) != len(people) {
		t.Errorf("only %q are left", got)
	}
	v.do("umount '%s/.mailblast/locks'", dir)
	v.do("mount -o remount,rw '%s/.mailblast'", dir)
	v.mb.run(t, dir, []int{exitOK}, "purge", "--yes")
	if got := journaltest.Traces(t, v.view, people); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
	t.Attr("fault", "P12 the journal cannot be written, a purge")
	t.Attr("expected", "exit 73 with the file named; nothing is said to be purged, and nothing is")
	t.Attr("seen", "as expected; all is purged once it can be written")
}

// What else is written on a full disk: what does not fit is named, and nothing panics.
func TestFaultFullOutput(t *testing.T) {
	t.Parallel()
	set := setting{peer: wellBehaved(), queues: 1, pipelines: true}
	peer := smtptest.Start(t, set.peer)
	dir := set.folder(t, peer.Port())
	set.grow(t, dir, 0, 120)
	v := mount(t, dir, 8<<10)
	v.mb.run(t, dir, []int{exitOK}, "send", "-y")
	v.mb.run(t, dir, []int{exitOK}, "suppress", "add", "nobody@small1.example")
	v.fillUp()
	v.mb.run(t, dir, []int{exitOK}, "status")
	v.mb.run(t, dir, []int{exitOK}, "report")
	full := map[string][]string{
		"report.txt":  {"report", "--out", ".mailblast/report.txt"},
		"report.json": {"report", "-o", "json", "--out", ".mailblast/report.json"},
		"report.csv":  {"report", "-o", "csv", "--out", ".mailblast/report.csv"},
		"letters":     {"preview", "--out", ".mailblast/letters"},
		"journal.db":  {"suppress", "add", "somebody@small1.example"},
		"captured/":   {"send", "-y", "-n=.mailblast/captured"},
		"new/":        {"init", ".mailblast/new"},
	}
	for what, args := range full {
		v.mb.start(t, dir, args...).refused(t, ".mailblast/"+what, noRoom)
	}
	told := [][]string{{"status"}, {"status", "--json"}, {"report"}, {"report", "-o", "csv"}, {"suppress", "list"}, {"preview"}, {"check"}, {"version"}}
	for _, args := range told {
		v.mb.toFull(t, dir, args...).refused(t, "/dev/stdout", noRoom)
	}
	t.Attr("fault", "R9 disk full, for what else is written")
	t.Attr("expected", "exit 73 with the file named and a hint; status and report read the journal all the same")
	t.Attr("seen", fmt.Sprintf("%d commands that write a file, %d whose standard output does not fit: as expected", len(full), len(told)))
}

// toFull runs the binary with a full disk for its standard output.
func (p program) toFull(t *testing.T, dir string, args ...string) *child {
	t.Helper()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // the child has its own
	r := &child{Cmd: exec.Command(string(p), args...), done: make(chan struct{})}
	r.Stdout = f
	r.startIn(t, dir)
	return r
}
