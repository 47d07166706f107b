package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// A rehearsal goes to its capture server and to nobody else: no mail server is dialled, no name is looked up, nothing else is
// connected to. The name server and the mail servers say so, which needs nothing but Go; and, where it can be had, so does the system:
// strace, which is shown to see mail that does leave. TestFaultRehearsalStaysHere has what this has not: a list from a database, which
// alone may be reached as well, and a way out with a login.
func TestRehearsalStaysHere(t *testing.T) {
	t.Parallel()
	l := newLab(t, "a.test. MX 10 mx.a.test.", "mx.a.test. A 127.0.0.2", "relay.test. A 127.0.0.2", "acme.test. A 127.0.0.2")
	mx := l.peer(2, smtptest.Options{})
	s := newSending(t, map[string]string{
		"list.csv":    list("jo@a.test", "bo@a.test"),
		"direct.yaml": campaignHead + l.direct(),
		"relay.yaml":  strings.ReplaceAll(campaignHead, "name: lab", "name: relay") + fmt.Sprintf("smtp: {host: relay.test, port: %d, tls: none}\nfallback: {host: 127.0.0.2, port: %d, tls: none}\n", l.port, l.port),
	})
	s.run("send", "-n", "direct.yaml").exits(exitOK)
	s.run("send", "-n=letters", "relay.yaml").exits(exitOK)
	if n, _, _ := mx.Connections(); n > 0 || len(l.questions()) > 0 {
		t.Fatalf("%d connections to mail servers, questions %v", n, l.questions())
	}
	t.Run("witness", func(t *testing.T) {
		needTracing(t)
		s.witnessed(t, l, mx)
	})
}

// witnessed has the system say whom rehearsals connect to, and, so that its word is worth something, whom real mail goes to.
func (s *sending) witnessed(t *testing.T, l *lab, mx *smtptest.Peer) {
	for name, args := range map[string][]string{"direct": {"send", "-n", "direct.yaml"}, "relay": {"send", "-n", "relay.yaml"}} {
		if connected := s.connections(args...); len(connected) != 1 || !strings.HasPrefix(connected[0], "127.0.0.1:") {
			t.Errorf("%s: it connected to %q", name, connected)
		}
	}
	if n, _, _ := mx.Connections(); n > 0 || len(l.questions()) > 0 {
		t.Fatalf("%d connections to mail servers, questions %v", n, l.questions())
	}
	connected := s.connections("send", "direct.yaml")
	if n, _, _ := mx.Connections(); !slices.Contains(connected, l.dns) || !slices.Contains(connected, fmt.Sprintf("127.0.0.2:%d", l.port)) || n == 0 {
		t.Errorf("the trace is not whole: %q", connected)
	}
}

var connecting = regexp.MustCompile(`(?:connect|sendto|sendmsg)\(.*?(sin6?_port=htons\((\d+)\).*?"([^"]+)"|sun_path="?([^"},]+))`)

// connections runs a command and gives whom it connected or wrote to, each once.
func (s *sending) connections(args ...string) []string {
	s.t.Helper()
	out := filepath.Join(s.t.TempDir(), "trace")
	defer func(was []string) { s.wrap = was }(s.wrap)
	s.wrap = []string{"strace", "-f", "--seccomp-bpf", "-e", "signal=none", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", out}
	s.run(args...).exits(exitOK)
	b, err := os.ReadFile(out)
	if err != nil {
		s.t.Fatal(err)
	}
	whom := []string{}
	for _, m := range connecting.FindAllStringSubmatch(string(b), -1) {
		to := m[3] + ":" + m[2] + m[4]
		if !slices.Contains(whom, to) {
			whom = append(whom, to)
		}
	}
	return whom
}
