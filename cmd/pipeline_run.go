package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
)

// begin finds or makes the run.
func (p *pipeline) begin(ctx context.Context) (err error) {
	s := journal.Spec{Campaign: p.c.Name, Key: p.runKey(ctx), Again: p.o.again != ""}
	if !p.rehearsal() {
		if p.installation != "" {
			s.Host = p.installation + " " + p.host
		}
		if err := p.sameKey(ctx, s); err != nil {
			return err
		}
	}
	err = p.allowing(ctx, func() error {
		orphan, err := p.store.orphan(ctx)
		if err != nil {
			return err
		}
		if (p.allowed.startOver || p.allowed.move || orphan) && !p.allowed.plan && !p.store.trial {
			if err := p.store.swap(ctx); err != nil {
				return err
			}
		}
		if !p.store.trial {
			if err := p.store.keepSecret(); err != nil {
				return err
			}
		}
		s.Secret, s.StartOver, s.Move = p.store.secret, p.allowed.startOver, p.allowed.move
		p.run, err = p.store.book.Begin(ctx, s)
		return err
	})
	if err != nil {
		return stateFault(err)
	}
	p.later(p.run.Close)
	if p.c.OnUnknown != "resend" {
		if err := p.run.Hold(ctx); err != nil {
			return stateFault(err)
		}
	}
	return nil
}

// startOver does to the journal what was tried on a copy of it. Whoever does not want the plan has changed nothing by asking for it.
func (p *pipeline) startOver(ctx context.Context) error {
	p.allowed.plan = true
	if !p.store.trial {
		return nil
	}
	if err := p.run.Close(); err != nil {
		return stateFault(err)
	}
	if err := p.store.swap(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{p.begin, p.readBarred, p.wire} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	_, err := p.plan(ctx)
	return err
}

// allowed is what a person allows that would be refused otherwise. What comes of it is tried on a copy until the plan is accepted,
// and so is what a new secret does to a journal that has runs.
type allowed struct{ startOver, move, plan bool }

// allowing calls f, and again with what a person allows: a journal that is lost, or that comes from another machine, may
// mean a second copy for everybody. Where nobody is there to answer, it stays refused.
func (p *pipeline) allowing(ctx context.Context, f func() error) error {
	for {
		err := f()
		var lost *refusal.LostError
		var host *refusal.HostError
		var question string
		var allow *bool
		switch {
		case p.ask == nil || err == nil:
			return err
		case errors.As(err, &lost) && !p.allowed.startOver:
			allow = &p.allowed.startOver
			question = fmt.Sprintf("%v\nWhoever got mail by these runs would get it again. %s\nBegin anew all the same? Type yes: ", lost, unbarred(lost))
		case errors.As(err, &host) && !p.allowed.move:
			allow = &p.allowed.move
			question = fmt.Sprintf("%v\nIf this is a copy and the other is in use as well, people get two letters.\nGo on from here? Type yes: ", host)
		default:
			return err
		}
		switch yes, asked := p.ask(ctx, question); {
		case asked != nil:
			return asked
		case !yes:
			return failf(exitRefused, "not sent, as you said")
		}
		*allow = true
	}
}

// unbarred tells what becomes of the suppression list, which is kept in the journal.
func unbarred(lost *refusal.LostError) string {
	if lost.Missing {
		return "The suppression list is lost with it: whoever was on it would get mail, too."
	}
	return "Whoever was put on the suppression list of a journal that was here before is not on it any more."
}
