package cmd

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const quickstart = "testdata/quickstart/campaign.yaml"

// The README's first command works in a clean clone, within a minute, and leaves nothing behind there.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("left out: -short")
	}
	dir := cleanClone(t)
	for _, generated := range []string{"docs/campaign.md", "docs/campaign.schema.json"} {
		if _, err := os.Stat(filepath.Join(dir, generated)); err != nil {
			t.Errorf("not in the repository: %v", err)
		}
	}
	start := time.Now()
	out := quickstartOutput(t, dir, "go", "run", ".", "send", quickstart)
	t.Logf("%v:\n%s", time.Since(start).Round(time.Millisecond), out)
	for _, want := range []string{`^quickstart: 12 people in people.db → built-in capture server \(no mail leaves this machine\)`,
		`\n +sent +11 +91.7% of 12`, `\n +failed +1 `, ` gmx.example +2 +0 +1 `, `550 5.1.1 no such user\n +gone@yahoo.example\n`, `\n11 letters kept in `} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in:\n%s", want, out)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "testdata/quickstart", ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// The README shows what its first command prints, but for how long things took. UPDATE_SESSIONS=1 puts it there anew.
func TestReadmeShowsTheQuickstart(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- quickstart -->\n```\n$ go run . send " + quickstart + "\n", "```\n"
	out := quickstartOutput(t, "..", "mailblast", "send", quickstart)
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	shown, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("README.md has no block that begins with\n%s", begin)
	}
	if masked(shown) == masked(out) {
		return
	}
	if os.Getenv("UPDATE_SESSIONS") == "" {
		t.Fatalf("README.md is stale (UPDATE_SESSIONS=1 mends it); it shows\n%s\nwhere the quickstart prints\n%s", shown, out)
	}
	if err := os.WriteFile("../README.md", []byte(before+begin+out+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// quickstartOutput gives what a quickstart prints without a terminal, with the home directory as ~.
func quickstartOutput(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	home := t.TempDir()
	var errs bytes.Buffer
	c := exec.CommandContext(t.Context(), program, args...)
	c.Dir, c.Stderr = dir, &errs
	c.Env = append(goEnv(t), "XDG_CACHE_HOME="+filepath.Join(home, ".cache"))
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", program, args, err, out, &errs)
	}
	if program == "mailblast" && errs.Len() > 0 {
		t.Errorf("on standard error: %s", &errs)
	}
	return strings.ReplaceAll(string(out), home, "~")
}

// goEnv is this process's environment, with the toolchain's caches where they are even if XDG_CACHE_HOME says otherwise.
func goEnv(t *testing.T) []string {
	t.Helper()
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "MAILBLAST_") && !strings.HasPrefix(v, "CLICOLOR") {
			env = append(env, v)
		}
	}
	return append(env, "GOCACHE="+strings.TrimSpace(string(cache)))
}

// masked leaves out times, and the spaces that grow and shrink with them.
func masked(s string) string {
	s = regexp.MustCompile(`\d+(\.\d+)?m?s\b`).ReplaceAllString(s, "TIME")
	s = regexp.MustCompile(`~/.*/mailblast/captured`).ReplaceAllString(s, "CACHE/mailblast/captured")
	return regexp.MustCompile(` +`).ReplaceAllString(s, " ")
}

// cleanClone gives the repository as whoever clones it gets it; from an archive of it, the files that are there.
func cleanClone(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mailblast")
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, ".git")); errors.Is(err, fs.ErrNotExist) {
		if err := os.CopyFS(dir, os.DirFS(root)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	git := need(t, "git", "git")
	if b, err := exec.Command(git, "clone", "-q", "--depth", "1", "file://"+root, dir).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, b)
	}
	return dir
}
