package delivery

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery/pace"
)

// Who unsubscribes while the campaign is being sent gets nothing from that moment on: not at the first try, not at a
// later one, and not when the message waited on disk. Nobody else waits for that.
func TestBarredJustBeforeTheTry(t *testing.T) {
	for _, c := range []struct {
		name   string
		memory int64
		after  int // messages that Next gave, after which a.example is barred
		retry  bool
	}{
		{name: "from the start"},
		{name: "in the middle", after: 40},
		{name: "spilled", memory: 4096, after: 5},
		{name: "before the second try", after: 400, retry: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				given, tries := 0, map[string]int{}
				s := &fakeSender{answer: func(_ context.Context, _ string, _ int, b *Batch) []Outcome {
					given += len(b.Messages)
					for _, m := range b.Messages {
						if tries[m.To]++; m.Domain == "a.example" && given > c.after+len(b.Messages) {
							t.Errorf("%s was tried after it was barred", m.To)
						}
					}
					if c.retry {
						return all(b, softRcpt)
					}
					return all(b, sent)
				}}
				r := newRig(t, Options{
					General: QueueOptions{Sender: s}, Connections: 1, Memory: c.memory, Rate: pace.Rate{N: 50, Per: time.Second},
					Retry: pace.Retry{For: 3 * time.Minute},
					Barred: func(m *Message) (string, bool) {
						return "suppressed: complaint", m.Domain == "a.example" && given >= c.after
					},
				})
				end := r.start(t.Context())
				a, b := r.submit("a.example", 200), r.submit("b.example", 200)
				began := time.Now()
				r.d.Close()
				if err := end(); err != nil {
					t.Fatal(err)
				}
				barred := 0
				for _, m := range a {
					os := r.j.of(m)
					last := os[len(os)-1]
					switch {
					case last.Status == Suppressed && last.Text == "suppressed: complaint" && last.Stage == StageGate && last.Try == tries[m.To]:
						barred++
					case c.after == 0 || c.retry || last.Status != Sent:
						t.Fatalf("%+v", os)
					}
				}
				for _, m := range b {
					if os := r.j.of(m); os[len(os)-1].Status == Suppressed {
						t.Errorf("%+v", os)
					}
				}
				if barred == 0 || c.after < 400 && barred < 200-c.after {
					t.Errorf("%d were barred", barred)
				}
				if c.after == 0 && time.Since(began) > 4500*time.Millisecond {
					t.Errorf("200 at 50/s took %s: those who were barred took part of the rate", time.Since(began))
				}
			})
		})
	}
}

// Of a letter to several only those who may get it are in its transaction.
func TestBarredClone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string // of each transaction
		s := &fakeSender{room: 10, answer: func(_ context.Context, _ string, _ int, b *Batch) []Outcome {
			mu.Lock()
			defer mu.Unlock()
			var whom []string
			for _, m := range b.Messages {
				whom = append(whom, m.To)
			}
			got = append(got, strings.Join(whom, " "))
			return all(b, sent)
		}}
		r := newRig(t, Options{General: QueueOptions{Sender: s}})
		ms := []*Message{r.clone("a.example", "one"), r.clone("a.example", "one"), r.clone("a.example", "one")}
		r.d.o.Barred = func(m *Message) (string, bool) { return "suppressed", m.ID == ms[1].ID }
		end := r.start(t.Context())
		if err := r.d.Submit(t.Context(), ms...); err != nil {
			t.Fatal(err)
		}
		r.d.Close()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if want := ms[0].To + " " + ms[2].To; len(got) != 1 || got[0] != want {
			t.Errorf("got %q, want one of %s", got, want)
		}
	})
}
