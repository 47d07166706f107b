package smtpout

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/pace"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// post is a Content that many threads may open.
type post string

func (p post) Ref() string                                                { return "post" }
func (p post) Open(context.Context, delivery.Form) (delivery.Body, error) { return p, nil }
func (p post) Needs() (int64, bool, bool)                                 { return int64(len(p)), false, false }
func (p post) Close() error                                               { return nil }
func (p post) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, string(p))
	return int64(n), err
}

// diary is a Journal in memory.
type diary struct {
	mu    sync.Mutex
	final map[delivery.ID][]delivery.Outcome
}

func (d *diary) Intend([]*delivery.Message) func(context.Context) error {
	return func(context.Context) error { return nil }
}
func (d *diary) Defer(*delivery.Message, delivery.Outcome) bool { return false }
func (d *diary) Record(os []delivery.Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range os {
		if o.Status.Final() {
			d.final[o.ID] = append(d.final[o.ID], o)
		}
	}
}

// villain is a server that means harm. It ends when its connection does.
type villain func(c *stage)

// stage is a villain's side of a connection.
type stage struct {
	net.Conn
	br  *bufio.Reader
	den *den
}

func (s *stage) say(text string) bool {
	_, err := io.WriteString(s.Conn, text)
	return err == nil
}

// flood writes the same text, far more of it than memory may grow.
func (s *stage) flood(text string) {
	block := bytes.Repeat([]byte(text), 64<<10/len(text))
	for range 1024 {
		if _, err := s.Write(block); err != nil {
			return
		}
		s.den.look()
	}
}

// drip writes a text octet by octet, over and over.
func (s *stage) drip(text string, pause time.Duration) {
	for i := 0; ; i++ {
		time.Sleep(pause)
		if !s.say(text[i%len(text) : i%len(text)+1]) {
			return
		}
	}
}

// upTo answers properly until a command begins with word.
func (s *stage) upTo(word string, more ...string) bool {
	for s.say("220 mx ESMTP\r\n"); ; {
		line, err := s.br.ReadString('\n')
		switch {
		case err != nil || strings.HasPrefix(line, word):
			return err == nil
		case strings.HasPrefix(line, "EHLO"):
			s.say("250-mx\r\n250-" + strings.Join(append(more, "SIZE"), "\r\n250-") + "\r\n250 HELP\r\n")
		default:
			s.say("250 ok\r\n")
		}
	}
}

// swallow reads a message to its dot.
func (s *stage) swallow() {
	for s.say("354 go\r\n"); ; {
		if line, err := s.br.ReadString('\n'); err != nil || line == ".\r\n" {
			return
		}
	}
}

// hang reads and says nothing.
func (s *stage) hang() { <-s.den.over }

