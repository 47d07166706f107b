//go:build linux

package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// volume is a small file system in memory, at a campaign's state directory. It is mounted in a name space of its own, which ends with
// the shell in it, so that nothing stays mounted however a test ends.
type volume struct {
	t    *testing.T
	in   io.Writer
	out  *bufio.Reader
	view string  // where this process sees it
	mb   program // the binary, run where the campaign sees it
}

// mount puts a volume of so many KiB in the place of the state directory of the campaign in dir.
func mount(t *testing.T, dir string, size int) *volume {
	t.Helper()
	need(t, "nsenter", "util-linux")
	how, enter := spaces(t)
	state := filepath.Join(dir, ".mailblast")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("unshare", how, "sh")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = c.Wait() // it ends with its input
	})
	v := &volume{t: t, in: in, out: bufio.NewReader(out), view: fmt.Sprintf("/proc/%d/root%s", c.Process.Pid, state)}
	v.do("mount -t tmpfs -o size=%dk,mode=700 none '%s'", size, state)
	script := filepath.Join(t.TempDir(), "mailblast")
	text := fmt.Sprintf("#!/bin/sh\nexec nsenter -t %d %s -- sh -c 'cd \"$0\" && exec \"$@\"' \"$(pwd)\" %s \"$@\"\n", c.Process.Pid, enter, build(t))
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	v.mb = program(script)
	return v
}

// spaces tells how to make a name space in which this user may mount, and how to enter it.
func spaces(t *testing.T) (how, enter string) {
	t.Helper()
	unshare := need(t, "unshare", "util-linux")
	for _, way := range [][2]string{{"-m", "-m"}, {"-Urm", "-U -m --preserve-credentials"}} {
		if exec.Command(unshare, way[0], "sh", "-c", "mount -t tmpfs none /tmp").Run() == nil {
			return way[0], way[1]
		}
	}
	lack(t, "nobody may mount here, not even in a name space of his own; be root")
	return "", ""
}

// do has the shell in the name space do something.
func (v *volume) do(format string, args ...any) {
	v.t.Helper()
	fmt.Fprintf(v.in, format+"; echo \" $?\"\n", args...)
	for {
		line, err := v.out.ReadString('\n')
		if err != nil {
			v.t.Fatalf("%s: %v", fmt.Sprintf(format, args...), err)
		}
		if _, code, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); ok {
			if code != "0" {
				v.t.Fatalf("%s: exit code %s", fmt.Sprintf(format, args...), code)
			}
			return
		}
	}
}

// fill leaves so many KiB.
func (v *volume) fill(room int) {
	v.t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(v.view, &fs); err != nil {
		v.t.Fatal(err)
	}
	if n := int(fs.Bavail)*int(fs.Bsize) - room<<10; n > 0 {
		if err := os.WriteFile(filepath.Join(v.view, "filler"), make([]byte, n), 0o600); err != nil {
			v.t.Fatal(err)
		}
	}
}

// fillUp leaves nothing, whoever writes meanwhile.
func (v *volume) fillUp() {
	v.t.Helper()
	f, err := os.OpenFile(filepath.Join(v.view, "filler"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		v.t.Fatal(err)
	}
	for size := 64 << 10; err == nil; {
		if _, err = f.Write(make([]byte, size)); err != nil && size > 1 {
			size, err = size/16, nil
		}
	}
	if err = errors.Join(ignore(err, syscall.ENOSPC), f.Close()); err != nil {
		v.t.Fatal(err)
	}
}

// free takes the filler away.
func (v *volume) free() {
	v.t.Helper()
	if err := os.Remove(filepath.Join(v.view, "filler")); err != nil {
		v.t.Fatal(err)
	}
}

// empty takes everything away.
func (v *volume) empty() {
	v.t.Helper()
	all, err := os.ReadDir(v.view)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, e := range all {
		if err := os.RemoveAll(filepath.Join(v.view, e.Name())); err != nil {
			v.t.Fatal(err)
		}
	}
}

func ignore(err, what error) error {
	if errors.Is(err, what) {
		return nil
	}
	return err
}

// refused holds a run against what a disk that fails must lead to: exit code 73, what could not be written, why, and a hint. It gives
// what was said.
func (r *child) refused(t *testing.T, what, why string) string {
	t.Helper()
	code, said := r.code(t, 20*time.Second), r.err.String()
	first, _, _ := strings.Cut(said, "\n")
	if code != exitIO || !strings.Contains(said, what) || !strings.Contains(said, why) || strings.Count(said, "hint: ") != 1 ||
		strings.Contains(said, "panic") || strings.Contains(said, "goroutine") || first == "" {
		t.Fatalf("%s: exit code %s, want %d, %q, %q and a hint:\n%s%s", strings.Join(r.Args[1:], " "), strconv.Itoa(code), exitIO, what, why, said, r.out.String())
	}
	return said
}
