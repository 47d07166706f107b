package smtpout

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// With a second of latency before each reply to what came in one write, time counts round trips.
func TestRoundTrips(t *testing.T) {
	for _, c := range []struct {
		name string
		ext  []string
		n    int // recipients
		want int // EHLO included; QUIT not
	}{
		{"pipelined", nil, 1, 1 + 1},
		{"pipelined, 50 recipients", nil, 50, 1 + 1},
		{"one by one", []string{}, 3, 1 + 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, smtptest.Options{Extensions: c.ext, Latency: time.Second}, 0, func(l *lab) {
				f := &feed{t: l.t}
				var to []string
				for i := range c.n {
					to = append(to, strings.Repeat("x", i+1)+"@example.org")
				}
				f.batch(hello(), to...)
				began := time.Now()
				if err := f.serve(l.t.Context(), l.tr.Queue(QueueOptions{})); err != nil || len(f.done) != c.n || f.done[0].Status != delivery.Sent {
					l.t.Errorf("%s, %v", f.lines(), err)
				}
				if took := time.Since(began); took != time.Duration(c.want)*time.Second {
					l.t.Errorf("%v, want %d round trips", took, c.want)
				}
				if len(l.p.Messages()) != 1 || len(l.p.Messages()[0].To) != c.n {
					l.t.Error("not one transaction")
				}
			})
		})
	}
}

// The dot waits for the intent, and for nothing else.
func TestDotWaitsForIntent(t *testing.T) {
	inLab(t, smtptest.Options{}, 0, func(l *lab) {
		f := newFeed(l.t, 1)
		f.batches[0].Intent = func(context.Context) error {
			time.Sleep(time.Minute)
			if n := l.p.Count("DATA"); n != 1 || len(l.p.Messages()) != 0 {
				l.t.Errorf("%d times DATA, %d messages before the intent is on disk", n, len(l.p.Messages()))
			}
			return nil
		}
		if err := f.serve(l.t.Context(), l.tr.Queue(QueueOptions{})); err != nil || f.lines() != sent {
			l.t.Errorf("%s, %v", f.lines(), err)
		}
	})
}

func TestFaultsOfOurSideSendNothing(t *testing.T) {
	for name, breakIt := range map[string]func(*feed){
		"intent": func(f *feed) { f.batches[0].Intent = func(context.Context) error { return errOurs } },
		"open":   func(f *feed) { f.batches[0].Messages[0].Content.(*letter).err = errOurs },
		"body": func(f *feed) {
			f.batches[0].Messages[0].Content.(*letter).write = func(w io.Writer) (int64, error) {
				n, _ := io.WriteString(w, "half a letter\r\n")
				return int64(n), errOurs
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, smtptest.Options{}, 0, func(l *lab) {
				f := newFeed(l.t, 2)
				breakIt(f)
				err := f.serve(l.t.Context(), l.tr.Queue(QueueOptions{}))
				if !errors.Is(err, errOurs) || f.lines() != "not-tried gate" || len(l.p.Messages()) != 0 {
					l.t.Errorf("%s, %v, %d messages", f.lines(), err, len(l.p.Messages()))
				}
			})
		})
	}
}

func TestUnfitLetterKeepsTheConnection(t *testing.T) {
	inLab(t, smtptest.Options{}, 0, func(l *lab) {
		f := newFeed(l.t, 2)
		f.batches[0].Messages[0].Content.(*letter).err = &delivery.Unfit{Status: delivery.Failed, Class: delivery.ClassContent, Text: "no name"}
		if err := f.serve(l.t.Context(), l.tr.Queue(QueueOptions{})); err != nil || f.lines() != "failed compose charged, "+sent {
			l.t.Errorf("%s, %v", f.lines(), err)
		}
		if o := f.done[0]; o.Class != delivery.ClassContent || o.Text != "no name" || l.dials != 1 || l.p.Count("MAIL") != 1 {
			l.t.Errorf("%+v, %d dials", o, l.dials)
		}
	})
}

