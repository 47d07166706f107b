package smtpout

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// storm is twenty threads with mail for a relay that wants a login, and perhaps a fallback that wants none.
type storm struct {
	relay, spare *smtptest.Peer
	l            *ledger
	err          error
	took         time.Duration
}

// newStorm sends n messages. reply is what the relay says to a command instead of the proper reply; "" is that.
func newStorm(t *testing.T, ca *smtptest.CA, n int, fallback bool, reply func(s *storm, verb string) string) *storm {
	s := &storm{l: &ledger{by: map[delivery.Status]int{}, sent: map[delivery.ID]int{}}}
	o := smtptest.Options{Latency: 20 * time.Millisecond}
	s.spare = smtptest.Start(t, o)
	o.User, o.Password, o.TLS = "ana", "secret", ca.Server("relay.example")
	o.Reply = func(verb, _ string) string { return reply(s, verb) }
	s.relay = smtptest.Start(t, o)
	path := func(name string, demand route.Demand) Path {
		return Path{Router: one{mxs(demand, name)}, Hello: "me.example", Relay: true, TLS: &tls.Config{RootCAs: ca.Pool}}
	}
	paths := []Path{path("relay.example", route.Required)}
	paths[0].Auth = &Auth{User: "ana", Password: func(context.Context) (string, error) { return "secret", nil }}
	dial := s.relay.Dial
	if fallback {
		p := path("spare.example", route.None)
		p.Router.(one).addr = netip.MustParseAddr("192.0.2.2")
		paths, dial = append(paths, p), dialers(s.relay.Dial, s.spare.Dial)
	}
	tr, stop := running(t, Options{Paths: paths, Dial: dial})
	d, err := delivery.New(delivery.Options{
		General:     delivery.QueueOptions{Name: "general", Sender: tr.Queue(QueueOptions{PerConnection: 5})},
		Connections: 20, Fallback: fallback,
		Revive: func(m *delivery.Message, _ string) error {
			m.To, m.From, m.Content, m.Journal = fmt.Sprintf("%d@%s", m.ID.Key[0], m.Domain), "ana@sender.example", hello(), s.l
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	began, ended := time.Now(), make(chan error)
	go func() { ended <- d.Run(t.Context()) }()
	for i := range n {
		m := &delivery.Message{From: "ana@sender.example", Domain: fmt.Sprintf("d%d.example", i%8), Content: hello(), Journal: s.l}
		m.ID.Key = [16]byte{byte(i), byte(i >> 8)}
		m.To = fmt.Sprintf("%d@%s", i, m.Domain)
		if d.Submit(t.Context(), m) != nil {
			break
		}
	}
	d.Close()
	s.err, s.took = <-ended, time.Since(began)
	stop()
	return s
}

// halts demands that the run ended with a refusal of this code, and that nobody's mail failed.
func (s *storm) halts(t *testing.T, code int) {
	t.Helper()
	var h *delivery.Halt
	if !errors.As(s.err, &h) || h.Stage != delivery.StageAuth || h.Code != code {
		t.Errorf("ended with %v", s.err)
	}
	if s.l.by[delivery.Failed] > 0 {
		t.Errorf("held against messages: %v", s.l.by)
	}
}

// A wrong password is tried once, however many connections there are; a fallback takes all.
func TestFaultsS24OneLogin(t *testing.T) {
	tell(t, "S24 login refused, 20 connections", "tried once, and the run ends; a fallback takes all")
	ca := smtptest.NewCA(t)
	for _, fallback := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newStorm(t, ca, 400, fallback, func(_ *storm, verb string) string {
				return map[string]string{"AUTH": "535 5.7.8 no"}[verb]
			})
			if n := s.relay.Count("AUTH"); n != 1 {
				t.Errorf("%d logins", n)
			}
			if fallback && (s.err != nil || s.spare.Accepted() != 400) {
				t.Errorf("%v; the fallback got %d of 400", s.err, s.spare.Accepted())
			}
			if !fallback {
				s.halts(t, 535)
			}
			t.Attr("seen", fmt.Sprintf("%d login, with a fallback too", s.relay.Count("AUTH")))
		})
	}
}

