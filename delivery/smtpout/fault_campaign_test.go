package smtpout

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// town is a Router: each domain has its hosts, the i-th of all hosts is at 192.0.2.i and has a peer behind it.
type town struct {
	hosts []string
	peers []*smtptest.Peer
	mx    map[string][]string // hosts by domain; a domain that is not in it is its own host
	tls   route.Demand
}

func (w *town) Site(d string) (string, bool) { return strings.Join(w.of(d), " "), true }

func (w *town) of(d string) []string {
	if hosts := w.mx[d]; hosts != nil {
		return hosts
	}
	return []string{d}
}

func (w *town) Route(_ context.Context, d string) (route.Route, error) {
	r := route.Route{}
	r.Site, _ = w.Site(d)
	for _, h := range w.of(d) {
		r.Hops = append(r.Hops, route.Hop{Host: h, Port: 25, TLS: w.tls})
	}
	return r, nil
}

func (w *town) Addrs(_ context.Context, h route.Hop) ([]netip.Addr, error) {
	return []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(slices.Index(w.hosts, h.Host) + 1)})}, nil
}

func (w *town) Permit(netip.Addr) error { return nil }

// host adds a host.
func (w *town) host(t *testing.T, name string, o smtptest.Options) *smtptest.Peer {
	p := smtptest.Start(t, o)
	w.hosts, w.peers = append(w.hosts, name), append(w.peers, p)
	return p
}

func (w *town) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	a := netip.MustParseAddrPort(addr).Addr().As4()
	return w.peers[a[3]-1].Dial(ctx, network, addr)
}

// accepted gives how many copies of each message the hosts have taken, by its Message-ID.
func (w *town) accepted() map[string]int {
	n := map[string]int{}
	for _, p := range w.peers {
		for _, m := range p.Messages() {
			id, _, _ := strings.Cut(strings.TrimPrefix(m.Data, "Message-ID: "), "\r\n")
			n[id]++
		}
	}
	return n
}

// book is a journal that keeps every outcome of each message that was tried, in order.
type book struct {
	mu   sync.Mutex
	all  map[delivery.ID][]delivery.Outcome
	back int // messages that were not tried after all
}

func (b *book) Intend([]*delivery.Message) func(context.Context) error {
	return func(context.Context) error { return nil }
}
func (b *book) Defer(*delivery.Message, delivery.Outcome) bool { return false }
func (b *book) Record(os []delivery.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range os {
		if o.Status == delivery.NotTried {
			b.back++
			continue
		}
		b.all[o.ID] = append(b.all[o.ID], o)
	}
}

// posting is a campaign in small, in virtual time: a dispatcher over a Transport over a town.
type posting struct {
	*town
	t      *testing.T
	o      delivery.Options
	path   Path
	dialer Dialer     // nil: the town's
	to     [][]string // the recipients of each letter
	most   int        // sockets; 0: the Transport's own limit
	poison map[int]func(*numbered) delivery.Content
	book   *book
	began  time.Time
	took   time.Duration
	err    error
}

func newPosting(t *testing.T) *posting {
	w := &town{mx: map[string][]string{}}
	return &posting{t: t, town: w, path: Path{Router: w, Hello: "me.example"}, book: &book{all: map[delivery.ID][]delivery.Outcome{}},
		o: delivery.Options{Connections: 4}}
}

// logsIn makes the way a login over TLS.
func (p *posting) logsIn(ca *smtptest.CA) {
	p.tls, p.path.TLS = route.Required, &tls.Config{RootCAs: ca.Pool}
	p.path.Auth = &Auth{User: "ana", Password: func(context.Context) (string, error) { return "secret", nil }}
}

// mail adds n letters to one recipient each, in domains by turns.
func (p *posting) mail(n int, domains ...string) {
	for i := range n {
		p.to = append(p.to, []string{fmt.Sprintf("p%d@%s", len(p.to), domains[i%len(domains)])})
	}
}

func (p *posting) content(i int) delivery.Content {
	l := &numbered{letter{text: fmt.Sprintf("Message-ID: <%d@me.example>\r\n\r\nhello\r\n", i)}, i}
	if bad := p.poison[i]; bad != nil {
		return bad(l)
	}
	return l
}

// numbered is a letter that differs from the others.
type numbered struct {
	letter
	n int
}

func (l *numbered) Ref() string { return fmt.Sprint(l.n) }

func (l *numbered) Open(context.Context, delivery.Form) (delivery.Body, error) { return &l.letter, nil }

func (p *posting) run() {
	p.t.Helper()
	dial := p.dialer
	if dial == nil {
		dial = p.dial
	}
	tr, stop := running(p.t, Options{Paths: []Path{p.path}, MaxOpen: p.most, Pipelining: true, Dial: dial})
	p.o.General.Name, p.o.General.Sender = "general", tr.Queue(QueueOptions{})
	p.o.Revive = func(m *delivery.Message, ref string) error {
		var i int
		_, err := fmt.Sscan(ref, &i)
		m.To, m.From, m.Content, m.Journal = p.to[i][m.ID.Copy], "ana@sender.example", p.content(i), p.book
		return err
	}
	d, err := delivery.New(p.o)
	if err != nil {
		p.t.Fatal(err)
	}
	p.began = time.Now()
	ended := make(chan error)
	go func() { ended <- d.Run(p.t.Context()) }()
	for i, to := range p.to {
		var ms []*delivery.Message
		for k, a := range to {
			_, domain, _ := strings.Cut(a, "@")
			ms = append(ms, &delivery.Message{ID: p.id(i, k), To: a, From: "ana@sender.example", Domain: domain, Content: p.content(i), Journal: p.book})
		}
		if d.Submit(p.t.Context(), ms...) != nil {
			break // the run has ended
		}
	}
	d.Close()
	p.err = <-ended
	p.took = time.Since(p.began)
	stop()
	for _, peer := range p.peers {
		if v := peer.Violations(); len(v) > 0 {
			p.t.Errorf("violations: %q", v)
		}
	}
}

func (p *posting) id(i, k int) delivery.ID {
	return delivery.ID{Key: [16]byte{byte(i), byte(i >> 8)}, Copy: uint16(k)}
}

// story is all that became of the first recipient of letter i, each with its time.
func (p *posting) story(i int) string {
	var all []string
	for _, o := range p.book.all[p.id(i, 0)] {
		all = append(all, fmt.Sprintf("%s at %s", inWords(o), o.At.Sub(p.began)))
	}
	return strings.Join(all, ", ")
}

// totals counts the last outcome of each recipient, and those without any as pending.
func (p *posting) totals() map[string]int {
	n := map[string]int{}
	for i, to := range p.to {
		for k := range to {
			os := p.book.all[p.id(i, k)]
			if len(os) == 0 {
				n["pending"]++
				continue
			}
			n[os[len(os)-1].Status.String()]++
		}
	}
	return n
}
