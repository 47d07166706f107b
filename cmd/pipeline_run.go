package cmd

import (
	"context"

	"github.com/mailblast/mailblast/delivery/journal"
)

// begin finds or makes the run.
func (p *pipeline) begin(ctx context.Context) (err error) {
	p.run, err = p.store.book.Begin(ctx, journal.Spec{Campaign: p.c.Name, Key: p.runKey(ctx), Again: p.o.again != "", Secret: p.store.secret})
	if err != nil {
		return stateFault(err)
	}
	p.later(p.run.Close)
	return nil
}

// runKey names the run that is due. A campaign sent once has a run without key.
func (p *pipeline) runKey(ctx context.Context) string {
	if p.o.run != "" {
		return p.o.run
	}
	if p.c.Repeat == "never" {
		return ""
	}
	if p.c.Repeat == "always" && p.store != nil { // one that was cut is continued first
		if last, err := p.store.book.Latest(ctx, p.c.Name); err == nil && last.Finished.IsZero() {
			return last.Key
		}
	}
	return p.c.RunKey(p.now(), p.letterHash)
}
