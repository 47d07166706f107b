package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery/panicked"
)

// A thread that panics costs its messages a try, and none is sent twice; the run goes on and tells at its end, though not what
// the panic says: that may be the row.
func TestFaultPanicInAThread(t *testing.T) {
	for armed, want := range map[bool][]Status{true: {Unknown}, false: {Deferred, Sent}} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			r := newRig(t, Options{Connections: 1, General: QueueOptions{Sender: faulty(func(ctx context.Context, _ int, f Feed) error {
				if n++; n == 1 {
					b := f.Next(ctx, 1, true)
					if armed {
						_ = b.Intent(ctx)
					}
					panic("out of range")
				}
				serveAll(ctx, f)
				return nil
			})}})
			end := r.start(context.Background())
			ms := r.submit("a.example", 3)
			r.d.Close()
			if err := end(); !errors.As(err, new(*panicked.Contained)) || strings.Contains(err.Error(), "out of range") ||
				!strings.Contains(err.Error(), "a fault of our own at fault_panic_test.go:") {
				t.Error(err)
			}
			var got []Status
			for _, o := range r.j.of(ms[0]) {
				got = append(got, o.Status)
			}
			if !slices.Equal(got, want) {
				t.Errorf("intent awaited %v: %v, want %v", armed, got, want)
			}
		})
	}
	t.Attr("fault", "R21 panic in one worker, once, before or after its dot may have left")
	t.Attr("expected", "tried again, or unknown; the campaign goes on, and tells at its end")
	t.Attr("seen", "deferred, then sent; unknown, never sent twice; the others sent, the run ends with a fault of our own")
}

// A letter that panics at every try is given up at its second; all others are sent.
func TestFaultPanicAtEveryTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bad *Message
		var log strings.Builder
		s := &fakeSender{answer: func(_ context.Context, _ string, _ int, b *Batch) []Outcome {
			if b.Messages[0].ID == bad.ID {
				panic("cannot write to " + b.Messages[0].To)
			}
			return nil
		}}
		r := newRig(t, Options{Connections: 3, General: QueueOptions{Sender: s}, Log: slog.New(slog.NewTextHandler(&log, nil))})
		end := r.start(context.Background())
		bad = r.message("a.example")
		r.submit("a.example", 50)
		if err := r.d.Submit(context.Background(), bad); err != nil {
			t.Fatal(err)
		}
		r.submit("a.example", 50)
		r.d.Close()
		var told *panicked.Contained
		if err := end(); !errors.As(err, &told) || told.Times != 2 {
			t.Errorf("%v", err)
		}
		os := r.j.of(bad)
		if len(os) != 2 || os[0].Status != Deferred || os[1].Status != Failed || os[0].Charged || !strings.Contains(os[1].Text, "a fault of our own") {
			t.Errorf("%+v", os)
		}
		if n := r.j.finals(); n[Sent] != 100 || n[Failed] != 1 {
			t.Errorf("%v", n)
		}
		if text := log.String(); strings.Contains(text, bad.To) || !strings.Contains(text, "stack=") {
			t.Errorf("log: %s", text)
		}
	})
	t.Attr("fault", "R21 a letter that panics at every try")
	t.Attr("expected", "failed as a fault of ours, the campaign goes on, nothing of the row is told")
	t.Attr("seen", "deferred, failed at its second try; 100 others sent; no address in the log")
}

// A panic that is not the letter's doing costs it a try, however many servers put it off before, in this process or an earlier one.
func TestFaultPanicAfterDeferrals(t *testing.T) {
	for name, earlier := range map[string]int{"put off in this process": 0, "put off by an earlier one": 3} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			s := &fakeSender{answer: func(_ context.Context, _ string, _ int, b *Batch) []Outcome {
				switch n++; n {
				case 1:
					return all(b, Outcome{Status: Deferred, Stage: StageRcpt, Class: ClassThrottle, Code: 451, Charged: true})
				case 2:
					panic("not the letter's doing")
				}
				return nil
			}}
			r := newRig(t, Options{Connections: 1, General: QueueOptions{Sender: s}})
			end := r.start(context.Background())
			m := r.message("a.example")
			m.Tries, m.Attempts = earlier, earlier
			if err := r.d.Submit(context.Background(), m); err != nil {
				t.Fatal(err)
			}
			r.d.Close()
			var told *panicked.Contained
			if err := end(); !errors.As(err, &told) || told.Times != 1 {
				t.Errorf("%s: %v", name, err)
			}
			var got []Status
			for _, o := range r.j.of(m) {
				got = append(got, o.Status)
			}
			if want := []Status{Deferred, Deferred, Sent}; !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		})
	}
	t.Attr("fault", "R21 one panic after a greylisting, or in a process that continues")
	t.Attr("expected", "tried again: only a letter's second panic speaks against it")
	t.Attr("seen", "deferred by the server, deferred at the panic, then sent")
}

// A fault that meets everybody fails nobody: the run stops, and what waits stays pending.
func TestFaultPanicForEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Connections: 3, General: QueueOptions{Sender: faulty(func(ctx context.Context, _ int, f Feed) error {
			f.Next(ctx, 1, true)
			panic("every letter")
		})}})
		end := r.start(context.Background())
		for i := range 50 {
			r.submit(fmt.Sprintf("d%d.example", i), 20)
		}
		r.d.Close()
		var p *panicked.Error
		if err := end(); !errors.As(err, &p) || errors.As(err, new(*panicked.Contained)) {
			t.Errorf("%v", err)
		}
		if n := r.j.finals(); len(n) > 0 {
			t.Errorf("final outcomes: %v", n)
		}
	})
	t.Attr("fault", "R21 panic in every worker")
	t.Attr("expected", "the run stops before it fails everybody")
	t.Attr("seen", "stopped, no final outcome for any of 1,000")
}

// When the goroutine that owns the queues panics, the run ends, and every goroutine with it.
func TestFaultPanicOfTheDispatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := &fakeSender{answer: func(ctx context.Context, _ string, _ int, _ *Batch) []Outcome {
			wait(ctx, time.Second)
			return nil
		}, site: func(domain string, _ int) (string, bool) {
			if n++; n > 40 {
				panic("site")
			}
			return domain, true
		}}
		r := newRig(t, Options{Connections: 10, General: QueueOptions{Sender: s}})
		end := r.start(context.Background())
		for i := range 300 {
			m := r.message(fmt.Sprintf("d%d.example", i%70))
			if err := r.d.Submit(context.Background(), m); err != nil {
				break
			}
		}
		r.d.Close()
		var p *panicked.Error
		if err := end(); !errors.As(err, &p) || errors.As(err, new(*panicked.Contained)) {
			t.Errorf("%v", err)
		}
		if err := r.d.Submit(context.Background(), r.message("late.example")); !errors.As(err, new(*Paused)) {
			t.Errorf("taken after the end: %v", err)
		}
		r.d.Stats()
	})
	t.Attr("fault", "R21 panic of the dispatcher itself")
	t.Attr("expected", "the run stops cleanly with what is on disk")
	t.Attr("seen", "Run returns the fault, sources are told, no goroutine is left")
}
