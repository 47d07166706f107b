package cmd

import (
	"context"
	"io"

	"github.com/mailblast/mailblast/cmd/screen"
)

// confirm shows the plan, and asks where somebody is there to answer.
func (p *pipeline) confirm(ctx context.Context, plan *screen.Plan, s *sendScreen) error {
	if s.events != nil {
		if err := s.events.Emit("plan", plan); err != nil {
			return failf(exitIO, "%w", err)
		}
	}
	if p.rehearsal() && s.events == nil && !p.quiet && p.o.test == "" {
		if _, err := io.WriteString(p.out, plan.Headline()); err != nil {
			return failf(exitIO, "%w", err)
		}
	}
	ask := p.inTTY && p.errTTY && !p.o.yes && !p.rehearsal() && plan.ToSend > 0
	plan.CanTest = ask
	if s.events == nil && !p.quiet && p.o.test == "" && (p.errTTY || p.verbose) {
		if err := plan.Write(p.err); err != nil && ask {
			return failf(exitIO, "%w", err)
		}
	}
	for ask {
		answer, err := p.env.ask(ctx, s.in, plan.Question())
		switch {
		case err != nil:
			return err
		case answer == screen.No:
			return failf(exitRefused, "not sent, as you said")
		case answer == screen.Yes:
			return nil
		}
		if err := p.sendTest(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
