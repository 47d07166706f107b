package conn

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/panicked"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
)

// scripted is a connection whose server says all it has to say at once, and whose client's lines are kept.
type scripted struct {
	net.Conn
	in  *bytes.Reader
	out bytes.Buffer
}

func (s *scripted) Read(p []byte) (int, error)       { return s.in.Read(p) }
func (s *scripted) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }
func (s *scripted) SetDeadline(time.Time) error      { return nil }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 25} }

// login logs in to a server that says these octets.
func login(t *testing.T, mechanism, user, password, said string) (c *Conn, f *fault.Fault, lines []string) {
	t.Helper()
	raw := &scripted{in: bytes.NewReader([]byte(said))}
	o := &Options{Hello: "me.example", InsecureAuth: true, Gate: new(Gate), Timeouts: Timeouts{}.WithDefaults(),
		Auth: &Auth{Mechanism: mechanism, User: user, Password: func(context.Context) (string, error) { return password, nil }}}
	c = New(raw, "mx.example", route.Hop{Host: "mx.example"}, o)
	c.Bind(t.Context())
	defer c.Unbind()
	c.Ext.Auth = []string{"PLAIN", "LOGIN", "XOAUTH2"}
	f = c.login(t.Context())
	if f == nil { // what is said to a later command
		r, broke := c.Ask(delivery.StageMail, time.Minute, "MAIL FROM:<a@b.example>")
		if f = broke; f == nil {
			f = c.Said(delivery.StageMail, r)
		}
	}
	for line := range strings.Lines(raw.out.String()) {
		lines = append(lines, line)
	}
	return c, f, lines
}

// A server that says our login again in its reply does not get it into a log.
func TestEchoedLoginIsMasked(t *testing.T) {
	for _, password := range []string{"hunter2", `qu"ote\s and space`, "päßwörd-€", "tab\tand\x1bescape", "x", strings.Repeat("longtoken.", 300)} {
		b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
		plain, bearer := b64("\x00ana\x00"+password), b64("user=ana\x01auth=Bearer "+password+"\x01\x01")
		for mechanism, echoes := range map[string][]string{
			"PLAIN": {
				"535 5.7.8 bad login: AUTH PLAIN " + plain + "\r\n", "535 5.7.8 no user ana with password " + password + "\r\n",
				"535-5.7.8 you said\r\n535-" + plain + "\r\n535 " + b64(password) + "\r\n", "AUTH PLAIN " + plain + " is what?\r\n", password + "\r\n",
				"454 " + strings.Repeat("x", 990) + plain + "\r\n", "235 welcome\r\n550 5.7.1 ana:" + password + "@mx\r\n", "235 welcome\r\n550 " + plain + "\r\n",
			},
			"LOGIN":   {"334 \r\n334 \r\n535 " + b64(password) + "\r\n", "334 \r\n334 \r\n535 ana/" + password + "\r\n", "504 " + b64(password) + " unknown\r\n"},
			"XOAUTH2": {"334 " + bearer + "\r\n535 " + bearer + "\r\n", "535 token " + password + " is over\r\n"},
		} {
			for _, echo := range echoes {
				_, f, _ := login(t, mechanism, "ana", password, echo)
				if f == nil {
					t.Fatalf("%.80q: no fault", echo)
				}
				if leak := leaked(f.Text, password); leak != "" && len(password) > shortest {
					t.Errorf("%s %.20q, %.80q: %.200q tells %q", mechanism, password, echo, f.Text, leak)
				}
				if !utf8.ValidString(f.Text) || !strings.Contains(f.Text, masked) && len(password) > shortest {
					t.Errorf("%s %.20q, %.80q: %.200q", mechanism, password, echo, f.Text)
				}
			}
		}
	}
}

// leaked finds a part of a password, as it is or in base64, that a text tells.
func leaked(text, password string) string {
	n := min(telling, len(password))
	for _, s := range []string{password, encode(password), encode("\x00ana\x00" + password)[8:], encode("user=ana\x01auth=Bearer " + password)[28:]} {
		for i := 0; i+n <= len(s); i++ {
			if strings.Contains(text, s[i:i+n]) {
				return s[i : i+n]
			}
		}
	}
	return ""
}

