package smtpout

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/panicked"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// poisoned is a letter that panics while it is opened, or in the middle of its body.
type poisoned struct {
	numbered
	late bool
}

func (l *poisoned) Open(context.Context, delivery.Form) (delivery.Body, error) {
	if !l.late {
		panic("cannot open")
	}
	l.write = func(w io.Writer) (int64, error) {
		if _, err := io.WriteString(w, l.text); err != nil {
			return 0, err
		}
		panic("cannot write on")
	}
	return &l.letter, nil
}

// Letters that panic cost themselves their mail, and their connections: no other letter goes over these, whose next command would
// be body for the server.
func TestFaultPanicOfLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPosting(t)
		host := p.host(t, "relay.example", smtptest.Options{})
		p.mx["a.example"] = []string{"relay.example"}
		p.mail(60, "a.example")
		p.poison = map[int]func(*numbered) delivery.Content{
			20: func(n *numbered) delivery.Content { return &poisoned{*n, false} },
			40: func(n *numbered) delivery.Content { return &poisoned{*n, true} },
		}
		p.run()
		synctest.Wait() // until the peer knows what was closed
		var told *panicked.Contained
		if !errors.As(p.err, &told) || told.Times != 4 {
			t.Errorf("%v", p.err)
		}
		if n := p.totals(); n["sent"] != 58 || n["failed"] != 2 {
			t.Errorf("%v; %s; %s", n, p.story(20), p.story(40))
		}
		got := p.accepted()
		for id, n := range got {
			if n != 1 {
				t.Errorf("%s was taken %d times", id, n)
			}
		}
		if made, _, open := host.Connections(); len(got) != 58 || open != 0 || made < 2 {
			t.Errorf("the peer took %d letters, over %d connections of which %d are open", len(got), made, open)
		}
	})
	t.Attr("fault", "R21 panic of a letter, before MAIL and in its body")
	t.Attr("expected", "its connection is closed, it fails as a fault of ours, the campaign goes on")
	t.Attr("seen", "by the peer's log: 58 others once each, none of the 2, no breach, no connection left open")
}

// shaky is a Feed that panics when it is first told of an outcome.
type shaky struct {
	*feed
	told bool
}

func (f *shaky) Done(os ...delivery.Outcome) {
	if !f.told {
		f.told = true
		panic("cannot take it")
	}
	f.feed.Done(os...)
}

// serves is Serve, with a panic as its error.
func serves(ctx context.Context, s delivery.Sender, f delivery.Feed) (err error) {
	defer panicked.Contain(&err)
	return s.Serve(ctx, "example.org", 0, f)
}

// A panic between a transaction and what follows from it does not keep a connection whose peer owes a reply.
func TestFaultPanicAfterATransaction(t *testing.T) {
	inLab(t, smtptest.Options{Scripts: []string{"dot#1: wait 10m1s; ok", ""}}, 0, func(l *lab) {
		s := l.tr.Queue(QueueOptions{})
		var p *panicked.Error
		if err := serves(l.t.Context(), s, &shaky{feed: newFeed(l.t, 1)}); !errors.As(err, &p) {
			l.t.Fatalf("%v", err)
		}
		if n := len(idle(l.tr)); n != 0 {
			l.t.Errorf("%d connections are kept", n)
		}
		l.send(s, 1, sent)
		if l.dials != 2 {
			l.t.Errorf("%d dials", l.dials)
		}
	})
	t.Attr("fault", "R21 panic after a transaction that left its connection out of step")
	t.Attr("expected", "the connection is closed, the next letter goes over another")
	t.Attr("seen", "closed; sent over a second connection")
}

// trap is a Router that panics at the addresses of a host, when oops does.
type trap struct {
	*ways
	oops func()
}

func (r *trap) Addrs(ctx context.Context, h route.Hop) ([]netip.Addr, error) {
	r.oops()
	return r.ways.Addrs(ctx, h)
}

// mine is a connection that panics while it is read from or looked at, when oops does.
type mine struct {
	net.Conn
	oops func()
}

func (c *mine) Read(b []byte) (int, error) {
	c.oops()
	return c.Conn.Read(b)
}

func (c *mine) SyscallConn() (syscall.RawConn, error) {
	c.oops()
	return nil, errors.ErrUnsupported
}

// A panic while a connection is made gives back what was taken for it: its socket, its place in the budget and at the host.
func TestFaultPanicWhileConnecting(t *testing.T) {
	for name, lay := range map[string]func(tr *Transport, dial Dialer, w *ways, oops func()){
		"lookup": func(tr *Transport, _ Dialer, w *ways, oops func()) { tr.o.Paths[0].Router = &trap{w, oops} },
		"dial": func(tr *Transport, dial Dialer, _ *ways, oops func()) {
			tr.o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				oops()
				return dial(ctx, network, addr)
			}
		},
		"greeting": func(tr *Transport, dial Dialer, _ *ways, oops func()) {
			tr.o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				nc, err := dial(ctx, network, addr)
				return &mine{nc, oops}, err
			}
		},
	} {
		inLab(t, smtptest.Options{}, 1, func(l *lab) {
			panics := 0
			lay(l.tr, l.tr.o.Dial, l.w, func() {
				if panics++; panics == 1 {
					panic(name)
				}
			})
			s := l.tr.Queue(QueueOptions{})
			var p *panicked.Error
			if err := serves(l.t.Context(), s, newFeed(l.t, 1)); !errors.As(err, &p) {
				l.t.Errorf("%s: %v", name, err)
			}
			if l.open != 0 || len(l.tr.cache.slots) != 0 {
				l.t.Fatalf("%s: %d sockets left open, %d in the budget", name, l.open, len(l.tr.cache.slots))
			}
			l.send(s, 1, sent)
			// The host is full only when it turns one of several away.
			busy := &fault.Fault{Stage: delivery.StageConnect, Code: 421}
			if l.tr.hosts.Get(l.w.hops[0]).Fail(busy, time.Now(), 0) {
				l.t.Errorf("%s: a connection that is gone counts at its host", name)
			}
		})
	}
	t.Attr("fault", "R21 panic while a connection is looked up, dialled or brought up")
	t.Attr("expected", "socket, budget and the host's pool as before")
	t.Attr("seen", "nothing kept; the next letter is sent, with a budget of one socket")
}

