package smtptest

import "strings"

func (s *session) clear() {
	s.mail, s.from, s.to = false, "", nil
	s.data.Reset()
}

func (s *session) mailFrom(arg string) error {
	switch {
	case s.p.o.User != "" && !s.authed:
		return s.say("530 5.7.0 log in first")
	case s.mail:
		return s.say("503 5.5.1 nested MAIL")
	}
	s.clear()
	s.mail, s.from = true, address(arg)
	return s.say("250 2.1.0 sender ok")
}

func (s *session) rcptTo(arg string) error {
	if !s.mail {
		return s.say("503 5.5.1 MAIL first")
	}
	s.to = append(s.to, address(arg))
	return s.say("250 2.1.5 recipient ok")
}

func (s *session) dataGo() error {
	if !s.mail || len(s.to) == 0 {
		return s.say("554 5.5.1 no valid recipients")
	}
	if err := s.say("354 go ahead"); err != nil {
		return err
	}
	return s.body()
}

// body reads a message to its final dot.
func (s *session) body() error {
	s.data.Reset()
	if err := s.event("body", func() error { return nil }); err != nil {
		return err
	}
	keep := s.p.o.Data == nil || s.p.o.Data(s.from, s.to)
	for {
		line, err := s.br.ReadString('\n')
		if err != nil {
			return err
		}
		if line == ".\r\n" {
			break
		}
		s.watch.line(line)
		if keep {
			s.data.WriteString(strings.TrimPrefix(line, "."))
		}
	}
	s.watch.mail, s.watch.rcpt = false, false
	err := s.event("dot", func() error {
		s.accept()
		return s.say("250 2.0.0 queued")
	})
	s.clear()
	return err
}

func (s *session) accept() {
	s.p.keep(Message{Conn: s.n, From: s.from, To: s.to, Data: s.data.String(), TLS: s.tls})
}

// address takes what is between the angle brackets of "FROM:<a@b> SIZE=1".
func address(arg string) string {
	_, rest, _ := strings.Cut(arg, "<")
	a, _, _ := strings.Cut(rest, ">")
	return a
}
