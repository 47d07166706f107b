package smtpout

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// row is something a server does wrong, and what must come of it. The tables of rows are beside this file, by stage.
type row struct {
	name   string // begins with its number in docs/faults.md
	must   string // what must come of it, for people
	script string // of the first host. A second one, where there is one, behaves well
	second bool
	tcp    bool // over loopback in real time, where the kernel has its say; else in memory, in virtual time
	relay  bool // it is a server of ours, and there is another way out
	login  bool
	serial bool // one command at a time
	demand route.Demand
	server func(*smtptest.CA) *tls.Config // its certificate; nil is one to trust
	ext    []string
	to     int            // recipients; 0 is 1
	letter func() *letter // nil is a small one
	limits Timeouts
	want   string // as stand.seen gives it
	says   string // part of the reason that is given
}

// stand is a Transport before two hosts, the first of which has faults.
type stand struct {
	row
	peer, good *smtptest.Peer
	ways       *ways
	tr         *Transport
	stop       func()
	feed       *feed
	log        bytes.Buffer
	err        error         // of Serve
	took, bye  time.Duration // Serve, and the goodbyes after it

	open   atomic.Int32 // sockets of ours
	octets atomic.Int64 // read from the first host
	futile atomic.Int32 // reads of it that gave nothing
}

// tap is a connection that the stand counts.
type tap struct {
	net.Conn
	s      *stand
	faulty bool
	closed atomic.Bool
}

// tcpTap is a tap that lets the socket underneath be looked at.
type tcpTap struct {
	*net.TCPConn
	tap *tap
}

func (c *tap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.faulty {
		c.s.octets.Add(int64(n))
		if err != nil {
			c.s.futile.Add(1)
		}
	}
	return n, err
}

func (c *tap) Close() error {
	if !c.closed.Swap(true) {
		c.s.open.Add(-1)
	}
	return c.Conn.Close()
}

func (c *tcpTap) Read(b []byte) (int, error) { return c.tap.Read(b) }
func (c *tcpTap) Close() error               { return c.tap.Close() }

func (s *stand) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	to := netip.MustParseAddrPort(addr)
	first := to.Addr().As4()[3] == 1 && !s.tcp || s.tcp && int(to.Port()) == s.peer.Port()
	var nc net.Conn
	var err error
	switch {
	case s.tcp:
		nc, err = new(net.Dialer).DialContext(ctx, network, addr)
	case first:
		nc, err = s.peer.Dial(ctx, network, addr)
	default:
		nc, err = s.good.Dial(ctx, network, addr)
	}
	if err != nil {
		return nil, err
	}
	s.open.Add(1)
	t := &tap{Conn: nc, s: s, faulty: first}
	if tc, ok := nc.(*net.TCPConn); ok {
		return &tcpTap{tc, t}, nil
	}
	return t, nil
}

func newStand(t *testing.T, ca *smtptest.CA, r row) *stand {
	s := &stand{row: r, feed: &feed{t: t}}
	o := smtptest.Options{Extensions: r.ext, Implicit: r.demand == route.Implicit}
	if r.tcp {
		o.Addr = "127.0.0.1:0"
	}
	if r.demand != route.None {
		o.TLS = ca.Server("mx1.example", "mx2.example")
	}
	if r.login {
		o.User, o.Password = "ana", "secret"
	}
	s.good = smtptest.Start(t, o)
	if r.server != nil {
		o.TLS = r.server(ca)
	}
	o.Scripts = []string{r.script}
	s.peer = smtptest.Start(t, o)
	s.ways = mxs(r.demand, []string{"mx1.example", "mx2.example"}[:1+map[bool]int{true: 1}[r.second]]...)
	if r.tcp {
		s.ways.addr = netip.MustParseAddr("127.0.0.1")
		for i := range s.ways.hops {
			s.ways.hops[i].Port = []*smtptest.Peer{s.peer, s.good}[i].Port()
		}
	}
	path := Path{Router: s.ways, Hello: "me.example", Relay: r.relay, TLS: &tls.Config{RootCAs: ca.Pool}}
	if r.login {
		path.Auth = &Auth{User: "ana", Password: func(context.Context) (string, error) { return "secret", nil }}
	}
	s.tr, s.stop = running(t, Options{
		Paths: twoWays(path), Pipelining: !r.serial, Dial: s.dial, Timeouts: r.limits, Log: slog.New(slog.NewTextHandler(&s.log, nil)),
	})
	return s
}

// serve sends one letter.
func (s *stand) serve(t *testing.T) {
	l := hello()
	if s.letter != nil {
		l = s.letter()
	}
	s.feed.batch(l, []string{"a@example.org", "b@example.org", "c@example.org"}[:max(1, s.to)]...)
	began := time.Now()
	s.err = s.feed.serve(t.Context(), s.tr.Queue(QueueOptions{Name: "q"}))
	s.took = time.Since(began)
}

