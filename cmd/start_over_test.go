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
	remove := func() {
		t.Helper()
		if err := os.Remove(filepath.Join(state, "journal.db")); err != nil {
			t.Fatal(err)
		}
	}
	remove()
	s.startsOver(state, peer, 2, "journal.db is missing", "The suppression list is lost with it")

	remove()
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
	s.startsOver(state, peer, 4, "knows nothing of runs here: lab", "a journal that was here before is not on it any more")
}

// startsOver says no to the plan, and then yes, after a journal was lost by which n letters went.
func (s *sending) startsOver(state string, peer *smtptest.Peer, n int, words ...string) {
	s.t.Helper()
	before := s.kept(state)
	for range 2 {
		s.onTerminal("yes\nno\n", "send").exits(exitRefused).says(append(words, "Begin anew all the same? Type yes", "Send to 2 people? Type yes", "not sent, as you said")...)
		if after := s.kept(state); after != before {
			s.t.Errorf("the state was changed:\n%s\n%s", before, after)
		}
		s.run("send").exits(exitRefused).says(words[0])
	}
	if got := peer.Accepted(); got != n {
		s.t.Fatalf("%d letters were accepted, want %d", got, n)
	}
	s.onTerminal("yes\nyes\n", "send").exits(exitOK)
	s.run("send").exits(exitOK)
	if got := peer.Accepted(); got != n+2 {
		s.t.Fatalf("%d letters were accepted, want %d", got, n+2)
	}
	s.counts(2, 0, 0, 0)
}

// kept is what the state directory has of journals: their names, and the list of runs.
func (s *sending) kept(state string) string {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(state, "journal.*"))
	if err != nil {
		s.t.Fatal(err)
	}
	runs, err := os.ReadFile(filepath.Join(state, "journal.runs"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(files, "\n") + "\n" + string(runs)
}
