package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// A run that was never begun and is not due is refused before anything is written: a mistyped key is nobody's second letter.
func TestRunKey(t *testing.T) {
	t.Parallel()
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	way := fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", peer.Port())
	s := newSending(t, map[string]string{
		"campaign.yaml": campaignHead + way, "list.csv": list("ana@x.test", "bob@x.test"),
		"weekly.yaml": strings.ReplaceAll(campaignHead, "name: lab", "name: weekly") + "repeat: weekly\n" + way,
	})
	accepted := func(n int) {
		t.Helper()
		if got := peer.Accepted(); got != n {
			t.Fatalf("%d letters were accepted, want %d", got, n)
		}
	}
	for _, args := range [][]string{{"--run", "nope"}, {"--run", "nope", "-n"}, {"--run", "nope", "--test", "me@x.test"}, {"--run", "nope", "--again=lab"}} {
		s.run(append([]string{"send"}, args...)...).exits(exitNoInput).says("lab has no run nope: it has none with a key. Nothing was sent", "use: --again=lab")
	}
	if _, err := os.Stat(filepath.Join(s.dir, ".mailblast")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a state directory was made: %v", err)
	}
	s.run("send").exits(exitOK)
	accepted(2)
	s.run("send", "--run", "nope").exits(exitNoInput)
	s.run("send", "--run", "once").exits(exitNoInput)
	accepted(2)

	s.runs(journal.Spec{Campaign: "weekly", Key: "2026-W08"}, journal.Spec{Campaign: "weekly", Key: "2026-W09"})
	s.run("send", "weekly.yaml", "--run", "2026-W80").exits(exitNoInput).
		says("weekly has no run 2026-W80: it has 2026-W09, 2026-W08. Nothing was sent", `did you mean "2026-W08"?`)
	s.run("send", "weekly.yaml", "--run", "2026-w08").exits(exitNoInput).says(`did you mean "2026-W08"?`)
	s.run("send", "weekly.yaml", "--run", "weekly/2026-W09").exits(exitNoInput).says(`did you mean "2026-W09"?`)
	s.run("send", "weekly.yaml", "--run", "2026-W80", "--again=weekly").exits(exitNoInput)
	accepted(2)
	year, week := time.Now().UTC().ISOWeek() // the one that is due may be named as well
	s.run("send", "weekly.yaml", "-n", "--run", fmt.Sprintf("%d-W%02d", year, week)).exits(exitOK)
	for range 2 {
		s.run("send", "weekly.yaml", "--run", "2026-W08").exits(exitOK)
		accepted(4)
	}
}

// runs begins runs in the state directory, and sends nothing by them.
func (s *sending) runs(specs ...journal.Spec) {
	s.t.Helper()
	book, err := journal.Open(s.t.Context(), journal.Options{Dir: filepath.Join(s.dir, ".mailblast")})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, spec := range specs {
		run, err := book.Begin(s.t.Context(), spec)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := run.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := book.Close(); err != nil {
		s.t.Fatal(err)
	}
}
