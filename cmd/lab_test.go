package cmd

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// lab is a small internet on loopback: a name server, and mail exchangers on addresses of their own that share a port.
type lab struct {
	t    *testing.T
	port int // of every mail exchanger
	dns  string

	mu      sync.Mutex
	records map[string][]dns.RR
	asked   map[string]int // by "TYPE name"
}

// newLab starts the name server. What it has no record of does not exist.
func newLab(t *testing.T, records ...string) *lab {
	t.Helper()
	l := &lab{t: t, records: map[string][]dns.RR{}, asked: map[string]int{}}
	l.know(records...)
	tcp, udp := bothPorts(t)
	l.dns = tcp.Addr().String()
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: l}, {Listener: tcp, Handler: l}} {
		up, done := make(chan struct{}), make(chan error, 1)
		s.NotifyStartedFunc = func() { close(up) }
		go func() { done <- s.ActivateAndServe() }()
		<-up
		t.Cleanup(func() {
			if err := s.Shutdown(); err != nil {
				t.Error(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	return l
}

// bothPorts gives one port of both protocols. Other tests take ports at the same time, so the pair may need some tries.
func bothPorts(t *testing.T) (net.Listener, net.PacketConn) {
	t.Helper()
	var fault error
	for range 50 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return tcp, udp
		}
		tcp.Close()
		fault = err
	}
	t.Fatal(fault)
	return nil, nil
}

// know adds records in the form of a zone file, without TTL and class: "a.test. MX 10 mx.a.test."
func (l *lab) know(records ...string) {
	l.t.Helper()
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			l.t.Fatal(err)
		}
		l.mu.Lock()
		l.records[rr.Header().Name] = append(l.records[rr.Header().Name], rr)
		l.mu.Unlock()
	}
}

// ServeDNS answers one question.
func (l *lab) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	name, kind := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked[dns.TypeToString[kind]+" "+name]++
	m := new(dns.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true
	rrs, ok := l.records[name]
	if !ok {
		m.Rcode = dns.RcodeNameError
	}
	for _, rr := range rrs {
		if rr.Header().Rrtype == kind {
			m.Answer = append(m.Answer, rr)
		}
	}
	_ = w.WriteMsg(m)
}

// questions gives how often each question was asked.
func (l *lab) questions() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]int{}
	for q, n := range l.asked {
		all[q] = n
	}
	return all
}

// peer starts a mail exchanger at 127.0.0.last.
func (l *lab) peer(last int, o smtptest.Options) *smtptest.Peer {
	l.t.Helper()
	ip := fmt.Sprintf("127.0.0.%d", last)
	if probe, err := net.Listen("tcp", ip+":0"); err != nil {
		lack(l.t, fmt.Sprintf("this system cannot listen on %s: %v", ip, err))
	} else {
		probe.Close()
	}
	o.Addr = fmt.Sprintf("%s:%d", ip, l.port)
	p := smtptest.Start(l.t, o)
	l.port = p.Port()
	return p
}

// direct is the part of a campaign that delivers to the lab's mail exchangers.
func (l *lab) direct() string {
	return fmt.Sprintf("delivery: direct\ndirect: {port: %d, resolver: \"%s\", allow_networks: [127.0.0.0/8], hello: client.test}\n", l.port, l.dns)
}
