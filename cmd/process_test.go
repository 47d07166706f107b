package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// program is the real binary, built without the race detector: it can be killed, and its memory measured.
type program string

// built is made by the first test that needs it, and removed after the last test.
var built struct {
	once sync.Once
	dir  string
	err  error
}

func build(t *testing.T) program {
	t.Helper()
	b := &built
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "mailblast-test-"); b.err != nil {
			return
		}
		c := exec.Command("go", "build", "-race=false", "-o", b.dir, ".")
		c.Dir = ".."
		if out, err := c.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return program(filepath.Join(b.dir, "mailblast"))
}

// suite is all tests of the package.
type suite struct{ *testing.M }

func (s suite) Run() int {
	code := s.M.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	return code
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
	r.Stdout = &r.out
	r.startIn(t, dir)
	return r
}

// startIn starts the process that r describes.
func (r *child) startIn(t *testing.T, dir string) {
	t.Helper()
	r.Dir, r.Stderr = dir, &r.err
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
