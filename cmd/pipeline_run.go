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
	s := journal.Spec{Campaign: p.c.Name, Key: p.runKey(ctx), Again: p.o.again != "", Secret: p.store.secret}
	if !p.rehearsal() {
		if p.installation != "" {
			s.Host = p.installation + " " + p.host
		}
		if err := p.sameKey(ctx, s); err != nil {
			return err
		}
	}
	err = p.allowing(ctx, func(a allowed) error {
		s.StartOver, s.Move = a.startOver, a.move
		p.run, err = p.store.book.Begin(ctx, s)
		return err
	})
	if err != nil {
		return stateFault(err)
	}
	p.later(p.run.Close)
	return nil
}

// allowed is what a person allows that would be refused otherwise.
type allowed struct{ startOver, move bool }

// allowing calls f, and again with what a person allows: a journal that is lost, or that comes from another machine, may
// mean a second copy for everybody. Where nobody is there to answer, it stays refused.
func (p *pipeline) allowing(ctx context.Context, f func(allowed) error) error {
	var a allowed
	for {
		err := f(a)
		var lost *refusal.LostError
		var host *refusal.HostError
		var question string
		switch {
		case p.ask == nil || err == nil:
			return err
		case errors.As(err, &lost) && !a.startOver:
			a.startOver = true
			question = fmt.Sprintf("%v\nWhoever got mail by these runs would get it again. Begin anew all the same? Type yes: ", lost)
		case errors.As(err, &host) && !a.move:
			a.move = true
			question = fmt.Sprintf("%v\nIf this is a copy and the other is in use as well, people get two letters. Go on from here? Type yes: ", host)
		default:
			return err
		}
		switch yes, asked := p.ask(ctx, question); {
		case asked != nil:
			return asked
		case !yes:
			return failf(exitRefused, "not sent, as you said")
		}
	}
}
