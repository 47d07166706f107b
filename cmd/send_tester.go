package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

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
		return failf(exitUsage, "--row %d: the list has %s", p.o.row, plural(p.rows.Len(), "row"))
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
