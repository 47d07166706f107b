package cmd

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// littered makes a state directory with files by name.
func littered(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var (
	// litter is what may lie in a state directory: reports, letters, what a killed process left of a run, and other files.
	litter = map[string]string{
		"secret": "x", ".gitignore": "*", "schema.json": "{}", "journal.db": "x", "journal.db-wal": "x", "journal.runs": "x", "journal.ballast": "x",
		"secret.ABC.new": "x", "locks/lab.lock": "x", "letters/" + outMark: "x",
		"tmp/rows-1": "", "tmp/mailblast-capture-1/segment": "", "a.eml": "", "captured/b.EML": "", "one.mbox": "From mailblast Sat Nov 28 12:00:00 2026\nTo: x",
		"r.json": "{\n  \"v\": 1,\n  \"run\": \"lab\"", "events.jsonl": `{"v":1,"type":"plan","run":"lab"}`, "r.txt": "lab finished in 3s\n  sent    2   1%",
		"r.csv": "email,näme,state,error,smtp_code,enhanced_code,tried_at\na,b", "open.txt": "lab/w1 not finished, 3s so far\n  sent    2",
		"optouts.csv": "email,reason\na@b.example,x\n", "mine.json": `{"v": 1, "other": 2}`, "journal.damaged-1/journal.db": "x",
		"journal.repair/journal.db": "x", "journal.txt": "x", "people.new": "x", "tmp/other": "x",
		"reports/.mailblast.XECE5AI7JXVSOLOCIPR3Y2KQF7.new": "ana@acme.example: no such user",
	}
	reports = []string{"a.eml", "captured/b.EML", "events.jsonl", "one.mbox", "open.txt", "r.csv", "r.json", "r.txt", "tmp/other"}
	certain = []string{"journal.repair", "reports/.mailblast.XECE5AI7JXVSOLOCIPR3Y2KQF7.new", "tmp/mailblast-capture-1/segment", "tmp/rows-1"} // whoever the directory belongs to
	others  = []string{"journal.txt", "mine.json", "optouts.csv", "people.new"}
)

// What is left of files that nobody can judge is named, and what is known to hold nothing of people stays. Where the directory is
// not the state's alone, a letter or a report may be the user's own.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	own, shared := littered(t, filepath.Join(t.TempDir(), ".mailblast"), litter), littered(t, filepath.Join(t.TempDir(), "mail"), litter)
	campaign := littered(t, littered(t, filepath.Join(t.TempDir(), ".mailblast"), litter), map[string]string{defaultFile: "x"})
	link := filepath.Join(t.TempDir(), ".mailblast")
	if err := os.Symlink(own, link); err != nil {
		t.Fatal(err)
	}
	aside := []string{"journal.damaged-1"}
	sorted := func(parts ...[]string) []string { return slices.Sorted(slices.Values(slices.Concat(parts...))) }
	for _, c := range []struct {
		dir        string
		all        bool
		gone, left []string
	}{
		{own, false, sorted(certain, reports), sorted(others, aside)},
		{own, true, sorted(certain, reports, aside), others},
		{link, true, sorted(certain, reports, aside), others},
		{shared, false, certain, sorted(others, reports, aside)},
		{shared, true, sorted(certain, aside), sorted(others, reports)},
		{campaign, true, sorted(certain, aside), sorted(others, reports, []string{defaultFile})},
	} {
		got, alone, err := leftovers(c.dir, c.all)
		if err != nil || !slices.Equal(got, c.gone) || !slices.Equal(alone, c.left) {
			t.Errorf("%s, all %v: to be removed %q, left %q, %v", c.dir, c.all, got, alone, err)
		}
	}
}

// Whatever a run names in its directory of temporary files is known to be ours.
func TestTempNames(t *testing.T) {
	t.Parallel()
	pattern, seen := regexp.MustCompile(`(?:CreateTemp|MkdirTemp|unnamed)\([^"()\n]*, "([^"]+-)\*?"\)`), 0
	for _, root := range []string{"../composer", "../delivery"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(filepath.Dir(path), "test") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
				seen++
				name := "tmp/" + m[1] + "4711"
				if !tempNames.MatchString(name) && !tempNames.MatchString(name+"/file") && m[1] != "mailblast-journal-" { // of a rehearsal, elsewhere
					t.Errorf("%s: %s is not known to purge", path, m[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 9 {
		t.Errorf("only %d names were found", seen)
	}
	for _, name := range []string{"tmp/rows-2026.csv", "tmp/mine/rows-1", "rows-1", "tmp/rows-", "tmp/mailblast-capture-/x"} {
		if tempNames.MatchString(name) {
			t.Errorf("%s may be the user's own", name)
		}
	}
}

// The user's own files in the campaign's folder, which may be the state directory as well, are never removed without a word; what
// is removed is named, but for letters, whose names are addresses.
func TestPurgeSparesOwnFiles(t *testing.T) {
	t.Parallel()
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	smtp := fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", peer.Port())
	s := newSending(t, map[string]string{"campaign.yaml": campaignHead + smtp + "state: .\n", "list.csv": list("ana@x.test")})
	if err := os.Chmod(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.run("send").exits(exitOK)
	mine := map[string]string{"archive/contract.eml": "To: me", "lastweek.csv": "email,state,error,smtp_code,enhanced_code,tried_at\nx", "tmp/note": "x"}
	littered(t, s.dir, mine)
	littered(t, s.dir, map[string]string{"tmp/rows-1": "ana@x.test"})
	e := s.run("purge", "--yes").exits(exitOK)
	for _, words := range []string{"purged 1 run (1 delivery) and 1 file from", "removed: tmp/rows-1\n", "archive/*.eml (1), ", "lastweek.csv"} {
		if !strings.Contains(e.out, words) {
			t.Errorf("it does not say %q: %s", words, e.out)
		}
	}
	for name, text := range mine {
		if b, err := os.ReadFile(filepath.Join(s.dir, name)); err != nil || string(b) != text {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	own := littered(t, filepath.Join(s.dir, "own", ".mailblast"), map[string]string{"letters/1-ana@x.test.eml": "", "letters/2-bob@x.test.eml": "", "r.txt": litter["r.txt"]})
	s.run("send", "--state", own).exits(exitOK)
	if e := s.run("purge", "--yes", "--state", own).exits(exitOK); !strings.Contains(e.out, "and 3 files from") || !strings.Contains(e.out, "removed: letters/*.eml (2), r.txt\n") {
		t.Error(e.out)
	}
}
