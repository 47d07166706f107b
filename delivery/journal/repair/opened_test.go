//go:build linux

package repair_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/journaltest"
)

// A reader has no lock that a repair would wait for. Wherever in opening the journal it is when the repair moves the new one into its
// place, it does nothing to that: no mark of the old one in place of the new one's, no log, no empty file.
func TestFaultRepairBesideOpening(t *testing.T) {
	t.Parallel()
	journaltest.Need(t, "strace", "-f", "true")
	whole := filepath.Join(t.TempDir(), "state")
	p, err := begin(t, whole, journal.Spec{Campaign: "spring"})
	check(t, err)
	p.give(t, sent, failed, later, no, sent)
	p.end(t)
	wrong(t, whole, `DELETE FROM kept; UPDATE outcomes SET code = 7 WHERE seq = 4`)
	var seen []string
	for _, at := range [][2]string{{"journal.mark", "openat"}, {"journal.mark", "fchmod"}, {"journal.db", "open"}, {"journal.db", "newfstatat"},
		{"journal.db-wal", "open"}, {"journal.db-shm", "open"}, {"journal.db-shm", "ftruncate"}, {"journal.db-shm", "mmap"}} {
		dir := filepath.Join(t.TempDir(), "state")
		check(t, errors.Join(os.CopyFS(dir, os.DirFS(whole)), os.Chmod(dir, 0o700)))
		said := openedBeside(t, dir, at[0], at[1], func() { mend(t, dir) })
		p, err := begin(t, dir, journal.Spec{Campaign: "spring"})
		if err != nil {
			t.Errorf("%s: %v; the reader: %s", at, err, said)
			continue
		}
		if got, want := p.states(t, 5), []delivery.Status{sent, failed, unknown, unknown, unknown}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
		p.end(t)
		if said != "opened" {
			t.Errorf("%s: the reader: %s", at, said)
		}
		seen = append(seen, at[1]+" of "+at[0])
	}
	t.Attr("fault", "R13 the journal is being opened while a repair puts the new one into its place")
	t.Attr("expected", "the new journal is whole, and is what is opened")
	t.Attr("seen", "so it was, with the reader stopped at "+strings.Join(seen, ", "))
}

// openedBeside has a process open a journal that is stopped at a system call for a file until f is done, and gives what it says.
func openedBeside(t *testing.T, dir, file, call string, f func()) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, "strace", "-f", "-qq", "-o", os.DevNull, "-P", filepath.Join(dir, file), "-e", "trace="+call,
		"-e", "inject="+call+":signal=STOP:when=1", os.Args[0], "-test.run=^TestOpeningChild$", "-test.v")
	c.Env = append(os.Environ(), "REPAIR_TEST_OPEN="+dir)
	out, err := c.StdoutPipe()
	check(t, err)
	check(t, c.Start())
	lines := bufio.NewScanner(out)
	pid, result := 0, "nothing"
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), "opening %d", &pid); err == nil {
			break
		}
	}
	still := 0
	for end := time.Now().Add(20 * time.Second); still < 30; time.Sleep(time.Millisecond) { // between two calls it stops for an instant
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || time.Now().After(end) {
			t.Errorf("no %s of %s", call, file)
			break
		}
		if _, state, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(strings.ToLower(state), "t") {
			still++
		} else {
			still = 0
		}
	}
	f()
	over := make(chan struct{})
	defer close(over)
	go func() { // each of its threads stops once
		for {
			_ = syscall.Kill(pid, syscall.SIGCONT)
			select {
			case <-over:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "said: "); ok {
			result = text
		}
	}
	_, _ = io.Copy(io.Discard, out)
	if err := c.Wait(); err != nil {
		t.Errorf("%s of %s: %v", call, file, err)
	}
	return result
}

// TestOpeningChild is the process that opens the journal.
func TestOpeningChild(t *testing.T) {
	dir := os.Getenv("REPAIR_TEST_OPEN")
	if dir == "" {
		return // run by itself it has nothing to do; TestFaultRepairBesideOpening runs it
	}
	fmt.Printf("opening %d\n", os.Getpid())
	b, err := journal.Open(context.Background(), journal.Options{Dir: dir})
	if err == nil {
		err = b.Close()
	}
	if err != nil {
		fmt.Println("said:", strings.ReplaceAll(err.Error(), "\n", "; "))
	} else {
		fmt.Println("said: opened")
	}
}