func TestMailCommandSaysWhatTheBodyNeeds(t *testing.T) {
	all := []string{"8BITMIME", "SMTPUTF8", "SIZE"}
	for _, c := range []struct {
		name string
		l    letter
		to   string
		ext  []string
		want string // MAIL's arguments, or the outcome's enhanced code
	}{
		{"plain", letter{text: "a\r\n"}, "a@example.org", all, "FROM:<ana@sender.example> SIZE=3"},
		{"8 bit", letter{text: "a\r\n", eightBit: true}, "a@example.org", all, "FROM:<ana@sender.example> SIZE=3 BODY=8BITMIME"},
		{"UTF-8", letter{text: "a\r\n", eightBit: true, utf8: true}, "a@example.org", all, "FROM:<ana@sender.example> SIZE=3 BODY=8BITMIME SMTPUTF8"},
		{"UTF-8 recipient", letter{text: "a\r\n"}, "ñ@example.org", all, "FROM:<ana@sender.example> SIZE=3 SMTPUTF8"},
		{"nothing offered", letter{text: "a\r\n"}, "a@example.org", []string{}, "FROM:<ana@sender.example>"},
		{"S56 8 bit not offered", letter{text: "a\r\n", eightBit: true}, "a@example.org", []string{}, "5.6.1"},
		{"S56 UTF-8 not offered", letter{text: "a\r\n", utf8: true}, "a@example.org", []string{}, "5.6.7"},
		{"S56 UTF-8 recipient, not offered", letter{text: "a\r\n"}, "ñ@example.org", []string{}, "5.6.7"},
		{"S55 too big", letter{text: "a\r\n", size: 11}, "a@example.org", []string{"SIZE 10"}, "5.3.4"},
		{"command in the address", letter{text: "a\r\n"}, "a@example.org>\r\nRCPT TO:<b@example.org", all, "5.1.3"},
		{"parameter in the address", letter{text: "a\r\n"}, "a@example.org> NOTIFY=NEVER", all, "5.1.3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, smtptest.Options{Extensions: c.ext}, 0, func(l *lab) {
				f := &feed{t: l.t}
				f.batch(&c.l, c.to)
				if err := f.serve(l.t.Context(), l.tr.Queue(QueueOptions{})); err != nil {
					l.t.Fatal(err)
				}
				form := delivery.Form{EightBit: len(c.ext) == 3, UTF8: len(c.ext) == 3, Date: time.Unix(1e9, 0)}
				if c.l.forms[0] != form {
					l.t.Errorf("rendered for %+v", c.l.forms[0])
				}
				if strings.HasPrefix(c.want, "5") {
					if o := f.done[0]; o.Status != delivery.Failed || o.Enhanced != c.want || l.p.Count("MAIL") != 0 || o.Class != delivery.ClassContent {
						l.t.Errorf("%+v, %q", o, l.p.Commands())
					}
					return
				}
				if got := l.p.Commands(); f.lines() != sent || got[1] != "1 MAIL "+c.want || len(l.p.Messages()[0].To) != 1 {
					l.t.Errorf("%s, %q", f.lines(), got)
				}
			})
		})
	}
}

// The second Ctrl-C: what has its dot out is unknown, the rest was not tried, and it is over at once.
func TestCut(t *testing.T) {
	for script, want := range map[string]string{
		"connect: hang":            "not-tried gate",
		"mail: hang":               "not-tried gate",
		"data: hang":               "not-tried gate",
		"body: hang":               "not-tried dot",
		"dot: hang":                "unknown dot charged",
		"dot: accept; hang":        "unknown dot charged",
		`dot: raw "250-cut"; hang`: "unknown dot charged",
	} {
		t.Run(script, func(t *testing.T) {
			inLab(t, smtptest.Options{Scripts: []string{script}}, 0, func(l *lab) {
				ctx, cancel := context.WithCancel(l.t.Context())
				f := newFeed(l.t, 3)
				f.batches = f.batches[:1]
				began := time.Now()
				time.AfterFunc(30*time.Second, cancel)
				err := f.serve(ctx, l.tr.Queue(QueueOptions{}))
				if !errors.Is(err, context.Canceled) || f.lines() != want || time.Since(began) != 30*time.Second {
					l.t.Errorf("%s, %v after %v", f.lines(), err, time.Since(began))
				}
				synctest.Wait()
			})
		})
	}
}

