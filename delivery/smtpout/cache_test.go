package smtpout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// lab is a Transport over one scripted peer in virtual time.
type lab struct {
	t     *testing.T
	p     *smtptest.Peer
	w     *ways
	tr    *Transport
	stop  func()
	dials int

	mu         sync.Mutex
	open, most int // sockets of ours
}

// socket counts itself while it is open.
type socket struct {
	net.Conn
	l    *lab
	once sync.Once
}

func (s *socket) Close() error {
	s.once.Do(func() { s.l.count(-1) })
	return s.Conn.Close()
}

func (l *lab) count(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n > 0 {
		l.dials++
	}
	l.open += n
	l.most = max(l.most, l.open)
}

func inLab(t *testing.T, o smtptest.Options, maxOpen int, f func(*lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, p: smtptest.Start(t, o), w: mxs(route.None, "mx.example")}
		dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := l.p.Dial(ctx, network, addr)
			l.count(1)
			return &socket{Conn: nc, l: l}, err
		}
		l.tr, l.stop = running(t, Options{Paths: []Path{{Router: l.w, Hello: "me.example"}}, Pipelining: true, MaxOpen: maxOpen, Dial: dial})
		f(l)
		l.stop()
		if l.open != 0 || len(l.tr.cache.slots) != 0 {
			t.Errorf("%d sockets left open, %d in the budget", l.open, len(l.tr.cache.slots))
		}
	})
}

func (l *lab) send(s delivery.Sender, n int, want string) *feed {
	l.t.Helper()
	f := newFeed(l.t, n)
	if err := f.serve(l.t.Context(), s); err != nil || f.lines() != want {
		l.t.Errorf("got %s, %v", f.lines(), err)
	}
	return f
}

const sent = "sent dot 250 charged"

func TestSecondMessageNeedsNoLookupAndNoDial(t *testing.T) {
	inLab(t, smtptest.Options{}, 0, func(l *lab) {
		s := l.tr.Queue(QueueOptions{})
		l.send(s, 1, sent)
		l.send(s, 1, sent)
		if l.dials != 1 || l.w.lookups.Load() != 1 || l.p.Count("EHLO") != 1 || l.p.Count("RSET") != 0 {
			l.t.Errorf("%d dials, %d lookups, %q", l.dials, l.w.lookups.Load(), l.p.Commands())
		}
	})
}

func TestQueuesDoNotShareConnections(t *testing.T) {
	inLab(t, smtptest.Options{}, 0, func(l *lab) {
		l.send(l.tr.Queue(QueueOptions{Name: "a"}), 1, sent)
		l.send(l.tr.Queue(QueueOptions{Name: "b"}), 1, sent)
		if l.dials != 2 {
			l.t.Errorf("%d dials", l.dials)
		}
	})
}

// One thread serves many domains by turns; each has its connection in the cache when its turn comes again.
func TestOneThreadManyDomains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const domains = 7
		p := smtptest.Start(t, smtptest.Options{})
		w := &byDomain{}
		tr, stop := running(t, Options{Paths: []Path{{Router: w, Hello: "me.example"}}, Dial: p.Dial})
		defer stop()
		s := tr.Queue(QueueOptions{})
		for range 3 {
			for d := range domains {
				f := newFeed(t, 1)
				if err := s.Serve(t.Context(), fmt.Sprintf("d%d.example", d), 0, f); err != nil || f.lines() != sent {
					t.Errorf("%s, %v", f.lines(), err)
				}
			}
		}
		if n, most, _ := p.Connections(); n != domains || most != domains || w.lookups.Load() != domains {
			t.Errorf("%d connections, %d lookups", n, w.lookups.Load())
		}
	})
}

// byDomain is a Router where each domain is its own host.
type byDomain struct{ ways }

func (*byDomain) Route(_ context.Context, d string) (route.Route, error) {
	return route.Route{Site: d, Hops: []route.Hop{{Host: d, Port: 25}}}, nil
}

func TestIdleConnectionsAreClosedInTime(t *testing.T) {
	inLab(t, smtptest.Options{}, 0, func(l *lab) {
		l.send(l.tr.Queue(QueueOptions{Idle: 10 * time.Second}), 1, sent)
		time.Sleep(9 * time.Second)
		if l.p.Count("QUIT") != 0 {
			l.t.Error("closed too early")
		}
		time.Sleep(2 * time.Second)
		if _, _, open := l.p.Connections(); open != 0 || l.p.Count("QUIT") != 1 {
			l.t.Errorf("%d open, %q", open, l.p.Commands())
		}
	})
}

func TestConnectionIsReplacedAfterItsShare(t *testing.T) {
	inLab(t, smtptest.Options{Scripts: []string{"quit: hang", ""}}, 0, func(l *lab) {
		began := time.Now()
		l.send(l.tr.Queue(QueueOptions{PerConnection: 2}), 5, strings.Repeat(sent+", ", 4)+sent)
		if l.dials != 3 || time.Since(began) > 0 {
			l.t.Errorf("%d dials, %v: a goodbye was waited for", l.dials, time.Since(began))
		}
		time.Sleep(3 * time.Second)
		if n := l.p.Count("QUIT"); n != 2 {
			l.t.Errorf("%d times QUIT", n)
		}
	})
}

