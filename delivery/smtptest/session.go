package smtptest

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

var errClosed = errors.New("closed by the script")

// session is one connection.
type session struct {
	p     *Peer
	n     int
	raw   net.Conn
	nc    net.Conn
	br    *bufio.Reader
	rules []rule
	seen  map[string]int

	tls    bool
	authed bool
	from   string
	mail   bool
	to     []string
	data   strings.Builder
}

func newSession(p *Peer, nc net.Conn, n int) *session {
	s := &session{p: p, n: n, raw: nc, nc: nc, br: bufio.NewReaderSize(nc, 64<<10), seen: map[string]int{}}
	if k := len(p.scripts); k > 0 {
		s.rules = p.scripts[min(n, k)-1]
	}
	return s
}

func (s *session) serve() {
	if s.p.o.Implicit && s.startTLS() != nil {
		return
	}
	if s.event("connect", func() error { return s.say("220 fake.test ESMTP") }) != nil {
		return
	}
	for {
		line, err := s.br.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.p.log(s.n, line)
		if s.command(line) != nil {
			return
		}
	}
}

// event does what the script has for it, or else what is proper.
func (s *session) event(name string, proper func() error) error {
	s.seen[name]++
	for _, r := range s.rules {
		if r.event == name && (r.nth == 0 || r.nth == s.seen[name]) {
			return s.perform(r.actions, proper)
		}
	}
	return proper()
}

func (s *session) perform(actions []action, proper func() error) error {
	for _, a := range actions {
		if err := s.act(a, proper); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) act(a action, proper func() error) error {
	switch a.verb {
	case "say":
		return s.say(a.text)
	case "raw":
		return s.write(a.text)
	case "drip":
		for _, b := range []byte(a.text + "\r\n") {
			s.sleep(a.d)
			if err := s.write(string(b)); err != nil {
				return err
			}
		}
		return nil
	case "times":
		return s.write(strings.Repeat(a.text+"\r\n", a.n))
	case "blow":
		return s.write(strings.Repeat("x", a.n))
	case "wait":
		s.sleep(a.d)
		return nil
	case "skip":
		_, err := io.CopyN(io.Discard, s.br, int64(a.n))
		return err
	case "accept":
		s.accept()
		return nil
	case "ok":
		return proper()
	case "half":
		return s.half()
	}
	return s.end(a.verb)
}

func (s *session) end(verb string) error {
	switch verb {
	case "rst":
		if tc, ok := s.raw.(*net.TCPConn); ok {
			_ = tc.SetLinger(0)
		}
	case "hang":
		s.sleep(24 * time.Hour)
	}
	return errClosed
}

func (s *session) half() error {
	if tc, ok := s.raw.(*net.TCPConn); ok {
		return tc.CloseWrite()
	}
	return errClosed
}

// sleep waits, but not beyond the Peer's end: closing the connection is not seen by a sleeper.
func (s *session) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.p.ended:
	}
}

func (s *session) say(line string) error { return s.write(line + "\r\n") }

func (s *session) write(text string) error {
	_, err := io.WriteString(s.nc, text)
	return err
}

func (s *session) command(line string) error {
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	if s.p.o.Latency > 0 && s.br.Buffered() == 0 {
		s.sleep(s.p.o.Latency)
	}
	return s.event(strings.ToLower(verb), func() error {
		if s.p.o.Reply != nil {
			if r := s.p.o.Reply(verb, arg); r != "" {
				return s.say(r)
			}
		}
		return s.proper(verb, arg)
	})
}

func (s *session) proper(verb, arg string) error {
	switch verb {
	case "EHLO":
		return s.ehlo()
	case "HELO":
		return s.say("250 fake.test")
	case "STARTTLS":
		if s.p.o.TLS == nil || s.tls {
			return s.say("502 5.5.1 no")
		}
		if err := s.say("220 2.0.0 go ahead"); err != nil {
			return err
		}
		return s.startTLS()
	case "AUTH":
		return s.auth(arg)
	case "MAIL":
		return s.mailFrom(arg)
	case "RCPT":
		return s.rcptTo(arg)
	case "DATA":
		return s.dataGo()
	case "RSET":
		s.clear()
		return s.say("250 2.0.0 reset")
	case "NOOP":
		return s.say("250 2.0.0 ok")
	case "QUIT":
		_ = s.say("221 2.0.0 bye")
		return errClosed
	}
	return s.say("500 5.5.2 what?")
}

func (s *session) ehlo() error {
	ext := s.p.o.Extensions
	if ext == nil {
		ext = []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 26214400"}
	}
	if s.p.o.TLS != nil && !s.tls {
		ext = append([]string{"STARTTLS"}, ext...)
	}
	if s.p.o.User != "" {
		ext = append([]string{"AUTH PLAIN LOGIN XOAUTH2"}, ext...)
	}
	var b strings.Builder
	b.WriteString("250-fake.test\r\n")
	for _, e := range ext {
		b.WriteString("250-" + e + "\r\n")
	}
	b.WriteString("250 HELP\r\n")
	return s.write(b.String())
}

func (s *session) startTLS() error {
	tc := tls.Server(s.raw, s.p.o.TLS)
	_ = s.raw.SetDeadline(time.Now().Add(time.Hour))
	if err := tc.Handshake(); err != nil {
		return err
	}
	_ = s.raw.SetDeadline(time.Time{})
	s.nc, s.tls = tc, true
	s.br.Reset(tc)
	s.clear()
	return s.event("tls", func() error { return nil })
}

// auth takes PLAIN, LOGIN and XOAUTH2, with or without initial response.
func (s *session) auth(arg string) error {
	f := strings.Fields(arg)
	if len(f) == 0 {
		return s.say("501 5.5.4 no mechanism")
	}
	var said []string
	if len(f) > 1 {
		said = append(said, unbase64(f[1]))
	}
	need := 1
	if strings.EqualFold(f[0], "LOGIN") {
		need = 2
	}
	for len(said) < need {
		if err := s.say("334 "); err != nil {
			return err
		}
		line, err := s.br.ReadString('\n')
		if err != nil {
			return err
		}
		said = append(said, unbase64(strings.TrimRight(line, "\r\n")))
	}
	u, pw := s.p.o.User, s.p.o.Password
	switch got := strings.Join(said, "\x00"); got {
	case "\x00" + u + "\x00" + pw, u + "\x00" + pw, fmt.Sprintf("user=%s\x01auth=Bearer %s\x01\x01", u, pw):
		s.authed = true
		return s.say("235 2.7.0 welcome")
	}
	return s.say("535 5.7.8 bad credentials")
}

func unbase64(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "(no base64)"
	}
	return string(b)
}