// bouquet is every way to harm whoever connects.
var bouquet = map[string]villain{
	"endless greeting line":  func(s *stage) { s.say("220 "); s.flood("x") },
	"endless greeting":       func(s *stage) { s.flood("220-hello\r\n") },
	"greeting drop by drop":  func(s *stage) { s.drip("220-slow\r\n", time.Minute) },
	"no greeting":            func(s *stage) { s.hang() },
	"junk for a greeting":    func(s *stage) { s.flood("\x00\xff\r\n") },
	"huge EHLO":              func(s *stage) { s.upTo("EHLO"); s.flood("250-" + strings.Repeat("X", 3000) + "\r\n") },
	"EHLO of one line":       func(s *stage) { s.upTo("EHLO"); s.say("250-mx\r\n250-"); s.flood("AUTH ") },
	"EHLO drop by drop":      func(s *stage) { s.upTo("EHLO"); s.drip("250-SLOW\r\n", time.Minute) },
	"never reads":            func(s *stage) { s.upTo("EHLO"); s.say("250 mx\r\n"); s.hang() },
	"never reads the body":   func(s *stage) { s.upTo("DATA"); s.say("354 go\r\n"); s.hang() },
	"reads drop by drop":     func(s *stage) { s.upTo("DATA"); s.say("354 go\r\n"); s.sip() },
	"talks into the body":    func(s *stage) { s.upTo("DATA"); s.say("354 go\r\n"); s.flood("250 ok\r\n") },
	"endless reply to RCPT":  func(s *stage) { s.upTo("RCPT", "PIPELINING"); s.flood("250-more\r\n") },
	"RCPT drop by drop":      func(s *stage) { s.upTo("RCPT"); s.drip("250-x\r\n", time.Minute) },
	"endless reply to dot":   func(s *stage) { s.upTo("DATA"); s.swallow(); s.flood("250-more\r\n") },
	"dot drop by drop":       func(s *stage) { s.upTo("DATA"); s.swallow(); s.drip("250-x\r\n", time.Minute) },
	"endless line for a dot": func(s *stage) { s.upTo("DATA"); s.swallow(); s.say("250 "); s.flood("y") },
	"replies ahead of time":  func(s *stage) { s.flood("250 ok\r\n") },
	"TLS that never is":      func(s *stage) { s.upTo("STARTTLS", "STARTTLS"); s.say("220 go\r\n"); s.hang() },
	"TLS drop by drop": func(s *stage) {
		s.upTo("STARTTLS", "STARTTLS")
		s.say("220 go\r\n")
		s.drip("\x16\x03\x03\x40\x00", time.Second)
	},
	"TLS of junk": func(s *stage) {
		s.upTo("STARTTLS", "STARTTLS")
		s.say("220 go\r\n")
		s.flood("\x16\x03\x03\x3f\xff\x02")
	},
	"gone at once": func(*stage) {},
}

func (s *stage) sip() {
	for {
		time.Sleep(30 * time.Second)
		if _, err := s.Read(make([]byte, 1)); err != nil {
			return
		}
	}
}

// den is where the villains wait: each connection meets the next of them.
type den struct {
	over chan struct{}
	work sync.WaitGroup

	mu       sync.Mutex
	names    []string
	met      int
	open     int
	most     int
	longest  time.Duration
	slowest  string
	peak     uint64
	conns    []net.Conn
	finished map[string]int
}

func (d *den) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	d.mu.Lock()
	name := d.names[d.met%len(d.names)]
	d.met++
	d.open++
	d.most = max(d.most, d.open)
	d.conns = append(d.conns, server)
	d.mu.Unlock()
	d.work.Go(func() {
		bouquet[name](&stage{Conn: server, br: bufio.NewReader(server), den: d})
		server.Close()
		d.mu.Lock()
		d.finished[name]++
		d.mu.Unlock()
	})
	return &guest{Conn: client, den: d, name: name, since: time.Now()}, nil
}

// guest is our side of a connection to the den.
type guest struct {
	net.Conn
	den   *den
	name  string
	since time.Time
	once  sync.Once
}

func (g *guest) Close() error {
	g.once.Do(func() {
		g.den.mu.Lock()
		defer g.den.mu.Unlock()
		g.den.open--
		if took := time.Since(g.since); took > g.den.longest {
			g.den.longest, g.den.slowest = took, g.name
		}
	})
	return g.Conn.Close()
}

func (d *den) look() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	d.mu.Lock()
	d.peak = max(d.peak, m.HeapAlloc)
	d.mu.Unlock()
}

// outskirts routes evil.example to the den and every other domain to a good server.
type outskirts struct{ demand route.Demand }

