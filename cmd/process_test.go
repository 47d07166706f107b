package cmd

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// program is the real binary, built without the race detector: it can be killed, and its memory measured.
type program string

func build(t *testing.T) program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mailblast")
	c := exec.Command("go", "build", "-race=false", "-o", path, ".")
	c.Dir = ".."
	if b, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, b)
	}
	return program(path)
}

// child is the binary at work in a campaign's folder.
type child struct {
	*exec.Cmd
	out, err bytes.Buffer
	done     chan struct{} // closed when it has ended
	peakKiB  atomic.Int64
}

// start runs the binary in dir, with none of the test's MAILBLAST_… variables.
func (p program) start(t *testing.T, dir string, args ...string) *child {
	t.Helper()
	r := &child{Cmd: exec.Command(string(p), args...), done: make(chan struct{})}
	r.Dir, r.Stdout, r.Stderr = dir, &r.out, &r.err
	r.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "MAILBLAST_") })
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	go r.watchPeak()
	go func() {
		_ = r.Wait() // its state tells
		close(r.done)
	}()
	t.Cleanup(func() {
		_ = r.Process.Kill()
		<-r.done
	})
	return r
}

// code waits for the process's end and gives its exit code, -1 after a kill.
func (r *child) code(t *testing.T, patience time.Duration) int {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		_ = r.Process.Signal(syscall.SIGQUIT)
		<-r.done
		t.Fatalf("%v runs for %v\n%s", r.Args, patience, r.err.String())
	}
	return r.ProcessState.ExitCode()
}

// run runs the binary to its end, which must have one of the codes, and gives its standard output.
func (p program) run(t *testing.T, dir string, codes []int, args ...string) string {
	t.Helper()
	r := p.start(t, dir, args...)
	if got := r.code(t, 10*time.Minute); !slices.Contains(codes, got) {
		t.Fatalf("mailblast %s: exit code %d, want one of %v\n%s%s", strings.Join(args, " "), got, codes, r.out.String(), r.err.String())
	}
	return r.out.String()
}

// states gives the state of everybody in the latest run, by address.
func (p program) states(t *testing.T, dir string) map[string]string {
	t.Helper()
	table, err := csv.NewReader(strings.NewReader(p.run(t, dir, []int{exitOK}, "report", "-o", "csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	email, state := slices.Index(table[0], "email"), slices.Index(table[0], "state")
	states := map[string]string{}
	for _, row := range table[1:] {
		if old, ok := states[row[email]]; ok {
			t.Errorf("%s is in the report twice: %s and %s", row[email], old, row[state])
		}
		states[row[email]] = row[state]
	}
	return states
}

// folder makes a campaign's folder from files by name.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var errGone = errors.New("the process has ended")

// when waits for what happens while the process runs.
func (r *child) when(t *testing.T, happened func() bool) error {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if happened() {
			return nil
		}
		select {
		case <-r.done:
			return errGone
		case <-time.After(time.Millisecond):
		}
	}
	t.Fatalf("%v: nothing happens\n%s", r.Args, r.err.String())
	return nil
}
