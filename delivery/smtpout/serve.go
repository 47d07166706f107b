package smtpout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mailblast/mailblast/delivery"
)

// sender is one queue's Sender.
type sender struct {
	t *Transport
	o QueueOptions
}

// aim is where a Serve delivers to.
type aim struct {
	domain string
	via    int
}

func (s *sender) Site(domain string, via int) (name string, known bool) {
	if via < 0 || via >= len(s.t.o.Paths) {
		return domain, false
	}
	return s.t.o.Paths[via].Router.Site(domain)
}

// pump is one Serve: a Feed, and the connection it flows through at the moment.
type pump struct {
	s    *sender
	aim  aim
	feed delivery.Feed
	c    *conn
	busy bool // in a transaction
}

func (s *sender) Serve(ctx context.Context, domain string, via int, feed delivery.Feed) error {
	if via < 0 || via >= len(s.t.o.Paths) {
		return fmt.Errorf("smtp: no path %d", via)
	}
	p := &pump{s: s, aim: aim{domain, via}, feed: feed}
	defer func() { p.drop(!p.busy) }() // busy only when a letter panics: then the peer may be in mid-message
	for {
		room := maxRecipients
		if p.c != nil {
			_, room = p.c.host.limits(0)
		}
		b := feed.Next(ctx, room, true)
		if b == nil {
			return ctx.Err()
		}
		if down, err := p.deliver(ctx, b); down != nil || err != nil {
			if err == nil {
				p.drain(ctx, down)
			}
			return err
		}
	}
}

// drop lets go of the connection.
func (p *pump) drop(ok bool) {
	if p.c != nil {
		p.c.park(ok)
		p.c = nil
	}
}

// deliver finds an outcome for every message of b. A connection that turns out to be used up is replaced, a host that
// fails before anything was accepted gives way to the next. The fault is that of a site with no host to try now.
func (p *pump) deliver(ctx context.Context, b *delivery.Batch) (down *fault, err error) {
	began := time.Now()
	var avoid []*host
	var before *fault
	for {
		if f, err := p.connect(ctx, avoid); err != nil || f != nil {
			if before != nil && f != nil && !f.halts {
				before.down, before.next = f.down, f.next
				f = before
			}
			return p.report(b.Messages, f, began, err)
		}
		x := &transaction{c: p.c, b: b, via: p.aim.via, began: began}
		p.busy = true
		f, err := x.run(ctx)
		p.busy = false
		if ctx.Err() != nil && f != nil {
			f, err = nil, ctx.Err()
		}
		if len(x.done) > 0 {
			p.feed.Done(x.done...)
		}
		if f == nil || f.halts || len(x.open) == 0 {
			p.settle(x, f)
			if len(x.open) == 0 {
				return nil, nil
			}
			return p.report(x.open, f, began, err)
		}
		if !p.stale(f) {
			avoid, before = append(avoid, p.c.host), f
		}
		p.drop(false)
		b = &delivery.Batch{Messages: x.open, Intent: b.Intent, Date: b.Date}
	}
}

// settle keeps the connection after a transaction, or lets it go.
func (p *pump) settle(x *transaction, f *fault) {
	most, _ := p.c.host.limits(p.s.o.PerConnection)
	if f != nil || x.broken || len(x.open) > 0 {
		p.drop(false)
	} else if p.c.used >= most {
		p.drop(true)
	}
}

// stale tells that a connection which came to nothing had been used before: it says nothing about the host, and the
// batch is tried over another one. A fresh one speaks for the host, and the batch goes to the next.
func (p *pump) stale(f *fault) bool {
	c := p.c
	if c.used > 1 || c.cached {
		if f.code == 421 && !c.cached {
			c.host.fills(c.used - 1)
		}
		return true
	}
	if f.cools {
		c.host.fail(f, time.Now())
	}
	return false
}

// connect sees to it that there is a connection.
func (p *pump) connect(ctx context.Context, avoid []*host) (f *fault, err error) {
	if p.c == nil {
		p.c, f, err = p.s.t.connection(ctx, p.s, p.aim, avoid)
	}
	return f, err
}

// report tells what f or err means for messages that nothing was accepted of.
func (p *pump) report(ms []*delivery.Message, f *fault, began time.Time, err error) (*fault, error) {
	if f != nil && f.halts {
		err = f.halt()
	}
	outs := make([]delivery.Outcome, 0, len(ms))
	for _, m := range ms {
		if err != nil {
			outs = append(outs, delivery.Outcome{ID: m.ID, To: m.To, Status: delivery.NotTried, Via: p.aim.via, At: time.Now()})
			continue
		}
		outs = append(outs, f.outcome(m, p.aim.via, began))
	}
	if len(outs) > 0 {
		p.feed.Done(outs...)
	}
	var halt *delivery.Halt
	switch {
	case errors.As(err, &halt):
		return nil, halt
	case err != nil:
		return nil, fmt.Errorf("smtp: %w", err)
	case f.down:
		return f, nil
	}
	return nil, nil
}

// drain defers what the feed has for a site that cannot be reached now, without dialling again, so that it moves on to
// the fallback or its retry time. What a message was charged for is not held against those behind it.
func (p *pump) drain(ctx context.Context, f *fault) {
	rest := *f
	rest.charged = false
	for b := p.feed.Next(ctx, maxRecipients, false); b != nil; b = p.feed.Next(ctx, maxRecipients, false) {
		began := time.Now()
		_, _ = p.report(b.Messages, &rest, began, nil)
	}
}
