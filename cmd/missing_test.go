package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// suggested is a command that a hint ends with.
var suggested = regexp.MustCompile(`(?m)^hint: .*mailblast ((?:journal|send|status|report|suppress|purge)[a-z -]*)$`)

// Whichever of the journal's files are gone, each hint leads on: to a command that works, or to a backup and, on a terminal, a new
// beginning. None leads in a circle, and nobody gets a second letter unasked.
func TestMissingFiles(t *testing.T) {
	t.Parallel()
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	s := newSending(t, map[string]string{
		"campaign.yaml": campaignHead + fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", peer.Port()), "list.csv": list("ana@x.test", "bob@x.test"),
	})
	s.run("send").exits(exitOK)
	letters := peer.Accepted()
	for _, c := range []struct {
		gone string // of journal.db, .runs, .mark; +wal is a write-ahead log without its file, +rot an unreadable journal.db
		ends string // what the way ends with
	}{
		{"", "works"}, {"mark", "works"}, {"runs", "works"}, {"runs mark", "works"},
		{"db", "repaired"}, {"db mark", "repaired"}, {"db +wal", "repaired"}, {"db mark +wal", "repaired"}, {"db +rot", "repaired"},
		{"db runs", "anew"}, {"db runs +wal", "anew"}, {"db runs mark +wal", "anew"},
		{"db runs +rot", "elsewhere"}, {"db runs mark +rot", "elsewhere"},
	} {
		for _, first := range []string{"send", "status", "journal check"} {
			state := s.without(t, c.gone)
			if ends := s.follow(t, state, first); ends != c.ends {
				t.Errorf("without %q, %s ends with %s, want %s", c.gone, first, ends, c.ends)
			}
		}
	}
	if n := peer.Accepted(); n != letters {
		t.Errorf("%d letters more than once", n-letters)
	}
	for _, gone := range []string{"db runs", "db runs mark +wal"} {
		state := s.without(t, gone)
		s.onTerminal("no\n", "--state", state, "send").exits(exitRefused).says("but mail was sent from here before", "Begin anew all the same? Type yes")
		s.onTerminal("yes\nyes\n", "--state", state, "send").exits(exitOK)
		if ends := s.follow(t, state, "journal check"); ends != "works" {
			t.Errorf("after it began anew without %q: %s", gone, ends)
		}
	}
	if n := peer.Accepted(); n != 3*letters {
		t.Errorf("%d letters, want %d", n, 3*letters)
	}
}

// without copies the state directory without some of its files.
func (s *sending) without(t *testing.T, gone string) (state string) {
	t.Helper()
	state = filepath.Join(t.TempDir(), ".mailblast")
	if err := os.CopyFS(state, os.DirFS(filepath.Join(s.dir, ".mailblast"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(state, 0o700); err != nil {
		t.Fatal(err)
	}
	for what := range strings.FieldsSeq(gone) {
		var err error
		switch path := filepath.Join(state, "journal.db"); what {
		case "+wal":
			err = os.WriteFile(path+"-wal", []byte(strings.Repeat("what is left of a log ", 500)), 0o600)
		case "+rot":
			err = os.WriteFile(path, []byte(strings.Repeat("what is left of a file ", 500)), 0o600)
		default:
			err = os.Remove(filepath.Join(state, "journal."+what))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return state
}

// follow runs a command without a terminal, and whatever is suggested, until something works or nothing more is suggested.
func (s *sending) follow(t *testing.T, state, line string) string {
	t.Helper()
	way, repaired := []string{}, false
	for range 6 {
		way = append(way, line)
		args := append([]string{"--state", state}, strings.Fields(line)...)
		if line == "send" {
			args = append(args, filepath.Join(s.dir, "campaign.yaml"))
		}
		code, _, said := ran(args, nil)
		at := fmt.Sprintf("%q", way[1:])
		if len(way) == 1 {
			at = ""
		}
		switch next := suggested.FindStringSubmatch(strings.ReplaceAll(said, " --state "+state, "")); {
		case code == exitOK && repaired:
			return "repaired"
		case code == exitOK:
			return "works"
		case strings.Contains(said, "restore the state directory from a backup; without one, send on a terminal: it asks"):
			return "anew" + at // at once, or the way would be in vain
		case strings.Contains(said, "restore the state directory from a backup; without one, put journal.db elsewhere"):
			return "elsewhere"
		case next == nil:
			return fmt.Sprintf("%q: exit code %d, %s", way, code, said)
		default:
			line = next[1]
			repaired = repaired || line == "journal repair --yes"
		}
	}
	return fmt.Sprintf("a circle: %q", way)
}