// An idle connection that panics when it is taken up again is closed, and its socket comes back.
func TestFaultPanicOfAnIdleConnection(t *testing.T) {
	inLab(t, smtptest.Options{}, 1, func(l *lab) {
		var sprung *bool
		dial := l.tr.o.Dial
		l.tr.o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := dial(ctx, network, addr)
			return &mine{nc, func() {
				if sprung != nil && !*sprung {
					*sprung = true
					panic("idle")
				}
			}}, err
		}
		s := l.tr.Queue(QueueOptions{})
		l.send(s, 1, sent)
		sprung = new(bool)
		var p *panicked.Error
		if err := serves(l.t.Context(), s, newFeed(l.t, 1)); !errors.As(err, &p) || l.open != 0 {
			l.t.Fatalf("%v, %d sockets left open", err, l.open) // the next letter would wait for ever
		}
		l.send(s, 1, sent)
	})
	t.Attr("fault", "R21 panic at a look at an idle connection")
	t.Attr("expected", "it is closed, the next letter goes over another")
	t.Attr("seen", "closed; sent, with a budget of one socket")
}

// door is a connection that panics when it is left.
type door struct {
	net.Conn
	at string
}

func (c *door) Write(p []byte) (int, error) {
	if c.at == "QUIT" && string(p) == "QUIT\r\n" {
		panic(c.at)
	}
	return c.Conn.Write(p)
}

func (c *door) Close() error {
	err := c.Conn.Close()
	if c.at == "close" {
		panic(c.at)
	}
	return err
}

// A panic while a connection is let go gives its place back, once: another thread may be waiting for it.
func TestFaultPanicWhileLeaving(t *testing.T) {
	for _, at := range []string{"QUIT", "close"} {
		inLab(t, smtptest.Options{Scripts: []string{map[string]string{"close": "mail#2: drop"}[at], ""}}, 1, func(l *lab) {
			dial := l.tr.o.Dial
			l.tr.o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				nc, err := dial(ctx, network, addr)
				if l.dials == 1 {
					nc = &door{nc, at}
				}
				return nc, err
			}
			s := l.tr.Queue(QueueOptions{})
			l.send(s, 1, sent)
			if at == "QUIT" {
				l.tr.cache.waiting++ // another thread for the socket: it is not kept
			}
			var p *panicked.Error
			if err := serves(l.t.Context(), s, newFeed(l.t, 1)); !errors.As(err, &p) {
				l.t.Errorf("%s: %v", at, err)
			}
			if at == "QUIT" {
				l.tr.cache.waiting--
			}
			if l.open != 0 || len(l.tr.cache.slots) != 0 {
				l.t.Fatalf("%s: %d sockets left open, %d in the budget", at, l.open, len(l.tr.cache.slots))
			}
			l.send(s, 1, sent)
		})
	}
	t.Attr("fault", "R21 panic while a connection is let go")
	t.Attr("expected", "its place in the budget comes back, and no other with it")
	t.Attr("seen", "the next letter is sent, with a budget of one socket")
}

// A panic while a connection is closed that nobody waits for, as it was used up or idle for long, costs that one; mail goes on, and
// Run tells at its end.
func TestFaultPanicWhileClosing(t *testing.T) {
	for name, o := range map[string]QueueOptions{"used up": {PerConnection: 1}, "idle": {}, "end": {Idle: time.Hour}} {
		inLab(t, smtptest.Options{}, 1, func(l *lab) {
			dial := l.tr.o.Dial
			l.tr.o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				nc, err := dial(ctx, network, addr)
				if l.dials == 1 {
					nc = &door{nc, "QUIT"}
				}
				return nc, err
			}
			s := l.tr.Queue(o)
			l.send(s, 1, sent)
			if name == "end" {
				l.stop()
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if l.open != 0 || len(l.tr.cache.slots) != 0 {
				l.t.Fatalf("%s: %d sockets left open, %d in the budget", name, l.open, len(l.tr.cache.slots))
			}
			if name != "end" {
				l.send(s, 1, sent)
				l.stop()
			}
			over, cut := context.WithCancel(l.t.Context())
			cut()
			var told *panicked.Contained
			if err := l.tr.Run(over); !errors.As(err, &told) || told.Times != 1 {
				l.t.Errorf("%s: %v", name, err)
			}
		})
	}
	t.Attr("fault", "R21 panic while a connection is closed that is used up, was idle for long, or is left at the end")
	t.Attr("expected", "it is closed, its place comes back, mail goes on, and the end tells of it")
	t.Attr("seen", "closed; the next letter is sent, with a budget of one socket; told of at the end")
}