func (outskirts) Site(d string) (string, bool) { return d, true }
func (w outskirts) Route(_ context.Context, d string) (route.Route, error) {
	r := route.Route{Site: d}
	for i := range 5 {
		r.Hops = append(r.Hops, route.Hop{Host: fmt.Sprintf("mx%d.%s", i, d), Port: 25, TLS: w.demand})
	}
	return r, nil
}
func (outskirts) Addrs(_ context.Context, h route.Hop) ([]netip.Addr, error) {
	if strings.HasSuffix(h.Host, ".evil.example") {
		return []netip.Addr{netip.MustParseAddr("192.0.2.66")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
}
func (outskirts) Permit(netip.Addr) error { return nil }

// Whatever the servers of one domain do, other domains are delivered as if they were not there, every message of theirs ends,
// no more connections than a domain may have are held up, each for a bounded time, and memory stays flat.
func TestHostileServersHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := smtptest.Start(t, smtptest.Options{Data: func(string, []string) bool { return false }})
		d := &den{over: make(chan struct{}), finished: map[string]int{}}
		for name := range bouquet {
			d.names = append(d.names, name)
		}
		slices.Sort(d.names)
		dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "192.0.2.66:") {
				return d.dial(ctx, network, addr)
			}
			return good.Dial(ctx, network, addr)
		}
		tr, stop := running(t, Options{Paths: []Path{{Router: outskirts{route.Opportunistic}, Hello: "me.example", TLS: &tls.Config{}}}, Pipelining: true, Dial: dial})
		book := &diary{final: map[delivery.ID][]delivery.Outcome{}}
		letter := post("Subject: hello\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 1000))
		const perDomain, evil, kind = 3, 50, 1000
		queues, err := delivery.New(delivery.Options{
			Connections: 20, SpillDir: t.TempDir(), Retry: pace.Retry{For: 3 * time.Hour, First: time.Minute, Max: 10 * time.Minute},
			General: delivery.QueueOptions{Name: "general", PerDomain: perDomain, Sender: tr.Queue(QueueOptions{Name: "general"})},
			Revive: func(m *delivery.Message, _ string) error {
				m.To, m.From, m.Content, m.Journal = "jo@"+m.Domain, "ana@sender.example", letter, book
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- queues.Run(t.Context()) }()
		submit := func(n int, domain string) (ids []delivery.ID) {
			for range n {
				m := &delivery.Message{To: "jo@" + domain, From: "ana@sender.example", Domain: domain, Content: letter, Journal: book}
				m.ID.Run = 1
				binary.BigEndian.PutUint32(m.ID.Key[:], uint32(len(ids)))
				copy(m.ID.Key[4:], domain)
				ids = append(ids, m.ID)
				if err := queues.Submit(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			return ids
		}
		bad := submit(evil, "evil.example")
		fine := append(submit(kind, "one.example"), submit(kind, "two.example")...)
		queues.Close()
		if err := <-done; err != nil {
			t.Errorf("the run ended with %v", err)
		}
		took := time.Since(began)
		stop()
		close(d.over)
		for _, c := range d.conns {
			c.Close()
		}
		d.work.Wait()

		for _, id := range fine {
			os := book.final[id]
			if len(os) != 1 || os[0].Status != delivery.Sent || os[0].At.Sub(began) > time.Minute {
				t.Fatalf("good mail: %+v", os)
			}
		}
		counts := map[delivery.Status]int{}
		for _, id := range bad {
			os := book.final[id]
			if len(os) != 1 || os[0].Status == delivery.Sent {
				t.Fatalf("mail to evil: %+v", os)
			}
			counts[os[0].Status]++
		}
		grown := int64(d.peak) - int64(before.HeapAlloc)
		t.Logf("%v in %v over %d connections, the longest (%s) for %v; memory grew by %d KiB", counts, took, d.met, d.slowest, d.longest, grown>>10)
		if d.most > perDomain || d.longest > 25*time.Minute || took > 8*time.Hour {
			t.Errorf("%d connections at once, the longest (%s) for %v, in all %v", d.most, d.slowest, d.longest, took)
		}
		if grown > 32<<20 {
			t.Errorf("memory grew by %d MiB", grown>>20)
		}
		for name := range bouquet {
			if d.finished[name] == 0 {
				t.Errorf("nobody met %s", name)
			}
		}
	})
}
