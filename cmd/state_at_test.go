package cmd

import (
	"net/url"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/composer/rows/pgtest"
)

// A state that is faulty, or has a password where it does not belong, ends every command with 64, and nothing secret of it is said:
// not even what a URL's parser takes for its host.
func TestStateSecret(t *testing.T) {
	t.Parallel()
	const hush = "HUSH"
	commands := [][]string{
		{"status"}, {"status", "--json"}, {"status", "hello"}, {"report"}, {"report", "-o", "json"}, {"report", "-o", "csv"}, {"send", "-y"}, {"send", "-n", "--json"},
		{"check"}, {"check", "--json"}, {"preview"}, {"suppress", "list"}, {"suppress", "add", "jo@acme.example"}, {"purge", "hello", "--yes"},
		{"journal", "check"}, {"journal", "export"}, {"journal", "repair", "--yes"},
	}
	for _, c := range []struct {
		state       string
		flag, byEnv bool // where it is refused
		says        string
	}{
		{"postgres://u:12/HUSH@h.example/db", true, true, "it is no URL such as"},
		{"postgres://u:12?HUSH@h.example/db", true, true, "it is no URL such as"},
		{"postgres://u:12#HUSH@h.example/db", true, true, "it is no URL such as"},
		{"postgres://u:HU%SH HUSH@h.example/db", true, true, "it is no URL such as"},
		{"postgres://u:HUSH/x@h.example/db", true, true, "it is no URL such as"},
		{"postgresql:u:HUSH@h.example/db", true, true, "it is no URL such as"},
		{"postgres:/u:HUSH@h.example/db", true, true, "it is no URL such as"},
		{"u:HUSH@postgres://h.example/db", true, true, "it is no URL such as"},
		{"host=h.example user=u password=HUSH", true, true, "it is no URL such as"},
		{"Postgres://u:HUSH@h.example/db", true, true, ":// is no place for it"},
		{"mysql://u:HUSH@h.example/db", true, true, "mysql:// is no place for it"},
		{"postgres://u@h.example/db?password=HUSH;x", true, true, "it is no URL such as"},
		{"postgres://u:HUSH@h.example/db?sslmode=HUSH", true, true, "it is no valid PostgreSQL URL"},
		{"postgres://u:HUSH@h.example/db?connect_timeout=HUSH", true, true, "it is no valid PostgreSQL URL"},
		{"postgres://u:HUSH@h.example/db", true, false, "a password has no place on a command line"},
		{" postgres://u:HUSH@h.example/db", true, false, "a password has no place on a command line"},
		{"postgres://u@h.example/db?password=HUSH", true, false, "a password has no place on a command line"},
		{"postgres://u@h.example/db?sslpassword=HUSH", true, false, "a password has no place on a command line"},
	} {
		for _, command := range commands {
			for called, refused := range map[string]bool{"MAILBLAST_STATE": c.byEnv, "--state": c.flag} {
				if !refused {
					continue
				}
				args, vars := command, map[string]string{called: c.state}
				if called == "--state" {
					args, vars = append([]string{"--state", c.state}, command...), nil
				}
				code, out, err := ran(args, vars)
				if said := out + err; code != exitUsage || !strings.Contains(said, called+": ") || !strings.Contains(said, c.says) || !strings.Contains(err, "hint: ") {
					t.Fatalf("%s %q, %q: exit code %d\n%s", called, c.state, command, code, said)
				} else if strings.Contains(said, hush) || strings.Contains(said, "u:") || strings.Contains(said, "h.example") {
					t.Errorf("%s %q, %q says\n%s", called, c.state, command, said)
				}
			}
		}
	}
}

// A server that lets nobody in is told of without the passwords that its URL has.
func TestStateSecretRefused(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("no_such_role", "HUSH")
	q := u.Query()
	q.Set("sslpassword", "HUSH")
	u.RawQuery = q.Encode()
	vars := map[string]string{"MAILBLAST_STATE": u.String()}
	for _, command := range [][]string{
		{"status"}, {"status", "--json"}, {"report", "-o", "json"}, {"suppress", "list"}, {"purge", "hello", "--yes"}, {"journal", "check"}, {"journal", "export"},
	} {
		code, out, err := ran(command, vars)
		if said := out + err; code != exitDenied || !strings.Contains(said, "no_such_role@"+u.Host) || strings.Contains(said, "HUSH") {
			t.Errorf("%q: exit code %d\n%s", command, code, said)
		}
	}
}

// A lock is called by the schema and the campaign, however the server is reached.
func TestLockName(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://db.example/mail":                                     "state mailblast spring",
		"postgres://ana:p@10.0.0.1:5433/mail?sslmode=disable":            "state mailblast spring",
		"postgres://db.example/mail?search_path=mailblast":               "state mailblast spring",
		"postgres://db.example/mail?search_path=":                        "state mailblast spring",
		"postgres://db.example/mail?search_path=autumn":                  "state autumn spring",
		"postgres://db.example/mail?search_path=%22Autumn%22%20,%20more": "state Autumn spring",
	} {
		at := stateAt{server: campaign.NewSecret(dsn)}
		if got := at.lockName("spring"); got != want {
			t.Errorf("%s: %q, want %q", dsn, got, want)
		}
	}
}
