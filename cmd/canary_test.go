package cmd

import (
	"bytes"
	"fmt"
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

// No secret gets out of the commands that go well: not into what they print, the journal, letters, reports, temporary files or
// the sight of other programs.
func TestCanary(t *testing.T) {
	t.Parallel()
	for c := range cages {
		name := strings.TrimSuffix(c, ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := smtptest.NewCA(t).Server("127.0.0.1")
			relay, fallback := parrot(t, server), parrot(t, server)
			a := aviaries(t, relay.Port(), fallback.Port(), server)
			a.everyCommand(c, name)
			if len(relay.Messages()) < 2 {
				t.Fatalf("%d letters", len(relay.Messages()))
			}
			for _, m := range append(relay.Messages(), fallback.Messages()...) {
				if found := traces([]byte(m.Data)); found != "" {
					t.Errorf("a letter holds %s", found)
				}
			}
			a.heard(c, relay, fallback)
			if seen, err := os.ReadFile(filepath.Join(a.dir, "seen")); (c == "file.yaml" || c == "token.yaml") && (err != nil || !bytes.Contains(seen, []byte(c))) ||
				c == "file.yaml" && !bytes.Contains(seen, []byte("--for smtp")) {
				t.Errorf("the programs wrote down %q, %v", seen, err)
			}
			if n := a.look(); n < 20 {
				t.Errorf("only %d files were looked at", n)
			}
			if c == "url.yaml" {
				a.run("purge", "--all", "--yes").exits(exitOK)
				a.look()
			}
		})
	}
}

// everyCommand does all that can be done with a campaign.
func (a *aviary) everyCommand(c, name string) {
	a.t.Helper()
	for _, args := range [][]string{
		{"check", c}, {"check", c, "--json"}, {"check", "--show", "config", c}, {"check", "--show", "config", "--json", c}, {"preview", c}, {"preview", c, "-o", "json"},
		{"preview", c, "-o", "eml"}, {"send", "-n", c}, {"send", "-n=captured", "-v", c}, {"preview", "--out", "letters", c},
	} {
		if e := a.run(args...); e.code != exitOK {
			a.t.Errorf("%q: %d\n%s%s", args, e.code, e.out, e.err)
		}
	}
	a.run("send", c, "-v", "--report", "sent.json")
	a.run("send", c, "--again", name, "--json", "-v", "--report", "sent.csv")
	for _, args := range [][]string{{"status", name}, {"status", name, "--json"}, {"report", name}, {"report", name, "-o", "json"}, {"report", name, "-o", "csv"},
		{"report", name, "-o", "csv", "--only", "failed", "--out", "failed.csv"}} {
		a.run(args...).exits(exitOK)
	}
}

// What a process prints when it is made to end with all its stacks tells no secret either, nor do its arguments and those of
// the browser that it starts.
func TestCanaryInStacks(t *testing.T) {
	t.Parallel()
	p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Extensions: []string{"AUTH PLAIN"}, Reply: func(verb, _ string) string {
		if verb == "AUTH" {
			return "235 welcome"
		}
		return ""
	}, Scripts: []string{"rcpt: hang"}})
	a := aviaries(t, p.Port(), 1, smtptest.NewCA(t).Server("127.0.0.1"))
	c := exec.Command("mailblast", "send", "file.yaml", "-v")
	c.Dir, c.Env = a.dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + a.dir, "GOTRACEBACK=all"}, a.env...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); p.Count("RCPT") == 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	for _, name := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", c.Process.Pid, name))
		if err == nil && traces(b) != "" {
			t.Errorf("%s: %s", name, traces(b))
		}
	}
	if err := c.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // its state tells
	if !strings.Contains(out.String(), "goroutine ") || c.ProcessState.Success() {
		t.Fatalf("it did not end with its stacks:\n%s", out.String())
	}
	if found := traces(out.Bytes()); found != "" {
		t.Errorf("the stacks hold %s", found)
	}

	a.write("bin/xdg-open", dumper+"missing\"\n")
	if err := os.Chmod(filepath.Join(a.dir, "bin/xdg-open"), 0o700); err != nil {
		t.Fatal(err)
	}
	a.env = append(slices.Clone(a.env), "DISPLAY=:0", "PATH="+filepath.Join(a.dir, "bin")+":"+os.Getenv("PATH"))
	a.run("preview", "--open", "env.yaml").exits(exitOK)
	seen := filepath.Join(a.dir, "bin/seen")
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if b, err := os.ReadFile(seen); err == nil && bytes.Contains(b, []byte("letter.html\n")) {
			break
		}
	}
	if b, err := os.ReadFile(seen); err != nil || !bytes.Contains(b, []byte("letter.html\n")) {
		t.Errorf("no browser was started: %q, %v", b, err)
	}
	a.look()
}
