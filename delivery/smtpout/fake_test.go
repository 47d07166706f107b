package smtpout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// letter is a Content with fixed text.
type letter struct {
	text           string
	size           int64
	eightBit, utf8 bool
	err            error
	forms          []delivery.Form
	write          func(io.Writer) (int64, error)
}

func (l *letter) Ref() string { return "letter" }

func (l *letter) Open(_ context.Context, f delivery.Form) (delivery.Body, error) {
	l.forms = append(l.forms, f)
	return l, l.err
}

func (l *letter) Needs() (int64, bool, bool) {
	return max(l.size, int64(len(l.text))), l.eightBit, l.utf8
}

func (l *letter) WriteTo(w io.Writer) (int64, error) {
	if l.write != nil {
		return l.write(w)
	}
	n, err := io.WriteString(w, l.text)
	return int64(n), err
}

func (l *letter) Close() error { return nil }

func hello() *letter { return &letter{text: "Subject: hello\r\n\r\n.dot\r\nbye\r\n"} }

// feed gives batches, one Next each, and keeps what Done brings.
type feed struct {
	t       testing.TB
	batches []*delivery.Batch
	pause   func()

	mu      sync.Mutex
	open    map[delivery.ID]*delivery.Message
	done    []delivery.Outcome
	intents int
	made    int
}

func (f *feed) Next(_ context.Context, room int, _ bool) *delivery.Batch {
	if f.pause != nil {
		f.pause()
	}
	if len(f.batches) == 0 {
		return nil
	}
	b := f.batches[0]
	f.batches = f.batches[1:]
	if len(b.Messages) > room {
		rest := *b
		rest.Messages = b.Messages[room:]
		f.batches = append([]*delivery.Batch{&rest}, f.batches...)
		b.Messages = b.Messages[:room]
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == nil {
		f.open = map[delivery.ID]*delivery.Message{}
	}
	for _, m := range b.Messages {
		f.open[m.ID] = m
	}
	return b
}

func (f *feed) Done(os ...delivery.Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range os {
		if f.open[o.ID] == nil {
			f.t.Errorf("outcome of a message that is not out: %+v", o)
		}
		delete(f.open, o.ID)
		f.done = append(f.done, o)
	}
}

// serve runs s over f and checks that every message got its one outcome.
func (f *feed) serve(ctx context.Context, s delivery.Sender) error {
	f.t.Helper()
	err := s.Serve(ctx, "example.org", 0, f)
	for id := range f.open {
		f.t.Errorf("no outcome for message %s", id.Key[:])
	}
	return err
}

// batch makes one transaction to each of to.
func (f *feed) batch(c delivery.Content, to ...string) *delivery.Batch {
	b := &delivery.Batch{Date: time.Unix(1e9, 0), Intent: func(context.Context) error { f.intents++; return nil }}
	for _, a := range to {
		id := delivery.ID{Run: 1}
		f.made++
		copy(id.Key[:], itoa(f.made))
		_, domain, _ := strings.Cut(a, "@")
		b.Messages = append(b.Messages, &delivery.Message{ID: id, To: a, From: "ana@sender.example", Domain: domain, Content: c})
	}
	f.batches = append(f.batches, b)
	return b
}

func newFeed(t testing.TB, messages int) *feed {
	f := &feed{t: t}
	for i := range messages {
		f.batch(hello(), fmt.Sprintf("r%d@example.org", i))
	}
	return f
}

// inWords puts an outcome as "deferred dot 451 charged".
func inWords(o delivery.Outcome) string {
	s := o.Status.String() + " " + o.Stage.String()
	if o.Code != 0 {
		s += fmt.Sprint(" ", o.Code)
	}
	if o.Charged {
		s += " charged"
	}
	return s
}

func (f *feed) lines() string {
	var all []string
	for _, o := range f.done {
		all = append(all, inWords(o))
	}
	return strings.Join(all, ", ")
}

// ways is a Router of fixed hosts, in order, at 192.0.2.1, .2 and so on.
type ways struct {
	hops    []route.Hop
	err     error
	addr    netip.Addr // of every hop, instead
	forbid  bool
	lookups atomic.Int32
}

func mxs(demand route.Demand, names ...string) *ways {
	w := &ways{}
	for _, n := range names {
		w.hops = append(w.hops, route.Hop{Host: n, Port: 25, TLS: demand})
	}
	return w
}

func (w *ways) Site(d string) (string, bool) { return d, true }

func (w *ways) Route(_ context.Context, d string) (route.Route, error) {
	return route.Route{Site: d, Hops: w.hops}, w.err
}

func (w *ways) Addrs(_ context.Context, h route.Hop) ([]netip.Addr, error) {
	w.lookups.Add(1)
	for i := range w.hops {
		if w.hops[i] == h && !w.addr.IsValid() {
			return []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})}, nil
		}
	}
	return []netip.Addr{w.addr}, nil
}

func (w *ways) Permit(netip.Addr) error {
	if w.forbid {
		return errors.New("not a public address")
	}
	return nil
}

// running gives a Transport whose Run runs until stop is called.
func running(t testing.TB, o Options) (tr *Transport, stop func()) {
	t.Helper()
	tr, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = tr.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	return tr, stop
}

// dialers dials the i-th of them for 192.0.2.i.
func dialers(ds ...Dialer) Dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		a := netip.MustParseAddrPort(addr).Addr().As4()
		return ds[a[3]-1](ctx, network, addr)
	}
}

func itoa(n int) string { return fmt.Sprint(n) }

// twoWays has a second way out, so that trouble with a relay ends in an outcome; alone, it leaves the messages as they are.
func twoWays(p Path) []Path { return []Path{p, p} }
