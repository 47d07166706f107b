package smtpout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
	"github.com/mailblast/mailblast/delivery/smtpout/hosts"
	"github.com/mailblast/mailblast/delivery/smtpout/transaction"
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
	c    *line
	busy bool // with a batch
}

func (s *sender) Serve(ctx context.Context, domain string, via int, feed delivery.Feed) error {
	if via < 0 || via >= len(s.t.o.Paths) {
		return fmt.Errorf("smtp: no path %d", via)
	}
	p := &pump{s: s, aim: aim{domain, via}, feed: feed}
	defer func() { p.drop(!p.busy) }() // busy only at a panic: then the peer may be in mid-message, or out of step
	for {
		room := hosts.MaxRecipients
		if p.c != nil {
			_, room = p.c.host.Limits(0)
		}
		b := feed.Next(ctx, room, true)
		if b == nil {
			return ctx.Err()
		}
		p.busy = true
		shut, err := p.deliver(ctx, b)
		p.busy = false
		if shut != nil || err != nil {
			if err == nil && shut.down && !s.t.alone(via) {
				p.drain(ctx, shut)
			}
			return err
		}
	}
}

// drop lets go of the connection, once, whatever a panic on the way.
func (p *pump) drop(ok bool) {
	if c := p.c; c != nil {
		p.c = nil
		c.park(ok)
	}
}

// deliver finds an outcome for every message of b. A connection that turns out to be used up is replaced, a host that
// fails before anything was accepted gives way to the next. The fault is that of a site with no host to try now, or none that
// takes another connection.
func (p *pump) deliver(ctx context.Context, b *delivery.Batch) (shut *trouble, err error) {
	began := time.Now()
	var avoid []*hosts.Host
	var before *trouble
	for {
		if f, err := p.connect(ctx, avoid); err != nil || f != nil {
			if before != nil && f != nil && !f.Halts {
				before.down, before.next = f.down, f.next
				f = before
			}
			return p.report(b.Messages, f, began, err)
		}
		r, f, err := p.transact(ctx, b, began)
		if ctx.Err() != nil && f != nil {
			f, err = nil, ctx.Err()
		}
		if len(r.Done) > 0 {
			p.feed.Done(r.Done...)
		}
		if f == nil || f.Halts || len(r.Open) == 0 {
			p.settle(r, f)
			if len(r.Open) == 0 {
				return nil, nil
			}
			return p.report(r.Open, f, began, err)
		}
		if !p.stale(&f.Fault) {
			avoid, before = append(avoid, p.c.host), f
		}
		p.drop(false)
		b = &delivery.Batch{Messages: r.Open, Intent: b.Intent, Date: b.Date}
	}
}

// transact takes b over the connection.
func (p *pump) transact(ctx context.Context, b *delivery.Batch, began time.Time) (transaction.Result, *trouble, error) {
	c := p.c
	r, f, err := transaction.Run(ctx, b, transaction.Options{
		Conn: c.Conn, Host: c.host, Via: p.aim.via, Pipelining: p.s.t.o.Pipelining, Began: began,
	})
	if r.Spoke {
		c.used++
		c.cached = c.cached && f != nil
	}
	if f == nil {
		p.s.t.outage.over(p.s.t.log)
		return r, nil, err
	}
	return r, &trouble{Fault: *f}, err
}

// settle keeps the connection after a transaction, or lets it go.
func (p *pump) settle(r transaction.Result, f *trouble) {
	most, _ := p.c.host.Limits(p.s.o.PerConnection)
	if f != nil || r.Broken || len(r.Open) > 0 {
		p.drop(false)
	} else if p.c.used >= most {
		p.drop(true)
	}
}

// stale tells that a connection which came to nothing had been used before: it says nothing about the host, and the
// batch is tried over another one. A fresh one speaks for the host, and the batch goes to the next.
func (p *pump) stale(f *fault.Fault) bool {
	c := p.c
	if c.used > 1 || c.cached {
		if f.Code == 421 && !c.cached {
			c.host.Fills(c.used - 1)
		}
		return true
	}
	if f.Cools {
		c.host.Fail(f, time.Now(), p.s.t.cool(p.aim.via))
	}
	return false
}

// connect sees to it that there is a connection.
func (p *pump) connect(ctx context.Context, avoid []*hosts.Host) (f *trouble, err error) {
	if p.c == nil {
		p.c, f, err = p.s.t.connection(ctx, p.s, p.aim, avoid)
	}
	return f, err
}

// report tells what f or err means for messages that nothing was accepted of. They stay as they are while the only relay is
// out of reach, as there is no other way for them, and while other connections to their host are all that it takes.
func (p *pump) report(ms []*delivery.Message, f *trouble, began time.Time, err error) (*trouble, error) {
	held := f != nil && f.down && err == nil && p.s.t.alone(p.aim.via)
	switch {
	case f != nil && f.Halts:
		err = f.Halt()
	case held:
		err = p.s.t.outage.note(f, p.s.t)
	}
	outs := make([]delivery.Outcome, 0, len(ms))
	for _, m := range ms {
		if err != nil || held || f.full {
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
	case f.down || f.full:
		return f, nil
	}
	return nil, nil
}

// drain defers what the feed has for a site that cannot be reached now, without dialling again, so that it moves on to
// the fallback or its retry time. What a message was charged for is not held against those behind it.
func (p *pump) drain(ctx context.Context, f *trouble) {
	rest := *f
	rest.Charged = false
	for b := p.feed.Next(ctx, hosts.MaxRecipients, false); b != nil; b = p.feed.Next(ctx, hosts.MaxRecipients, false) {
		began := time.Now()
		_, _ = p.report(b.Messages, &rest, began, nil)
	}
}
