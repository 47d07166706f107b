//go:build linux

package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/journaltest"
)

// A disk that is full ends the sending, and nothing else: what was on the wire is recorded, nobody is in doubt, and the
// next process sends nothing until there is room.
func TestFullDisk(t *testing.T) {
	journaltest.Need(t, "unshare", "-Urm", "true")
	disk := t.TempDir()
	cmd := exec.Command("unshare", "-Urm", "sh", "-c", `mount -t tmpfs -o size=4m none "$0" && exec "$@"`, disk,
		os.Args[0], "-test.run=^TestFullDiskChild$", "-test.v")
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_DISK="+disk)
	out, err := cmd.CombinedOutput()
	if t.Logf("%s", out); err != nil || !strings.Contains(string(out), "everybody is accounted for") {
		t.Error(err)
	}
}

// TestFullDiskChild is the process on the small disk.
func TestFullDiskChild(t *testing.T) {
	disk := os.Getenv("JOURNAL_TEST_DISK")
	if disk == "" {
		return // run by itself it has nothing to do; TestFullDisk runs it
	}
	ctx := context.Background()
	const threads, most = 8, 500
	o := Options{Dir: filepath.Join(disk, "state"), Connections: threads}
	b, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(b)
	r := begin(t, b, Spec{Campaign: "full"})
	filler := fill(t, disk, 600<<10)
	var g sync.WaitGroup
	dots := make([]bool, threads*most)
	for thread := range threads {
		g.Go(func() { sendUntil(t, r, dots[thread*most:], thread*most, most) })
	}
	g.Wait()
	check(t, r.Flush(ctx))
	if err := r.Finish(ctx); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Finish takes room that is for outcomes: %v", err)
	}
	if err := stop(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Serve: %v", err)
	}
	check(t, r.Close())
	check(t, b.Close())
	again := fill(t, disk, 300<<10) // closing gave room back
	if err := try(t, o, Spec{Campaign: "full"}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("begun on a full disk: %v", err)
	}
	check(t, errors.Join(os.Remove(filler), os.Remove(again)))
	b = open(t, o.Dir)
	r = begin(t, b, Spec{Campaign: "full"})
	ids := make([]delivery.ID, len(dots))
	for n := range ids {
		ids[n] = id(r, n)
	}
	states, err := r.Lookup(ctx, ids)
	check(t, err)
	sent := 0
	for n, dot := range dots {
		want := delivery.NotTried
		if dot {
			want = delivery.Sent
			sent++
		}
		if states[n].Status != want {
			t.Errorf("%d is %v, want %v", n, states[n].Status, want)
		}
	}
	if sent == 0 || sent == len(dots) {
		t.Fatalf("%d of %d were sent: the disk was not full in between", sent, len(dots))
	}
	fmt.Printf("everybody is accounted for: %d sent\n", sent)
}

// sendUntil sends one message after the other, the outcome of each after the next intent, until an intent is refused.
func sendUntil(t *testing.T, r *Run, dots []bool, from, most int) {
	var last []delivery.Outcome
	for n := range most {
		err := r.Intend([]*delivery.Message{message(r, from+n)})(context.Background())
		r.Record(last)
		if err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("intent: %v", err)
			}
			return
		}
		dots[n] = true
		last = []delivery.Outcome{sentOutcome(r, from+n)}
	}
}

// fill leaves so much room on a disk.
func fill(t *testing.T, disk string, room int64) (path string) {
	t.Helper()
	var fs syscall.Statfs_t
	check(t, syscall.Statfs(disk, &fs))
	path = filepath.Join(disk, fmt.Sprintf("filler%d", room))
	check(t, os.WriteFile(path, make([]byte, int64(fs.Bavail)*fs.Bsize-room), 0o600))
	return path
}

