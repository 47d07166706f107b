package smtptest

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

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
	s.nc, s.tls, s.watch.greeted = tc, true, false
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
