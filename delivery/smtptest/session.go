package smtptest

import (
	"bufio"
	"errors"
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
	watch watch
	hello *strings.Builder // collects the reply to EHLO

	tls    bool
	authed bool
	from   string
	mail   bool
	to     []string
	data   strings.Builder
}

func newSession(p *Peer, nc net.Conn, n int) *session {
	s := &session{p: p, n: n, raw: nc, nc: nc, br: bufio.NewReaderSize(nc, 64<<10), seen: map[string]int{}, watch: watch{p: p, n: n}}
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
		more := s.br.Buffered() > 0
		s.watch.command(line, more)
		line = strings.TrimRight(line, "\r\n")
		s.p.log(s.n, line, more)
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
		return s.repeat(a.text+"\r\n", a.n)
	case "blow":
		return s.repeat("x", a.n)
	case "wait":
		s.sleep(a.d)
		return nil
	case "hold":
		s.p.hold()
		return nil
	case "skip":
		return s.skip(a.n)
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

// repeat writes text n times, in pieces, so that the peer's own memory stays flat.
func (s *session) repeat(text string, n int) error {
	each := max(4096/len(text), 1)
	piece := strings.Repeat(text, each)
	for ; n > 0; n -= each {
		if err := s.write(piece[:min(n, each)*len(text)]); err != nil {
			return err
		}
	}
	return nil
}

// skip reads n octets and none beyond them: those stay unread, and a connection in memory tells its client so.
func (s *session) skip(n int) error {
	held, err := s.br.Discard(min(n, s.br.Buffered()))
	if err == nil && n > held {
		_, err = io.CopyN(io.Discard, s.nc, int64(n-held))
	}
	return err
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
	s.watch.told(text)
	if s.hello != nil && s.hello.Len() < 64<<10 {
		s.hello.WriteString(text)
	}
	_, err := io.WriteString(s.nc, text)
	return err
}

func (s *session) command(line string) error {
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	if s.p.o.Latency > 0 && s.br.Buffered() == 0 {
		s.sleep(s.p.o.Latency)
	}
	if verb == "EHLO" || verb == "HELO" {
		s.hello = new(strings.Builder)
		defer func() {
			s.watch.offers(s.hello.String())
			s.hello = nil
		}()
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
