package capture

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/mailblast/mailblast/delivery/capture/refuse"
	"github.com/mailblast/mailblast/delivery/capture/store"
)

func (s *Server) smtpServer() *smtp.Server {
	ss := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{s: s, link: c.Conn().(*link)}, nil
	}))
	ss.Domain = "localhost"
	ss.EnableSMTPUTF8 = true
	ss.MaxMessageBytes = maxMessage
	ss.MaxRecipients = maxRcpt
	ss.AllowInsecureAuth = s.opts.User != ""
	ss.ReadTimeout = 5 * time.Minute // RFC 5321 §4.5.3.2.7
	ss.WriteTimeout = time.Minute
	ss.ErrorLog = errorLog{s.log}
	return ss
}

// errorLog is go-smtp's log on ours; what it reports are clients that break off.
type errorLog struct{ log *slog.Logger }

func (l errorLog) Printf(format string, v ...any) {
	l.log.Debug("capture: " + fmt.Sprintf(format, v...))
}
func (l errorLog) Println(v ...any) { l.log.Debug("capture: " + fmt.Sprint(v...)) }

// session is one SMTP connection.
type session struct {
	s      *Server
	link   *link
	authed bool
	gone   bool // 421 was said: nothing more is taken
	from   string
	to     []string
}

var (
	errGone  = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "closing the connection"}
	errStore = &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "cannot store the message"}
	errAuth  = &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "authentication required"}
)

func (c *session) Reset()        { c.from, c.to = "", nil }
func (c *session) Logout() error { return nil }

// AuthMechanisms and Auth make it a smtp.AuthSession (RFC 4954).
func (c *session) AuthMechanisms() []string {
	if c.s.opts.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if !c.s.knows(user, password) {
			return smtp.ErrAuthFailed
		}
		c.authed = true
		return nil
	}), nil
}

func (s *Server) knows(user, password string) bool {
	u := subtle.ConstantTimeCompare([]byte(user), []byte(s.opts.User))
	p := subtle.ConstantTimeCompare([]byte(password), []byte(s.opts.Password))
	return u&p == 1
}

func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	switch {
	case c.gone:
		return errGone
	case c.s.opts.User != "" && !c.authed:
		return errAuth
	}
	c.from, c.to = from, nil
	return nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if c.gone {
		return errGone
	}
	if e := c.s.fail.Pick(refuse.AtRcpt, to); e != nil {
		c.s.tally.refuse(to)
		return c.refuse(e)
	}
	c.to = append(c.to, to)
	return nil
}

// refuse hangs up with 421, as RFC 5321 §3.8 has it.
func (c *session) refuse(e *smtp.SMTPError) error {
	if e.Code == 421 {
		c.gone = true
		c.link.hangUp()
	}
	return e
}

// buffers are for messages on their way into the store; big ones are left to the collector.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const pooledUpTo = 1 << 20

func (c *session) Data(r io.Reader) error {
	if c.gone {
		return errGone
	}
	b := buffers.Get().(*bytes.Buffer)
	b.Reset()
	defer func() {
		if b.Cap() <= pooledUpTo {
			buffers.Put(b)
		}
	}()
	if _, err := b.ReadFrom(r); err != nil {
		return err
	}
	if !c.wait() {
		return c.refuse(errGone)
	}
	if e := c.s.fail.Pick(refuse.AtData, c.to...); e != nil {
		c.s.tally.refuse(c.to...)
		return c.refuse(e)
	}
	if !c.s.opts.Discard {
		if err := c.s.store.Add(store.Envelope{From: c.from, To: slices.Clone(c.to)}, b.Bytes()); err != nil {
			c.s.log.Error("capture: " + err.Error())
			if errors.Is(err, store.ErrClosed) {
				return c.refuse(errGone)
			}
			return errStore
		}
	}
	c.s.tally.accept(c.to, b.Len())
	return nil
}

// wait is the configured latency; false when the server ends meanwhile.
func (c *session) wait() bool {
	if c.s.opts.Latency == 0 {
		return true
	}
	t := time.NewTimer(c.s.opts.Latency)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.s.stop:
		return false
	}
}

// listener knows its open connections, so that ending closes them.
type listener struct {
	net.Listener
	mu     sync.Mutex
	open   map[*link]struct{}
	closed bool
}

func newListener(l net.Listener) *listener {
	return &listener{Listener: l, open: make(map[*link]struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	k := &link{Conn: c, of: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = c.Close() // the server ends; the client sees that
		return nil, net.ErrClosed
	}
	l.open[k] = struct{}{}
	return k, nil
}

// shut closes the listener and all its connections; again is harmless.
func (l *listener) shut() {
	l.mu.Lock()
	l.closed = true
	open := l.open
	l.open = make(map[*link]struct{})
	l.mu.Unlock()
	_ = l.Listener.Close() // an error says that it is closed already
	for k := range open {
		_ = k.Conn.Close()
	}
}

// link is a connection that can end after its next reply, so that a client sees the 421 and not a reset.
type link struct {
	net.Conn
	of   *listener
	last atomic.Bool
}

// lingers bounds how long a client may go on talking after it was told that the connection closes.
const lingers = time.Second

func (k *link) hangUp() { k.last.Store(true) }

func (k *link) Write(b []byte) (int, error) {
	n, err := k.Conn.Write(b)
	if c, ok := k.Conn.(*net.TCPConn); ok && k.last.Load() {
		_ = c.CloseWrite() // the client may be gone already
	}
	return n, err
}

func (k *link) Read(b []byte) (int, error) {
	if !k.last.Load() {
		return k.Conn.Read(b)
	}
	// What is left unread at closing would make the kernel send a reset, which can overtake the reply.
	_ = k.Conn.SetReadDeadline(time.Now().Add(lingers))
	_, _ = io.Copy(io.Discard, k.Conn)
	return 0, io.EOF
}

func (k *link) Close() error {
	k.of.mu.Lock()
	delete(k.of.open, k)
	k.of.mu.Unlock()
	return k.Conn.Close()
}