// What has nothing of the login in it is shown as it was said.
func TestMaskLeavesTheRest(t *testing.T) {
	for text, password := range map[string]string{
		"5.7.8 Error: authentication failed": "hunter22", "mailbox full": "box", "no such user here, über": "überall",
	} {
		m := newMask(password, encode("\x00ana\x00"+password))
		if got := m.hide(text); len(password) >= telling && got != text {
			t.Errorf("%q became %q", text, got)
		}
		if m.whole(text) {
			t.Errorf("%q holds %q", text, password)
		}
	}
}

// FuzzLogin is any server at a login: the client says AUTH and base64, no more lines than there are challenges allowed, and
// tells nothing of the password.
func FuzzLogin(f *testing.F) {
	for _, said := range []string{
		"235 ok\r\n250 ok\r\n", "334 \r\n334 \r\n235 ok\r\n", "535 no\r\n", "334 x\r\n334 \r\n334 \r\n334 \r\n334 \r\n334 \r\n", "334-a\r\n334 b\r\n", "",
		"454 later\r\n", "334 \x00\r\n235\r\n", "23\r\n", "250 ok\r\n", "535 AGFuYQBodW50ZXIyLXNlY3JldA==\r\n", "235 ok\r\n550 hunter2-secret\r\n", "334\n334\n235\n",
	} {
		for n := range 3 {
			f.Add(n, "hunter2-secret", []byte(said))
		}
	}
	f.Fuzz(func(t *testing.T, n int, password string, said []byte) {
		mechanism := []string{"PLAIN", "LOGIN", "XOAUTH2"}[uint(n)%3]
		c, fault, lines := login(t, mechanism, "ana", password, string(said))
		logins := lines
		if c.Login != "" {
			logins = lines[:len(lines)-1]
		}
		if len(logins) > 2+maxChallenges {
			t.Errorf("%d lines: %q", len(lines), lines)
		}
		for i, line := range logins {
			word, ok := strings.CutSuffix(line, "\r\n")
			if word, found := strings.CutPrefix(word, "AUTH "+mechanism); found != (i == 0) {
				t.Errorf("line %d is %q", i, line)
			} else if i == 0 {
				line = strings.TrimPrefix(word, " ")
			} else {
				line = word
			}
			if _, err := base64.StdEncoding.DecodeString(line); err != nil || !ok {
				t.Errorf("line %d is no base64: %q", i, line)
			}
		}
		if fault == nil {
			return
		}
		if !utf8.ValidString(fault.Text) || strings.ContainsFunc(fault.Text, func(r rune) bool { return r < ' ' }) {
			t.Errorf("%q", fault.Text)
		}
		// Short ones, and those of few different characters, are in any text.
		if len(password) >= 12 && utf8.ValidString(password) && strings.Contains(fault.Text, password) {
			t.Errorf("%q tells %q", fault.Text, password)
		}
	})
}

// trap is a connection that panics when a login is written to it.
type trap struct{ scripted }

func (c *trap) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("AUTH")) {
		panic("cannot log in")
	}
	return c.scripted.Write(p)
}

// A panic in mid-login is nobody's verdict on the password, and nobody waits for one: whoever has waited logs in.
func TestFaultPanicWhileLoggingIn(t *testing.T) {
	o := &Options{Hello: "me.example", InsecureAuth: true, Gate: new(Gate), Timeouts: Timeouts{}.WithDefaults(),
		Auth: &Auth{Mechanism: "PLAIN", User: "ana", Password: func(context.Context) (string, error) { return "secret", nil }}}
	try := func(raw net.Conn) (f *fault.Fault, err error) {
		defer panicked.Contain(&err)
		c := New(raw, "mx.example", route.Hop{Host: "mx.example"}, o)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c.Bind(ctx)
		defer c.Unbind()
		c.Ext.Auth = []string{"PLAIN"}
		return c.login(ctx), nil
	}
	for round := range 2 * provenLogins { // more than may be under way
		var p *panicked.Error
		if f, err := try(&trap{}); !errors.As(err, &p) {
			t.Fatalf("round %d: %v, %v", round, f, err)
		}
	}
	if o.Gate.proven {
		t.Error("a panic counts as a login that worked")
	}
	for range 2 {
		if f, err := try(&scripted{in: bytes.NewReader([]byte("235 2.7.0 welcome\r\n"))}); f != nil || err != nil {
			t.Fatalf("after the panics: %v, %v", f, err)
		}
	}
	t.Attr("fault", "R21 panic in mid-login")
	t.Attr("expected", "that connection fails, the others log in")
	t.Attr("seen", "after four panics the next two logins came through")
}
