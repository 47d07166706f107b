package delivery

import (
	"context"
	"fmt"
)

// Next implements Feed.
func (t *thread) Next(ctx context.Context, room int, wait bool) *Batch {
	for {
		g := t.ask(ctx, room, wait)
		if g == nil || !t.complete(g) {
			return nil
		}
		if t.bar(g); len(g.ms) > 0 {
			return t.batch(g)
		}
	}
}

// ask gets what may go now from Run's goroutine.
func (t *thread) ask(ctx context.Context, room int, wait bool) *grant {
	select {
	case t.d.calls <- func() { t.d.next(t, room, wait) }:
	case <-ctx.Done():
		return nil
	}
	select {
	case g := <-t.reply:
		return g
	case <-ctx.Done():
	}
	t.d.call(func() { t.d.withdraw(t) })
	select {
	case g := <-t.reply:
		return g
	case <-t.d.crashed.c:
		return nil
	}
}

// complete fills in messages that waited as records. Where that fails the run stops.
func (t *thread) complete(g *grant) bool {
	for _, m := range g.ms {
		if ref, ok := m.Content.(spilled); ok {
			if err := t.d.o.Revive(m, string(ref)); err != nil {
				t.revert(g.ms, fmt.Errorf("message %s: %w", string(ref), err))
				return false
			}
		}
	}
	return true
}

// bar takes those out of g who must not be written to any more.
func (t *thread) bar(g *grant) {
	if t.d.o.Barred == nil {
		return
	}
	var os []Outcome
	left := g.ms[:0:0]
	for _, m := range g.ms {
		if why, barred := t.d.o.Barred(m); barred {
			os = append(os, Outcome{ID: m.ID, Status: Suppressed, Text: why})
		} else {
			left = append(left, m)
		}
	}
	if len(os) > 0 {
		g.ms = left
		t.Done(os...)
	}
}

// batch has the journal note what is about to be sent.
func (t *thread) batch(g *grant) *Batch {
	b := &Batch{Messages: g.ms, Date: g.ms[0].First}
	for _, m := range g.ms {
		b.Date = earlier(b.Date, m.First)
	}
	onDisk := g.ms[0].Journal.Intend(g.ms)
	b.Intent = func(ctx context.Context) error {
		g.f.armed.Store(true)
		if err := onDisk(ctx); err != nil {
			g.f.armed.Store(false)
			return err
		}
		return nil
	}
	return b
}

// revert gives messages back that cannot even be completed, and stops the run.
func (t *thread) revert(ms []*Message, err error) {
	os := make([]Outcome, len(ms))
	for i, m := range ms {
		os[i].ID = m.ID
	}
	t.d.call(func() {
		for _, h := range t.claim(os) {
			t.untake(h.m)
			t.q.set.Back(&h.f.parcel, h.m)
			t.drop(h)
		}
		t.d.stop(err)
	})
}

// Done implements Feed.
func (t *thread) Done(os ...Outcome) {
	own := append([]Outcome(nil), os...)
	t.d.call(func() { t.d.settle(t, own) })
}
