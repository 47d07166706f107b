package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mailblast/mailblast/delivery"
)

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
		if err == nil || fewFiles(err) || !errors.As(err, &h) || !passing(h) && h.Stage != delivery.StageAuth {
			return err
		}
		if p.fallback() && p.probe(ctx, 1, p.o.patience) == nil {
			p.log.Warn("the fallback takes over", "relay", h.Host, "error", said(h))
			return nil
		}
		if !passing(h) {
			return err
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
