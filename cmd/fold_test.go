package cmd

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mattn/go-runewidth"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

func TestFold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"one two three", 0, "one two three"},
		{"one two three", 13, "one two three"},
		{"one two three", 12, "one two\n  three"},
		{"  one two three\nfour", 9, "  one two\n    three\nfour"},
		{"ünïcödé ☃ 日本語 done? ", 14, "ünïcödé ☃\n  日本語 done? "},
		{"averylongword and on", 5, "averylongword\n  and\n  on"},
		{"next: " + whole("mailblast journal repair --yes") + " or not", 20, "next:\n  mailblast journal repair --yes\n  or not"},
		{"", 5, ""},
	} {
		if got := fold(c.text, c.width); got != c.want {
			t.Errorf("fold(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

// prompting is a terminal's screen on which somebody waits for a question, to type an answer.
type prompting struct {
	mu       sync.Mutex
	b        bytes.Buffer
	question string
	answer   string
	in       io.WriteCloser
}

func (p *prompting) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.b.Write(b)
	if p.in != nil && strings.Contains(p.b.String(), p.question) {
		in := p.in
		p.in = nil
		go func() {
			_, _ = io.WriteString(in, p.answer)
			_ = in.Close()
		}()
	}
	return len(b), nil
}

func (p *prompting) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

// The questions before something is changed fit the terminal. Ctrl-C at one of them ends as an interrupt does, on a line of its own,
// and changes nothing.
func TestInterruptedQuestions(t *testing.T) {
	t.Parallel()
	const columns = 60
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	s := newSending(t, map[string]string{
		"campaign.yaml": campaignHead + fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", peer.Port()), "list.csv": list("ana@x.test", "bob@x.test"),
	})
	s.run("send").exits(exitOK)
	s.interrupts(columns, "Delete it for good? Type yes: ", "purge")
	if e := s.run("report", "-o", "csv"); !strings.Contains(e.out, "ana@x.test") {
		t.Errorf("it was purged: %s", e.out)
	}
	if err := os.Remove(filepath.Join(s.dir, ".mailblast", "journal.db")); err != nil {
		t.Fatal(err)
	}
	s.interrupts(columns, "Make a new journal of what is intact? Type yes: ", "journal", "repair")
	s.run("journal", "check").exits(exitIO)
	e := s.onNarrowTerminal(columns, strings.NewReader("yes\n"), new(bytes.Buffer), "journal", "repair").exits(exitOK)
	fits(t, e.out, columns)
}

// interrupts types Ctrl-C when a question is asked.
func (s *sending) interrupts(columns int, question string, args ...string) {
	s.t.Helper()
	in, typed := io.Pipe()
	e := s.onNarrowTerminal(columns, in, &prompting{question: question, answer: "\x03", in: typed}, args...).exits(exitInterrupted)
	if _, after, _ := strings.Cut(e.out, question); strings.TrimPrefix(after, "^C") != "\nmailblast: interrupted: nothing was changed\n" {
		s.t.Errorf("%q ends with %q", args, after)
	}
	fits(s.t, e.out, columns)
}

// fits makes sure that no line of prose is wider than the terminal; a command to be copied may be.
func fits(t *testing.T, said string, columns int) {
	t.Helper()
	for line := range strings.Lines(said) {
		if line = strings.TrimRight(line, "\n"); runewidth.StringWidth(line) > columns && !strings.HasPrefix(strings.TrimSpace(line), "mailblast ") && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("%d cells: %s", runewidth.StringWidth(line), line)
		}
	}
}