// After an fsync that failed no dot leaves, whatever later ones say, and those that left are not forgotten.
func TestSyncFault(t *testing.T) {
	journaltest.Need(t, "strace", "-V")
	for _, nth := range []int{1, 2, 4, 9, 30} {
		dir := stateDir(t)
		cmd := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace=fsync,fdatasync",
			"-e", fmt.Sprintf("inject=fsync,fdatasync:error=EIO:when=%d", nth), os.Args[0], "-test.run=^TestSyncFaultChild$", "-test.v")
		cmd.Env = append(os.Environ(), "JOURNAL_TEST_DIR="+dir)
		out, err := cmd.Output()
		check(t, err)
		dots, fault := -1, false
		for line := range strings.Lines(string(out)) {
			if n, ok := strings.CutPrefix(strings.TrimSpace(line), "dot "); ok && !fault {
				dots, err = strconv.Atoi(n)
				check(t, err)
			} else if ok {
				t.Errorf("fsync %d failed, and then: %s", nth, line)
			}
			fault = fault || strings.HasPrefix(line, "fault")
		}
		if !fault {
			t.Errorf("fsync %d failed, and nothing was said:\n%s", nth, out)
		}
		b := open(t, dir)
		r := begin(t, b, Spec{Campaign: "eio"})
		for n := range dots + 1 {
			if s, err := r.Lookup(context.Background(), []delivery.ID{id(r, n)}); err != nil || s[0].Status != delivery.Sent && s[0].Status != delivery.Unknown {
				t.Errorf("fsync %d failed: %d of %d is %+v, %v", nth, n, dots, s, err)
			}
		}
	}
}

// TestSyncFaultChild is the process whose fsync fails: one for each thread of the program, at some time.
func TestSyncFaultChild(t *testing.T) {
	dir := os.Getenv("JOURNAL_TEST_DIR")
	if dir == "" {
		return // run by itself it has nothing to do; TestSyncFault runs it
	}
	ctx := context.Background()
	b, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		fmt.Println("fault", err)
		return
	}
	defer func() { _ = b.Close() }()
	stop := serve(b)
	r, err := b.Begin(ctx, Spec{Campaign: "eio"})
	if err != nil {
		fmt.Println("fault", err)
		_ = stop() // it says the same
		return
	}
	faults := 0
	for n := 0; n < 5000 && faults < 5; n++ {
		if err := r.Intend([]*delivery.Message{message(r, n)})(ctx); err != nil {
			faults++
			fmt.Println("fault", err)
			continue
		}
		fmt.Println("dot", n)
		r.Record([]delivery.Outcome{sentOutcome(r, n)})
	}
	if err := stop(); err == nil || errors.Is(err, syscall.ENOSPC) {
		fmt.Println("dot: Serve says", err)
	}
}

// A quota that is used up is a full disk, although SQLite calls it a broken one: what is on the wire is still recorded.
func TestQuota(t *testing.T) {
	journaltest.Need(t, "strace", "-V")
	dir := stateDir(t)
	wal, probe := filepath.Join(dir, "journal.db-wal"), filepath.Join(dir, "journal.probe")
	cmd := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace=write,pwrite64", "-P", wal, "-P", probe,
		"-e", "inject=pwrite64:error=EDQUOT:when=200", "-e", "inject=write:error=EDQUOT", os.Args[0], "-test.run=^TestQuotaChild$", "-test.v")
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_QUOTA="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b := open(t, dir)
	r := begin(t, b, Spec{Campaign: "quota"})
	dots := strings.Count(string(out), "dot\n")
	for n := range dots {
		if s, err := r.Lookup(context.Background(), []delivery.ID{id(r, n)}); err != nil || s[0].Status != delivery.Sent {
			t.Errorf("%d of %d is %+v, %v", n, dots, s, err)
		}
	}
	if dots < 10 || !strings.Contains(string(out), "disk quota exceeded") {
		t.Errorf("%d dots\n%s", dots, out)
	}
}

// TestQuotaChild is the process that has used up its quota. Its writer keeps to one thread, whose calls strace counts.
func TestQuotaChild(t *testing.T) {
	dir := os.Getenv("JOURNAL_TEST_QUOTA")
	if dir == "" {
		return // run by itself it has nothing to do; TestQuota runs it
	}
	ctx, cancel := context.WithCancel(context.Background())
	b, err := Open(ctx, Options{Dir: dir, Connections: 1})
	check(t, err)
	r := begin(t, b, Spec{Campaign: "quota"})
	served := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		served <- b.Serve(ctx)
	}()
	var last []delivery.Outcome
	for n := 0; ; n++ {
		err := r.Intend([]*delivery.Message{message(r, n)})(ctx)
		r.Record(last)
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println("dot")
		last = []delivery.Outcome{sentOutcome(r, n)}
	}
	check(t, r.Flush(ctx))
	cancel()
	if err := <-served; !errors.Is(err, syscall.EDQUOT) {
		t.Errorf("Serve: %v", err)
	}
	check(t, b.Close())
}
