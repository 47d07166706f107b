package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
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
		answer, err := screen.Ask(ctx, s.in, p.err, plan.Question())
		switch {
		case err != nil:
			fmt.Fprintln(p.err) // the question's line is still open
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

// sendTest sends one letter to whoever asks for it, by default to the sender.
func (p *pipeline) sendTest(ctx context.Context, s *sendScreen) error {
	to := ""
	if _, a, err := address.ParseMailbox(p.c.From); err == nil {
		to = a.String()
	}
	fmt.Fprintf(p.err, "Send the test to [%s]: ", to)
	line, err := s.in.ReadString('\n')
	if err != nil {
		return failf(exitRefused, "not sent: nobody answers")
	}
	if line = strings.TrimSpace(line); line != "" {
		to = line
	}
	o := p.o
	o.test, o.to, o.limit, o.retry, o.again, o.yes = to, nil, 0, "", "", true
	t, err := p.env.open(ctx, p.c, o, s)
	if err != nil {
		return err
	}
	was := s.p
	s.p = t
	err = t.conduct(ctx, ctx, func() {}, s)
	s.p = was
	return errors.Join(err, t.close())
}

// forTest narrows a run to one letter for the tester: that of --row, or the first that can be sent.
func (p *pipeline) forTest(o *composer.Options) error {
	_, a, err := address.ParseMailbox(p.o.test)
	if err != nil {
		return failf(exitUsage, "--test %s: %w", p.o.test, err)
	}
	o.Limit, o.Only = 1, nil
	o.Letter = testLetter{o.Letter, a}
	if p.o.row > p.rows.Len() {
		return failf(exitUsage, "--row %d: the list has %d rows", p.o.row, p.rows.Len())
	}
	if p.o.row > 0 {
		o.Rows = oneRow{o.Rows, p.o.row}
	}
	return nil
}

// testLetter is a letter that goes to a tester, whomever its row is for.
type testLetter struct {
	composer.Letter
	to address.Address
}

// Envelope has the tester as the only recipient.
func (t testLetter) Envelope(r *composer.Row) (composer.Envelope, error) {
	env, err := t.Letter.Envelope(r)
	env.Recipients = []address.Address{t.to}
	return env, err
}

// Render marks the letter as a test.
func (t testLetter) Render(ctx context.Context, r *composer.Row, s composer.Stamp, f delivery.Form) (delivery.Body, error) {
	s.SubjectPrefix, s.To = "[test] ", t.to.String()
	return t.Letter.Render(ctx, r, s, f)
}

// oneRow is a list narrowed to one of its rows.
type oneRow struct {
	composer.Rows
	number int
}

func (o oneRow) Len() int { return 1 }

// Each passes over all other rows.
func (o oneRow) Each(ctx context.Context, f func(*composer.Row) error) error {
	return o.Rows.Each(ctx, func(r *composer.Row) error {
		if r.Number != o.number {
			return nil
		}
		return f(r)
	})
}

// preflight talks to the relay once before the first message: a login that is refused must not be tried for everyone.
// A relay that cannot be reached, or cannot let us in for now, is tried for a while, and its fallback after it.
func (p *pipeline) preflight(ctx context.Context) error {
	if p.planned.ToSend == 0 || p.capture != nil || p.c.Delivery == "direct" && p.target == nil {
		return nil
	}
	end := time.Now().Add(p.o.patience)
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := p.probe(ctx, 0, time.Until(end))
		var h *delivery.Halt
		if err == nil || !errors.As(err, &h) || !passing(h) {
			return err
		}
		if p.fallback() {
			if p.probe(ctx, 1, p.o.patience) == nil {
				p.log.Warn("the relay cannot be reached, the fallback takes over", "relay", h.Host, "error", h.Text)
				return nil
			}
		}
		if time.Now().Add(wait).After(end) {
			f := halted(h)
			f.err = fmt.Errorf("%w. Nothing was sent", f.err)
			return f
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// probe talks to one way out. A server that gives no answer in time cannot be reached.
func (p *pipeline) probe(ctx context.Context, path int, patience time.Duration) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := p.transport.Probe(within, path)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &delivery.Halt{Stage: delivery.StageConnect, Host: p.via(), Text: "no answer within " + p.o.patience.String()}
	}
	return err
}
