package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// servers are what suites talk to beyond Go, and how each is had.
var servers = []struct{ suite, program, install string }{
	{"recipients from PostgreSQL", "/usr/lib/postgresql/*/bin/initdb", "install postgresql, or set MAILBLAST_TEST_POSTGRES=postgres://…"},
	{"a relay with STARTTLS and SASL", "/usr/sbin/postfix", "install postfix, and be root"},
	{"a relay with STARTTLS and SASL", "/usr/sbin/saslpasswd2", "install sasl2-bin"},
	{"a dry run into MailDev", "maildev", "npm install -g maildev"},
	{"letters read by Python's strict parser", "python3", "install python3"},
	{"letters read by mailparser", "mailparser", "npm install mailparser@3, with its folder in NODE_PATH"},
	{"letters read by postal-mime", "postal-mime", "npm install postal-mime@2, with its folder in NODE_PATH"},
	{"letters read by Perl's Email::MIME", "/usr/share/perl5/Email/MIME.pm", "install libemail-mime-perl"},
	{"letters judged by SpamAssassin", "spamassassin", "install spamassassin"},
	{"syncs before dots, kills at single system calls, disks that fail", "strace", "install strace (Linux)"},
	{"disks that are full or read-only", "nsenter", "install util-linux (Linux)"},
	{"pages of the starter campaigns", "chromium", "install chromium"},
}

// A newcomer needs Go only, and is told which suites were left out and how to run them. go test shows nothing of tests that
// pass, so the word goes to its own standard error where that can be reached. With CI=true nothing may be missing.
func TestLeftOut(t *testing.T) {
	var out []string
	for _, s := range servers {
		if !there(s.program) {
			out = append(out, fmt.Sprintf("left out: %s (%s)", s.suite, s.install))
		}
	}
	if len(out) == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("missing with CI=true:\n" + strings.Join(out, "\n"))
	}
	text := strings.Join(out, "\n") + "\ndocs/hacking.md tells more\n"
	t.Log(text)
	if f, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/2", os.Getppid()), os.O_WRONLY|os.O_APPEND, 0); err == nil {
		fmt.Fprint(f, text)
		_ = f.Close()
	}
}

// there tells whether a program is in PATH, is a module of npm, or matches a pattern.
func there(program string) bool {
	if strings.Contains(program, "initdb") && os.Getenv("MAILBLAST_TEST_POSTGRES") != "" {
		return true
	}
	if _, err := exec.LookPath(filepath.Base(program)); err == nil {
		return true
	}
	if nodeModules(program) != "" {
		return true
	}
	found, _ := filepath.Glob(program)
	return len(found) > 0
}
