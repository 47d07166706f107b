package journal

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
)

// names puts pauses in short.
func names(t *testing.T, b *Book, r *Run) string {
	t.Helper()
	ps, err := b.Pauses(t.Context(), r.Info())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range ps {
		all = append(all, fmt.Sprintf("%s %s %d", p.Kind, p.Name, p.Waiting))
	}
	return strings.Join(all, ", ")
}

// What is paused is there for the next process, as it was said last, until it is over or the run has finished.
func TestPausesAreKept(t *testing.T) { both(t, testPausesAreKept) }

func testPausesAreKept(t *testing.T) {
	dir := t.TempDir()
	_, r, end := serving(t, dir)
	p := delivery.Pause{
		Breaker: "policy", Kind: "domain", Name: "a.example", Via: 1, Refused: 61, Of: 73, Code: 550, Enhanced: "5.7.1", Text: "no\x00 ☠",
		Host: "mx.a.example [192.0.2.1]", At: time.UnixMicro(1764000000123456),
	}
	r.Pause(p)
	r.Pause(delivery.Pause{Kind: "route", Name: "old.example", Waiting: 1})
	r.Pause(delivery.Pause{Kind: "route", Name: "new.example"})
	r.Pause(delivery.Pause{Kind: "domain", Name: "b.example", Waiting: 4})
	r.Pause(delivery.Pause{Kind: "domain", Name: "a.example", Waiting: 9}) // another way
	p.Waiting = 7
	r.Pause(p)
	end()
	b, r, end := serving(t, dir)
	if got, want := names(t, b, r), "route new.example 0, domain a.example 9, domain a.example 7, domain b.example 4"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if b.store.Shared() { // PostgreSQL has no NUL in texts
		p.Text = "no\uFFFD ☠"
	}
	if ps, err := b.Pauses(t.Context(), r.Info()); err != nil || ps[2] != p {
		t.Errorf("%v: %+v\nwant %+v", err, ps[2], p)
	}
	p.Over = true
	r.Pause(p)
	if err := r.PauseNow(t.Context(), delivery.Pause{Kind: "route", Name: "elsewhere.example", Over: true}); err != nil {
		t.Fatal(err)
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := names(t, b, r); got != "domain a.example 9, domain b.example 4" {
		t.Errorf("after two were over: %s", got)
	}
	if err := r.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := names(t, b, r); got != "" {
		t.Errorf("after the run: %s", got)
	}
	end()
}

// serving opens a journal with a run, and serves it until end.
func serving(t *testing.T, dir string) (b *Book, r *Run, end func()) {
	t.Helper()
	b, err := Open(t.Context(), at(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if r, err = b.Begin(t.Context(), Spec{Campaign: "lab"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- b.Serve(ctx) }()
	return b, r, func() {
		cancel()
		for _, err := range []error{<-served, r.Close(), b.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	}
}
