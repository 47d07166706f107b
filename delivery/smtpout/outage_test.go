package smtpout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// one is a relay: one site for all domains.
type one struct{ *ways }

func (one) Site(string) (string, bool) { return "relay", true }

// ledger counts outcomes. It is the journal of the messages of these tests.
type ledger struct {
	mu   sync.Mutex
	by   map[delivery.Status]int
	sent map[delivery.ID]int
}

func (l *ledger) Intend([]*delivery.Message) func(context.Context) error {
	return func(context.Context) error { return nil }
}
func (l *ledger) Defer(*delivery.Message, delivery.Outcome) bool { return false }
func (l *ledger) Record(os []delivery.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range os {
		l.by[o.Status]++
		if o.Status == delivery.Sent || o.Status == delivery.Unknown {
			l.sent[o.ID]++
		}
	}
}

// outageLab sends n messages to eight domains over four connections to a relay that is away from one time to another.
func outageLab(t *testing.T, n int, from, to time.Duration) (l *ledger, log string, took time.Duration, err error) {
	l = &ledger{by: map[delivery.Status]int{}, sent: map[delivery.ID]int{}}
	peer := smtptest.Start(t, smtptest.Options{Latency: 100 * time.Millisecond})
	began := time.Now()
	away := func() bool { d := time.Since(began); return d >= from && d < to }
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if away() {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}
		nc, err := peer.Dial(ctx, network, addr)
		if err == nil && time.Since(began) < from {
			time.AfterFunc(from-time.Since(began), func() { _ = nc.Close() })
		}
		return nc, err
	}
	var said bytes.Buffer
	tr, stop := running(t, Options{
		Paths: []Path{{Router: one{mxs(route.None, "relay.example")}, Hello: "me.example", Relay: true}}, Dial: dial,
		Log: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	d, err := delivery.New(delivery.Options{
		General:     delivery.QueueOptions{Name: "general", Sender: tr.Queue(QueueOptions{})},
		Connections: 4,
		Revive: func(m *delivery.Message, _ string) error {
			m.To, m.From, m.Content, m.Journal = fmt.Sprintf("%d@%s", m.ID.Key[0], m.Domain), "ana@sender.example", hello(), l
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- d.Run(t.Context()) }()
	for i := range n {
		m := &delivery.Message{From: "ana@sender.example", Domain: fmt.Sprintf("d%d.example", i%8), Content: hello(), Journal: l}
		m.ID.Key = [16]byte{byte(i), byte(i >> 8)}
		m.To = fmt.Sprintf("%d@%s", i, m.Domain)
		if err := d.Submit(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	d.Close()
	err = <-ended
	took = time.Since(began)
	stop()
	return l, said.String(), took, err
}

// The only relay is away for a minute: its messages stay as they are, and go on soon after it is back.
func TestOnlyRelayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log, took, err := outageLab(t, 400, 5*time.Second, 65*time.Second)
		if err != nil || len(l.sent) != 400 {
			t.Fatalf("%v; %d of 400 sent", err, len(l.sent))
		}
		if l.by[delivery.Deferred] > 16 || l.by[delivery.Failed] > 0 {
			t.Errorf("an outage of the relay was held against messages: %v", l.by)
		}
		if took > 3*time.Minute {
			t.Errorf("it took %v", took)
		}
		if strings.Count(log, "cannot be reached") != 1 || strings.Count(log, "is back") != 1 {
			t.Errorf("said:\n%s", log)
		}
	})
}

// A relay that stays away ends the run, with every message as it was.
func TestOnlyRelayStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log, took, err := outageLab(t, 40, 0, 24*time.Hour)
		var halt *delivery.Halt
		if !errors.As(err, &halt) || halt.Stage != delivery.StageConnect || halt.Host == "" {
			t.Errorf("got %v", err)
		}
		if took < 10*time.Minute || took > 12*time.Minute {
			t.Errorf("it took %v", took)
		}
		if len(l.by) != 1 || l.by[delivery.NotTried] == 0 || l.by[delivery.NotTried] > 400 {
			t.Errorf("outcomes %v", l.by)
		}
		if strings.Count(log, "cannot be reached") != 1 {
			t.Errorf("said:\n%s", log)
		}
	})
}