// A password that is changed in mid-campaign is refused twice at most.
func TestFaultsS24LoginRefusedLater(t *testing.T) {
	tell(t, "S24 login refused in mid-campaign, 20 connections", "tried twice at most, and the run ends; no mail fails")
	ca := smtptest.NewCA(t)
	synctest.Test(t, func(t *testing.T) {
		var refused atomic.Int32
		s := newStorm(t, ca, 2000, false, func(s *storm, verb string) string {
			if verb == "AUTH" && s.relay.Accepted() >= 500 {
				refused.Add(1)
				return "535 5.7.8 no"
			}
			return ""
		})
		if n := refused.Load(); n < 1 || n > 2 {
			t.Errorf("%d logins were refused", n)
		}
		s.halts(t, 535)
		if n := s.relay.Accepted(); n != len(s.l.sent) || n < 500 {
			t.Errorf("%d accepted, %d in the journal", n, len(s.l.sent))
		}
		t.Attr("seen", fmt.Sprintf("at most 2 logins after 500 letters, %d failed", s.l.by[delivery.Failed]))
	})
}

// A relay that cannot check logins for a while is asked now and then, and gets everything afterwards.
func TestFaultsS25LoginBacksOff(t *testing.T) {
	tell(t, "S25 login 454 and 421 for 4 minutes, 20 connections", "asked now and then; everybody gets theirs afterwards")
	ca := smtptest.NewCA(t)
	for _, reply := range []string{"454 4.7.0 later", "421 4.3.2 busy"} {
		synctest.Test(t, func(t *testing.T) {
			began, refused := time.Now(), atomic.Int32{}
			s := newStorm(t, ca, 400, false, func(_ *storm, verb string) string {
				if verb == "AUTH" && time.Since(began) < 4*time.Minute {
					refused.Add(1)
					return reply
				}
				return ""
			})
			if s.err != nil || s.relay.Accepted() != 400 {
				t.Errorf("%s: %v; %d of 400", reply, s.err, s.relay.Accepted())
			}
			if n := refused.Load(); n > 10 { // one each half minute
				t.Errorf("%s: %d logins were put off", reply, n)
			}
			if s.took > 6*time.Minute {
				t.Errorf("%s: took %v", reply, s.took)
			}
			t.Attr("seen", fmt.Sprintf("%d of 400 accepted, %d logins were put off, took %s", s.relay.Accepted(), refused.Load(), s.took.Round(time.Second)))
		})
	}
}

// A login that hangs holds nobody up for longer than one does.
func TestFaultsS25LoginHangs(t *testing.T) {
	tell(t, "S25 login hangs for an hour, 20 connections", "the fallback takes all, after one limit")
	ca := smtptest.NewCA(t)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := newStorm(t, ca, 400, true, func(_ *storm, verb string) string {
			if verb == "AUTH" {
				<-time.After(time.Hour - time.Since(began))
			}
			return ""
		})
		if s.err != nil || s.spare.Accepted() != 400 {
			t.Errorf("%v; the fallback got %d of 400", s.err, s.spare.Accepted())
		}
		if n := s.relay.Count("AUTH"); n > 10 || s.took > 3*time.Minute {
			t.Errorf("%d logins in %v", n, s.took)
		}
		t.Attr("seen", fmt.Sprintf("the fallback got %d of 400, took %s", s.spare.Accepted(), s.took.Round(time.Second)))
	})
}

// A relay that wants a login at MAIL gets one MAIL a connection, and nobody fails.
func TestFaultsS27NoFailures(t *testing.T) {
	tell(t, "S27 530 at MAIL, 20 connections", "asked once a connection, and the run ends; no mail fails")
	ca := smtptest.NewCA(t)
	synctest.Test(t, func(t *testing.T) {
		s := newStorm(t, ca, 400, false, func(_ *storm, verb string) string {
			return map[string]string{"MAIL": "530 5.7.0 log in first"}[verb]
		})
		s.halts(t, 530)
		if n := s.relay.Count("MAIL"); n > 20 {
			t.Errorf("%d times MAIL", n)
		}
		t.Attr("seen", fmt.Sprintf("halt 530 after at most 20 MAIL, %d failed", s.l.by[delivery.Failed]))
	})
}