// A drained feed gives the connection back, and the end of Run says QUIT on it.
func TestEndSaysQuit(t *testing.T) {
	inLab(t, smtptest.Options{}, 0, func(l *lab) {
		l.send(l.tr.Queue(QueueOptions{}), 1, sent)
		l.stop()
		if l.p.Count("QUIT") != 1 || len(idle(l.tr)) != 0 {
			l.t.Errorf("%q", l.p.Commands())
		}
		l.send(l.tr.Queue(QueueOptions{}), 1, sent)
		if len(idle(l.tr)) != 0 {
			l.t.Error("kept after the end")
		}
	})
}

func BenchmarkSend(b *testing.B) {
	for _, pipelining := range []bool{true, false} {
		b.Run(map[bool]string{true: "pipelined", false: "serial"}[pipelining], func(b *testing.B) {
			p := smtptest.Start(b, smtptest.Options{Addr: "127.0.0.1:0", Data: func(string, []string) bool { return false }})
			path := relayTo(p, "mx.example", 0)
			tr, stop := running(b, Options{Paths: []Path{path}, Pipelining: pipelining})
			defer stop()
			s := tr.Queue(QueueOptions{PerConnection: 1000})
			l := &letter{text: strings.Repeat(strings.Repeat("x", 70)+"\r\n", 60)}
			f := &endless{left: b.N, b: delivery.Batch{
				Messages: []*delivery.Message{{To: "a@example.org", From: "b@example.org", Content: l}},
				Intent:   func(context.Context) error { return nil },
			}}
			b.ReportAllocs()
			b.ResetTimer()
			if err := s.Serve(context.Background(), "example.org", 0, f); err != nil || f.sent != b.N {
				b.Fatal(f.sent, err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// endless gives one batch over and over.
type endless struct {
	left, sent int
	b          delivery.Batch
}

func (e *endless) Next(context.Context, int, bool) *delivery.Batch {
	if e.left--; e.left < 0 {
		return nil
	}
	e.b.Messages[0].Content.(*letter).forms = nil
	return &e.b
}

func (e *endless) Done(os ...delivery.Outcome) {
	for _, o := range os {
		if o.Status == delivery.Sent {
			e.sent++
		}
	}
}

// A letter that panics in mid-message must not leave its connection to the next one, whose commands would be body.
func TestPanicClosesTheConnection(t *testing.T) {
	inLab(t, smtptest.Options{}, 0, func(l *lab) {
		f := newFeed(l.t, 1)
		f.batches[0].Messages[0].Content.(*letter).write = func(io.Writer) (int64, error) { panic("template") }
		func() {
			defer func() { _ = recover() }()
			_ = l.tr.Queue(QueueOptions{}).Serve(l.t.Context(), "example.org", 0, f)
		}()
		if l.open != 0 || len(idle(l.tr)) != 0 {
			l.t.Errorf("%d sockets open", l.open)
		}
	})
}

// An error reply may carry anything; what is kept of it can be shown on a terminal.
func TestReplyTextIsPrintable(t *testing.T) {
	inLab(t, smtptest.Options{Scripts: []string{`rcpt: raw "550 5.1.1 \x1b]0 owned\x07 <a@example.org>\r\n"`}}, 0, func(l *lab) {
		f := l.send(l.tr.Queue(QueueOptions{}), 1, "failed rcpt 550 charged")
		if o := f.done[0]; o.Text != `\x1b]0 owned\a <a@example.org>` || o.Enhanced != "5.1.1" || o.Class != delivery.ClassHard {
			l.t.Errorf("%+v", o)
		}
	})
}
