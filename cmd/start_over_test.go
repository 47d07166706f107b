package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// Who begins anew and then does not want the plan has begun nothing: what runs unasked stays refused, until the last yes.
func TestStartOver(t *testing.T) {
	t.Parallel()
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	s := newSending(t, map[string]string{
		"campaign.yaml": campaignHead + fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", peer.Port()), "list.csv": list("ana@x.test", "bob@x.test"),
	})
	s.run("send").exits(exitOK)
	state := filepath.Join(s.dir, ".mailblast")
	if err := errors.Join(os.Remove(filepath.Join(state, "journal.db")), os.Remove(filepath.Join(state, "secret"))); err != nil {
		t.Fatal(err)
	}
	s.declines(state, "journal.db is missing", "The suppression list is lost with it")

	book, err := journal.Open(t.Context(), journal.Options{Dir: state, StartOver: true})
	if err == nil {
		var run *journal.Run
		if run, err = book.Begin(t.Context(), journal.Spec{Campaign: "other"}); err == nil {
			err = run.Close()
		}
		err = errors.Join(err, book.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	s.declines(state, "knows nothing of runs here: lab", "a journal that was here before is not on it any more")
	if got := peer.Accepted(); got != 2 {
		t.Fatalf("%d letters were accepted, want 2", got)
	}
	s.onTerminal("yes\nyes\n", "send").exits(exitOK)
	s.run("send").exits(exitOK)
	if got := peer.Accepted(); got != 4 {
		t.Fatalf("%d letters were accepted, want 4", got)
	}
	s.counts(2, 0, 0, 0)
}

// declines begins anew and says no to the plan.
func (s *sending) declines(state string, words ...string) {
	s.t.Helper()
	before := s.kept(state)
	s.onTerminal("yes\nno\n", "send").exits(exitRefused).says(append(words, "Begin anew all the same? Type yes", "Send to 2 people? Type yes", "not sent, as you said")...)
	if after := s.kept(state); after != before {
		s.t.Errorf("the state was changed:\n%s\n%s", before, after)
	}
	s.run("send").exits(exitRefused).says(words[0])
}

// kept is what the state directory has of journals, with the list of runs, and whether it has a secret.
func (s *sending) kept(state string) string {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(state, "journal.*"))
	if err != nil {
		s.t.Fatal(err)
	}
	secret, err := filepath.Glob(filepath.Join(state, "secret"))
	if err != nil {
		s.t.Fatal(err)
	}
	files = append(files, secret...)
	runs, err := os.ReadFile(filepath.Join(state, "journal.runs"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(files, "\n") + "\n" + string(runs)
}
