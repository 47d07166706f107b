package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// onTerminal runs the command on a terminal of its own, where somebody types lines. What it said is in out. No line is folded.
func (s *sending) onTerminal(lines string, args ...string) ended {
	s.t.Helper()
	return s.onNarrowTerminal(400, strings.NewReader(lines), new(bytes.Buffer), args...)
}

// display is what a terminal shows.
type display interface {
	io.Writer
	fmt.Stringer
}

// onNarrowTerminal is onTerminal for a terminal that many cells wide, on which somebody types what in gives.
func (s *sending) onNarrowTerminal(columns int, in io.Reader, out display, args ...string) ended {
	s.t.Helper()
	const spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
	sized := []string{"-c", spawn, "sh", "-c", fmt.Sprintf(`stty cols %d && exec "$@"`, columns), "sh", "mailblast"}
	c := exec.CommandContext(s.t.Context(), need(s.t, "python3", "python3"), append(sized, args...)...)
	c.Dir = s.dir
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TZ=UTC", "TERM=dumb", quickExit}, s.env...)
	c.Stdin, c.Stdout, c.Stderr = in, out, out
	e := ended{t: s.t}
	var exit *exec.ExitError
	if err := c.Run(); errors.As(err, &exit) {
		e.code = exit.ExitCode()
	} else if err != nil {
		s.t.Fatalf("mailblast %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	e.out = strings.ReplaceAll(out.String(), "\r\n", "\n")
	e.err = e.out
	return e
}

// A person is asked before what may mean a second copy: no is no, and changes nothing.
func TestAsked(t *testing.T) {
	t.Parallel()
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	s := newSending(t, map[string]string{
		"campaign.yaml": campaignHead + fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", peer.Port()), "list.csv": list("ana@x.test", "bob@x.test"),
	})
	accepted := func(n int) {
		t.Helper()
		if got := peer.Accepted(); got != n {
			t.Fatalf("%d letters were accepted, want %d", got, n)
		}
	}
	s.onTerminal("no\n", "send").exits(exitRefused).says("Send to 2 people? Type yes", "not sent, as you said")
	s.onTerminal("yes\n", "send").exits(exitOK)
	accepted(2)

	s.write("letter.txt", "Hello {{ .email }}, summer is here.\n")
	s.write("list.csv", list("ana@x.test", "bob@x.test", "cyd@x.test"))
	for range 2 { // who says no is told again
		s.onTerminal("no\n", "send").exits(exitRefused).says("the letter was changed: 2 have got it as it was before", "the list was changed after 2 have got the letter")
	}
	s.onTerminal("yes\n", "send").exits(exitOK)
	accepted(3)

	state := filepath.Join(s.dir, ".mailblast")
	file := filepath.Join(state, "journal.db")
	lost := filepath.Join(s.dir, "lost.db")
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(file, lost)
	s.onTerminal("no\n", "send", "-y").exits(exitRefused).says("journal.db is missing", "Begin anew all the same? Type yes", "not sent, as you said")
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a journal was made: %v", err)
	}
	move(lost, file)
	s.onTerminal("", "send").exits(exitOK)
	accepted(3)
	move(file, lost)
	s.onTerminal("yes\nyes\nyes\n", "send").exits(exitOK).says("Begin anew all the same? Type yes", "Send to 3 people? Type yes")
	accepted(6)

	// The state was used on another machine: it may be a copy.
	if installation() == "" {
		return // this machine cannot be told from others
	}
	book, err := journal.Open(t.Context(), journal.Options{Dir: state})
	if err == nil {
		var run *journal.Run
		if run, err = book.Begin(t.Context(), journal.Spec{Campaign: "other", Host: "0123456789abcdef laptop", Move: true}); err == nil {
			err = run.Close()
		}
		err = errors.Join(err, book.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	s.write("list.csv", list("ana@x.test", "dan@x.test"))
	s.run("send").exits(exitRefused).says("journal.db: last sent from the machine laptop, this is ", "hint: make sure that no copy")
	s.onTerminal("no\n", "send", "-y").exits(exitRefused).says("Go on from here? Type yes")
	s.onTerminal("yes\nno\n", "send").exits(exitRefused).says("Go on from here? Type yes", "Send to 1 person? Type yes", "not sent, as you said")
	s.run("send").exits(exitRefused).says("journal.db: last sent from the machine laptop, this is ")
	s.onTerminal("yes\n", "send", "-y").exits(exitOK)
	accepted(7)
	s.run("send").exits(exitOK)
}