func TestOldestIdleMakesRoom(t *testing.T) {
	inLab(t, smtptest.Options{}, 2, func(l *lab) {
		for _, q := range []string{"a", "b", "c", "b"} {
			l.send(l.tr.Queue(QueueOptions{Name: q}), 1, sent)
		}
		if l.dials != 3 {
			l.t.Errorf("%d dials; queue b's connection was to stay", l.dials)
		}
		if l.most > 2 {
			l.t.Errorf("%d sockets at once", l.most)
		}
	})
}

// With fewer sockets than threads every thread gets its turn.
func TestThreadsWaitForASocket(t *testing.T) {
	inLab(t, smtptest.Options{Latency: time.Second}, 2, func(l *lab) {
		var all sync.WaitGroup
		began := time.Now()
		for i := range 10 {
			s := l.tr.Queue(QueueOptions{Name: fmt.Sprint(i)})
			all.Go(func() { l.send(s, 2, sent+", "+sent) })
		}
		all.Wait()
		// Three round trips each, two at a time: nobody waited until another queue's connection had been idle for long.
		if took := time.Since(began); took > 20*time.Second {
			l.t.Errorf("took %v", took)
		}
		if l.most > 2 || len(l.p.Messages()) != 20 {
			l.t.Errorf("%d sockets, %d messages", l.most, len(l.p.Messages()))
		}
	})
}

func TestRecipientLimitIsLearnt(t *testing.T) {
	inLab(t, smtptest.Options{Scripts: []string{"rcpt#3: 452 4.5.3 too many"}}, 0, func(l *lab) {
		f := &feed{t: l.t}
		f.batch(hello(), "a@example.org", "b@example.org", "c@example.org")
		f.batch(hello(), "a@example.org", "b@example.org", "c@example.org")
		_ = f.serve(l.t.Context(), l.tr.Queue(QueueOptions{}))
		if l.p.Count("RCPT") != 6 || l.p.Count("MAIL") != 3 {
			l.t.Errorf("%q", l.p.Commands())
		}
	})
}

// A dead host is dialled once; what waits for it is told until when it is left alone.
func TestHostInTroubleIsLeftAlone(t *testing.T) {
	inLab(t, smtptest.Options{Scripts: []string{"connect: 421 4.3.2 busy; drop"}}, 0, func(l *lab) {
		s := l.tr.Queue(QueueOptions{})
		wait := 30 * time.Second
		for round := range 8 {
			began := time.Now()
			f := l.send(s, 3, "deferred connect 421, deferred connect 421, deferred connect 421")
			l.send(s, 1, "deferred connect 421")
			if l.dials != round+1 {
				l.t.Fatalf("round %d: %d dials", round, l.dials)
			}
			for _, o := range f.done {
				if o.Charged || o.Next.Sub(began) != wait || o.Host != "mx.example [192.0.2.1]" || o.Text != "busy" {
					l.t.Fatalf("round %d: %+v", round, o)
				}
			}
			time.Sleep(wait)
			wait = min(2*wait, 30*time.Minute)
		}
	})
}

// Threads that fail together fail once.
func TestFailuresOfOneMomentCountOnce(t *testing.T) {
	inLab(t, smtptest.Options{Scripts: []string{"connect: wait 1s; drop"}}, 0, func(l *lab) {
		var all sync.WaitGroup
		for i := range 5 {
			s := l.tr.Queue(QueueOptions{Name: fmt.Sprint(i)})
			all.Go(func() { l.send(s, 1, "deferred connect") })
		}
		all.Wait()
		if _, end := l.tr.hosts.Get(l.w.hops[0]).Cooling(time.Now()); time.Until(end) != 30*time.Second {
			l.t.Errorf("left alone for %v", time.Until(end))
		}
	})
}

// A host that takes mail and drops a connection now and then is not left alone for it.
func TestHostThatWorksIsForgiven(t *testing.T) {
	inLab(t, smtptest.Options{Scripts: []string{"", "connect: drop", ""}}, 0, func(l *lab) {
		l.send(l.tr.Queue(QueueOptions{Name: "a"}), 1, sent)
		l.send(l.tr.Queue(QueueOptions{Name: "b"}), 2, "deferred connect, "+sent)
	})
}

func TestLookupsThatFail(t *testing.T) {
	for _, c := range []struct {
		err  *route.Error
		want string
	}{
		{&route.Error{Status: delivery.Deferred, Class: delivery.ClassSoft, Text: "SERVFAIL"}, "deferred resolve, deferred resolve"},
		{&route.Error{Status: delivery.Failed, Class: delivery.ClassHard, Enhanced: "5.1.10", Text: "null MX"}, "failed resolve charged, failed resolve charged"},
	} {
		inLab(t, smtptest.Options{}, 0, func(l *lab) {
			l.w.err = c.err
			if f := l.send(l.tr.Queue(QueueOptions{}), 2, c.want); f.done[1].Text != c.err.Text {
				l.t.Errorf("%+v", f.done)
			}
		})
	}
}

// errOurs is an error of our side.
var errOurs = errors.New("disk full")
