package smtptest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// talk says lines to p and gives the replies, each multi-line one by its last line.
func talk(t *testing.T, p *Peer, lines ...string) (replies []string) {
	t.Helper()
	nc, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	br := bufio.NewReader(nc)
	for i := -1; i < len(lines); i++ {
		if i >= 0 {
			_, _ = fmt.Fprintf(nc, "%s\r\n", lines[i])
		}
		line, err := br.ReadString('\n')
		for err == nil && len(line) > 3 && line[3] == '-' {
			line, err = br.ReadString('\n')
		}
		replies = append(replies, strings.TrimSpace(line))
	}
	return replies
}

func TestWellBehaved(t *testing.T) {
	p := Start(t, Options{Addr: "127.0.0.1:0", Reply: func(verb, arg string) string {
		if verb == "RCPT" && strings.Contains(arg, "@gone.example") {
			return "550 5.1.1 gone"
		}
		return ""
	}})
	got := talk(t, p, "EHLO me", "DATA", "MAIL FROM:<a@b> SIZE=1", "RCPT TO:<x@gone.example>", "RCPT TO:<c@d>", "DATA", "..dot\r\n.", "QUIT")
	for i, code := range []string{"220", "250", "554", "250", "550", "250", "354", "250", "221"} {
		if !strings.HasPrefix(got[i], code) {
			t.Errorf("reply %d: %q, want %s", i, got[i], code)
		}
	}
	ms := p.Messages()
	if len(ms) != 1 || ms[0].From != "a@b" || strings.Join(ms[0].To, " ") != "c@d" || ms[0].Data != ".dot\r\n" {
		t.Errorf("%+v", ms)
	}
	if p.Count("RCPT") != 2 || p.Commands()[0] != "1 EHLO me" {
		t.Errorf("%q", p.Commands())
	}
}

func TestScriptsGoByConnectionAndCount(t *testing.T) {
	p := Start(t, Options{Addr: "127.0.0.1:0", Scripts: []string{"noop#2: 421 twice; drop", "connect: 554 no; drop"}})
	if got := talk(t, p, "NOOP", "NOOP", "NOOP"); got[1] != "250 2.0.0 ok" || got[2] != "421 twice" || got[3] != "" {
		t.Errorf("%q", got)
	}
	for range 2 {
		if got := talk(t, p); got[0] != "554 no" {
			t.Errorf("%q", got)
		}
	}
}

func TestBadScripts(t *testing.T) {
	for _, s := range []string{"nothing", "mail: dance", "mail#x: drop", "mail: wait long", "mail: raw x"} {
		if _, err := parse(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}
