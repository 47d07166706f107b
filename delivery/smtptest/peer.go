// Package smtptest is the fake peer of the tests: an SMTP server that behaves well unless told otherwise, and can be
// told to misbehave in every way.
//
//  1. Start listens on a loopback address, or on none: Dial gives in-memory connections, for virtual time;
//  2. each connection goes by its Script: what to do instead of the proper reply, at which command;
//  3. Messages, Commands, Connections and Violations tell afterwards what the peer saw.
package smtptest

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options of a Peer. The zero value is a server in memory with the usual extensions and no TLS.
type Options struct {
	Addr       string                              // to listen on, such as "127.0.0.2:0"; empty: only Dial leads here
	Extensions []string                            // nil: PIPELINING, 8BITMIME, SMTPUTF8, ENHANCEDSTATUSCODES, SIZE
	TLS        *tls.Config                         // offers STARTTLS
	Implicit   bool                                // TLS from the first octet
	User       string                              // demands AUTH as this user
	Password   string                              // of User; for XOAUTH2 the token
	Latency    time.Duration                       // before each reply to a command or group
	Most       int                                 // connections at once, one more is turned away with a 421; 0 is any number
	Reply      func(verb, arg string) string       // the reply instead of the proper one; "" is the proper one
	Data       func(from string, to []string) bool // false: keep nothing of the message's octets
	Scripts    []string                            // one a connection, in order; the last one goes on. See parse
}

// Message is what the peer has accepted.
type Message struct {
	Conn int // which connection, from 1
	From string
	To   []string
	Data string // dot-unstuffed
	TLS  bool
	At   time.Time
}

// Peer is a running fake server.
type Peer struct {
	t       testing.TB
	o       Options
	scripts [][]rule
	ln      net.Listener
	work    sync.WaitGroup

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	count    int
	most     int
	turned   int
	commands []string
	grouped  map[int]int // by connection
	breaches []string
	messages []Message
	held     int
	release  chan struct{} // closed by Release, which makes the next
	closed   bool
	ended    chan struct{} // closed by Close
}

// Start runs a Peer until the test ends.
func Start(t testing.TB, o Options) *Peer {
	t.Helper()
	p := &Peer{t: t, o: o, conns: map[net.Conn]struct{}{}, grouped: map[int]int{}, ended: make(chan struct{}), release: make(chan struct{})}
	for _, s := range o.Scripts {
		rules, err := parse(s)
		if err != nil {
			t.Fatalf("script: %v", err)
		}
		p.scripts = append(p.scripts, rules)
	}
	if o.Addr != "" {
		ln, err := net.Listen("tcp", o.Addr)
		if err != nil {
			t.Fatalf("fake peer: %v", err)
		}
		p.ln = ln
		p.work.Go(p.accept)
	}
	t.Cleanup(p.Close)
	return p
}

func (p *Peer) accept() {
	for {
		nc, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.take(nc)
	}
}

func (p *Peer) take(nc net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = nc.Close()
		return false
	}
	p.conns[nc] = struct{}{}
	p.count++
	if full := p.o.Most > 0 && len(p.conns) > p.o.Most; full {
		p.turned++
		p.work.Go(func() { p.turnAway(nc) })
		return true
	}
	p.most = max(p.most, len(p.conns))
	s := newSession(p, nc, p.count)
	p.work.Go(func() {
		s.serve()
		_ = nc.Close()
		p.mu.Lock()
		delete(p.conns, nc)
		p.mu.Unlock()
	})
	return true
}

func (p *Peer) turnAway(nc net.Conn) {
	_, _ = nc.Write([]byte("421 4.7.0 too many connections from you\r\n"))
	_ = nc.Close()
	p.mu.Lock()
	delete(p.conns, nc)
	p.mu.Unlock()
}

// Dial gives a connection in memory, whatever address is asked for.
func (p *Peer) Dial(_ context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	if !p.take(server) {
		_ = client.Close()
		return nil, net.ErrClosed
	}
	return client, nil
}

// Close cuts all connections and waits for their goroutines.
func (p *Peer) Close() {
	p.mu.Lock()
	if !p.closed {
		close(p.ended)
	}
	p.closed = true
	if p.ln != nil {
		_ = p.ln.Close()
	}
	for nc := range p.conns {
		_ = nc.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}

// Addr is the address the Peer listens on.
func (p *Peer) Addr() string { return p.ln.Addr().String() }

// Port is that of Addr.
func (p *Peer) Port() int {
	_, port, _ := net.SplitHostPort(p.Addr())
	n, _ := strconv.Atoi(port)
	return n
}

// Messages gives what was accepted, in order.
func (p *Peer) Messages() []Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Message(nil), p.messages...)
}

// Accepted tells how many messages were accepted so far.
func (p *Peer) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.messages)
}

// Commands gives every line that came as a command, over all connections, as "1 MAIL FROM:<a@b>": the connection's
// number first. Logins are in it as they came.
func (p *Peer) Commands() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.commands...)
}

// Count tells how many commands began with verb.
func (p *Peer) Count(verb string) (n int) {
	for _, c := range p.Commands() {
		if _, c, _ = strings.Cut(c, " "); strings.HasPrefix(strings.ToUpper(c), verb) {
			n++
		}
	}
	return n
}

// TurnedAway tells how many connections were more than Options.Most.
func (p *Peer) TurnedAway() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turned
}

// Connections tells how many connections there were, how many were open at once, and how many are open now.
func (p *Peer) Connections() (total, most, open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count, p.most, len(p.conns)
}

// Pipelined tells how many commands on a connection, counted from 1, did not wait for the reply to the one before.
func (p *Peer) Pipelined(conn int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.grouped[conn]
}

// Violations gives what the clients did that the RFCs or the peer's EHLO do not allow, each with its connection's number.
func (p *Peer) Violations() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.breaches...)
}

func (p *Peer) log(conn int, line string, more bool) {
	p.mu.Lock()
	p.commands = append(p.commands, strconv.Itoa(conn)+" "+line)
	if more {
		p.grouped[conn]++
	}
	p.mu.Unlock()
}

func (p *Peer) keep(m Message) {
	m.At = time.Now()
	p.mu.Lock()
	p.messages = append(p.messages, m)
	p.mu.Unlock()
}
