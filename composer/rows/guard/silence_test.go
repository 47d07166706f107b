package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer/rows/pgtest"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// The host of the database dies without a word, and another takes over: whoever had the lock notices, sends nothing more, and finds
// that it is another's by then.
func TestFaultSilence(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	way, vanish, back := pgtest.Behind(t, dsn)
	o := machine(t, way, "alpha")
	o.Answer, o.Patience = 1500*time.Millisecond, time.Minute
	g := take(t, o)
	w := watch(t, g)
	vanish()
	begun := time.Now()
	until(t, "Hold waits", func() bool { return !holds(t, w.Guard) })
	doubted := time.Since(begun)
	if doubted > every+o.Answer || w.session() == nil {
		t.Errorf("Hold waits after %v, session %v", doubted, w.session())
	}
	until(t, "the loss is noticed", func() bool { return w.session() == nil })
	noticed := time.Since(begun)
	beta := machine(t, dsn, "beta")
	until(t, "another has the lock", func() bool { // the server takes a moment to end our session
		h, err := Take(t.Context(), beta)
		if err == nil {
			t.Cleanup(func() { check(t, h.Close()) })
		}
		return err == nil
	})
	back()
	var other *HeldError
	if err := w.ends(t, 20*time.Second); !errors.As(err, &other) || other.Holder.Host != "beta" {
		t.Errorf("Watch: %v", err)
	}
	if err := w.Hold(t.Context()); !errors.As(err, &other) {
		t.Errorf("Hold: %v", err)
	}
	t.Attr("fault", "R16 the database's host dies without a word, a standby takes over, and another machine takes the lock there")
	t.Attr("expected", "with 1 s between looks and 1.5 s for an answer: no dot after 1.5 s, the session given up after 2.7; then the other is named")
	t.Attr("seen", fmt.Sprintf("after %.1f s Hold waited, after %.1f s the session was given up; Hold named the other", doubted.Seconds(), noticed.Seconds()))
}

// Whatever is asked or dialled, an end comes soon where the server says nothing.
func TestFaultSilenceAtEnd(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	for name, at := range map[string]func(*testing.T, *watched){
		"idle": func(*testing.T, *watched) {},
		"in a look": func(t *testing.T, w *watched) {
			until(t, "Hold waits", func() bool { return !holds(t, w.Guard) })
		},
		"in a dial": func(t *testing.T, w *watched) {
			until(t, "the loss is noticed", func() bool { return w.session() == nil })
			time.Sleep(50 * time.Millisecond) // into the log-in
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			way, vanish, _ := pgtest.Behind(t, dsn)
			o := machine(t, way, "alpha")
			o.Campaign, o.Patience, o.Answer = name, time.Minute, 600*time.Millisecond
			w := watch(t, take(t, o))
			vanish()
			at(t, w)
			begun := time.Now()
			w.end()
			if err := w.ends(t, 5*time.Second); err != nil {
				t.Errorf("Watch: %v", err)
			}
			closed := make(chan error, 1)
			go func() { closed <- w.Close() }()
			select {
			case err := <-closed:
				check(t, err)
			case <-time.After(5 * time.Second):
				t.Fatal("Close does not end")
			}
			if took := time.Since(begun); took > time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A look that is on its way at the end is waited for a little, and the session is then there to give the lock back.
func TestCutAfter(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	cuts := 0
	check(t, cutAfter(ended, func() { cuts++ }, time.Hour)())
	check(t, cutAfter(t.Context(), func() { cuts++ }, 0)())
	if cuts != 0 {
		t.Error("cut after it was calm")
	}
}

// A panic on the goroutine that would cut is an error of the session.
func TestFaultPanicOfCut(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	began := make(chan struct{})
	calm := cutAfter(ended, func() { close(began); panic("on purpose") }, 0)
	<-began
	if err := calm(); !errors.As(err, new(*panicked.Error)) {
		t.Errorf("%v", err)
	}
	cutting := make(chan struct{})
	s := &session{answer: time.Millisecond, cut: func() { close(cutting); panic("on purpose") }}
	err := s.within(t.Context(), func(context.Context) error { <-cutting; return nil })
	if !broke(err) || !errors.As(err, new(*panicked.Error)) {
		t.Errorf("%v", err)
	}
	g := &Guard{o: Options{Log: slog.New(slog.DiscardHandler)}}
	g.note(err)
	if err := g.Close(); !errors.As(err, new(*panicked.Error)) {
		t.Errorf("Close does not tell of it: %v", err)
	}
	t.Attr("fault", "R21 panic while a session of the campaign's lock is cut")
	t.Attr("expected", "the session counts as broken, and the end tells of it")
	t.Attr("seen", "an error of the session, and of Close")
}
