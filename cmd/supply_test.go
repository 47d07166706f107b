package cmd

import (
	"errors"
	goversion "go/version"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// leastGo is the first release without CVE-2025-61725, CVE-2026-39820 and CVE-2026-42499, by which addresses made to hurt took
// the parsers of Go's library all the time there was.
const leastGo = "go1.26.3"

func TestGoIsNewEnough(t *testing.T) {
	b, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(b)
	if m == nil || goversion.Compare("go"+string(m[1]), leastGo) < 0 {
		t.Errorf("go.mod demands Go %q, older than %s", m, leastGo)
	}
}

// The gate fails when a vulnerability was found, whatever words tell of it, and when the check itself fails; it passes, and
// warns, only where the database cannot be reached.
func TestVulnerabilitiesFailTheGate(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		lack(t, "bash")
	}
	for name, c := range map[string]struct {
		said string
		code int
		want bool // passes
		warn bool
	}{
		"nothing found":        {"No vulnerabilities found.", 0, true, false},
		"found":                {"Vulnerability #1: GO-2026-0001\n  A server's connection refused leads to no such host\nexit status 3", 1, false, false},
		"found, told by code":  {"=== Symbol Results ===\nconnection refused\nexit status 3", 1, false, false},
		"out of reach":         {"govulncheck: fetching vulnerabilities: Get \"https://vuln.example\": dial tcp: lookup vuln.example: no such host\nexit status 1", 1, true, true},
		"out of reach, silent": {"dial tcp 192.0.2.1:443: i/o timeout\nexit status 1", 1, true, true},
		"does not build":       {"a.go:1:1: expected 'package'\nexit status 1", 1, false, false},
	} {
		dir := t.TempDir()
		script := "#!/bin/sh\ncat \"$(dirname \"$0\")/said\"\nexit " + string(rune('0'+c.code)) + "\n"
		for file, text := range map[string]string{"go": script, "said": c.said + "\n"} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		gate := exec.Command("bash", "../.ci/vulncheck")
		gate.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
		out, err := gate.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if (err == nil) != c.want || strings.Contains(string(out), "warning:") != c.warn {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// Fuzzing goes through all packages, whatever was found in the first, with each target alone; and then fails, as it does when a
// package does not build or nothing was fuzzed at all.
func TestFuzzingGoesOn(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		lack(t, "bash")
	}
	const program = `#!/bin/sh
case "$*" in
*'list ./...'*) printf "$PACKAGES" ;;
*-list*' a') printf 'FuzzText\nFuzzTextPart\nok a 0.1s\n' ;;
*-list*' b') echo 'FAIL b [build failed]'; exit 1 ;;
*-list*' c') printf 'FuzzLast\nok c 0.1s\n' ;;
*-list*) echo 'no test files' ;;
*) echo "$*" >>"$LOG"; case "$*" in *"$FINDS"*) exit 1 ;; esac ;;
esac
`
	for _, c := range []struct {
		packages, finds string
		want            bool // passes
		fuzzed          string
	}{
		{`a\nc\nd\n`, "nothing", true, "FuzzText$ FuzzTextPart$ FuzzLast$"},
		{`a\nc\n`, "FuzzText$", false, "FuzzText$ FuzzTextPart$ FuzzLast$"},
		{`a\nb\nc\n`, "nothing", false, "FuzzText$ FuzzTextPart$ FuzzLast$"},
		{`d\n`, "nothing", false, ""},
	} {
		dir := t.TempDir()
		log := filepath.Join(dir, "log")
		if err := os.WriteFile(filepath.Join(dir, "go"), []byte(program), 0o700); err != nil {
			t.Fatal(err)
		}
		fuzz := exec.Command("bash", "../.ci/fuzz")
		fuzz.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "PACKAGES=" + c.packages, "FINDS=" + c.finds, "LOG=" + log, "FUZZTIME=7s"}
		out, err := fuzz.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		ran, _ := os.ReadFile(log) // none when nothing was fuzzed
		var fuzzed []string
		for _, m := range regexp.MustCompile(`-fuzz \^(\S+) -fuzztime 7s`).FindAllStringSubmatch(string(ran), -1) {
			fuzzed = append(fuzzed, m[1])
		}
		if (err == nil) != c.want || strings.Join(fuzzed, " ") != c.fuzzed {
			t.Errorf("%+v: %v, fuzzed %q\n%s", c, err, fuzzed, out)
		}
	}
}