// seen is what came of it, all of it: the outcomes, by which host and how safe; whether the first host's connection was kept
// and the host is left alone for a while; and where that is not as usual the connections to it, the messages accepted, how
// much was read and how long it took.
func (s *stand) seen() string {
	var all []string
	for _, o := range s.feed.done {
		all = append(all, s.words(o))
	}
	words := strings.Join(all, ", ")
	var halt *delivery.Halt
	if errors.As(s.err, &halt) {
		words = strings.TrimSuffix(fmt.Sprintf("halt %s %d", halt.Stage, halt.Code), " 0") + ", " + words
	}
	state := "; closed"
	for _, l := range idle(s.tr) {
		if l.key.host == fmt.Sprintf("mx1.example:%d", s.ways.hops[0].Port) {
			state = "; kept"
		}
	}
	words += state
	if f, _ := s.tr.hosts.Get(s.ways.hops[0]).Cooling(time.Now()); f != nil {
		words += "; cools"
	}
	if n, _, _ := s.peer.Connections(); n != 1 {
		words += fmt.Sprintf("; %d connections", n)
	}
	answers := 0
	for _, c := range s.peer.Commands() {
		if strings.HasSuffix(c, " ") {
			answers++
		}
	}
	if answers > 0 {
		words += fmt.Sprintf("; %d answers", answers)
	}
	if n := s.peer.Accepted() + s.good.Accepted(); n != min(1, strings.Count(words, "sent")) {
		words += fmt.Sprintf("; %d accepted", n)
	}
	if n := s.octets.Load() >> 10; n > 16 && !s.tcp {
		words += fmt.Sprintf("; %d KiB read", n)
	}
	if s.took > 0 && !s.tcp {
		words += "; " + s.took.String()
	}
	return words
}

func (s *stand) words(o delivery.Outcome) string {
	w := inWords(o)
	if strings.HasPrefix(o.Host, "mx2") {
		w += " at mx2"
	}
	if o.Status == delivery.Sent && s.demand != route.None {
		w += ", " + map[bool]string{true: "in clear", false: o.TLS}[o.TLS == ""]
	}
	return w
}

// reasons are all reasons that were given.
func (s *stand) reasons() string {
	var all []string
	for _, o := range s.feed.done {
		all = append(all, strings.TrimSpace(o.Enhanced+" "+o.Text))
	}
	if s.err != nil {
		all = append(all, s.err.Error())
	}
	return strings.Join(append(all, s.log.String()), "|")
}

// run has the row's fault happen, reports it, and checks what holds whatever the fault is.
func (r row) run(t *testing.T, ca *smtptest.CA) {
	tell(t, r.name, r.must)
	body := func(t *testing.T) {
		s := newStand(t, ca, r)
		s.serve(t)
		seen := s.seen()
		if r.says != "" {
			seen += fmt.Sprintf("; says %q", r.says)
		}
		began := time.Now()
		s.stop()
		s.bye = time.Since(began)
		if seen != strings.TrimSuffix(r.want+fmt.Sprintf("; says %q", r.says), `; says ""`) {
			t.Errorf("got  %s\nwant %s\n%+v\n%q\n%s", seen, r.want, s.feed.done, s.peer.Commands(), s.reasons())
		}
		if !strings.Contains(s.reasons(), r.says) {
			t.Errorf("%q is not said: %s", r.says, s.reasons())
		}
		s.holds(t)
		t.Attr("seen", seen)
	}
	if r.tcp {
		body(t)
	} else {
		synctest.Test(t, body)
	}
}

// holds checks what must be so whatever the fault was: no socket is left, nobody spun on a dead one, no goodbye was waited for
// longer than 2 s, and what we said was right.
func (s *stand) holds(t *testing.T) {
	if n := s.open.Load(); n != 0 {
		t.Errorf("%d sockets left open", n)
	}
	if n, _, _ := s.peer.Connections(); int(s.futile.Load()) > 3*n {
		t.Errorf("%d reads of %d connections gave nothing", s.futile.Load(), n)
	}
	if strings.HasPrefix(s.want, "halt auth,") && s.peer.Count("AUTH") > 0 {
		t.Error("we gave up without trying, and the password went out")
	}
	if s.bye > 2*time.Second && !s.tcp {
		t.Errorf("the goodbye took %v", s.bye)
	}
	for _, p := range []*smtptest.Peer{s.peer, s.good} {
		if v := p.Violations(); len(v) > 0 {
			t.Errorf("violations: %q", v)
		}
	}
}

// tell says which fault a test is about, and what must come of it, for those who make the table of all (make faults).
func tell(t *testing.T, fault, must string) {
	t.Attr("fault", fault)
	t.Attr("expected", must)
}

// rows runs a table.
func rows(t *testing.T, table []row) {
	ca := smtptest.NewCA(t)
	for _, r := range table {
		t.Run(r.name, func(t *testing.T) {
			if r.tcp {
				t.Parallel()
			}
			r.run(t, ca)
		})
	}
}

// big is a letter that does not fit into socket buffers.
func big() *letter { return &letter{text: strings.Repeat(strings.Repeat("x", 70)+"\r\n", 200_000)} }
