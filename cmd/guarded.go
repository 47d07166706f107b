package cmd

import (
	"context"
	"errors"

	"github.com/mailblast/mailblast/composer/rows"
	"github.com/mailblast/mailblast/composer/rows/guard"
)

// guarded is the campaign's lock in the database that its list comes from, and who looks after it. The lock in the state directory
// tells of processes that share that directory; this one of all that read the same database. Nil: there is none.
type guarded struct {
	*guard.Guard
	over chan struct{} // closed when nobody looks any more
	err  error         // then: why, nil at the end
}

// guardCampaign takes the lock and has it looked after. It comes before the list is read: who is second need not wait for that.
func (p *pipeline) guardCampaign(ctx context.Context) error {
	if p.rehearsal() {
		return nil
	}
	src, err := p.env.source(p.c)
	if err != nil {
		return err
	}
	server, err := rows.Reach(src, rows.Options{Wait: p.o.patience, Log: p.log})
	if err != nil || server == nil {
		return err
	}
	p.later(server.Close)
	g, err := guard.Take(ctx, guard.Options{Connect: server.Connect, Cut: server.Cut, News: server.News(), Campaign: p.c.Name, Patience: 4 * p.o.patience, Log: p.log,
		Me: guard.Holder{PID: p.pid, Host: p.host, Start: p.now()}})
	switch {
	case err == nil && g == nil:
		return nil
	case errors.As(err, new(*guard.HeldError)), errors.As(err, new(*rows.Error)), ctx.Err() != nil:
		return err
	case err != nil:
		return server.Explain(err)
	}
	p.guarded = &guarded{Guard: g, over: make(chan struct{})}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(p.guarded.over)
		p.guarded.err = contained(func() error { return g.Watch(watching) })
	}()
	p.later(func() error {
		stop()
		<-p.guarded.over
		return g.Close()
	})
	return nil
}

// hold waits until the lock is certain to be held.
func (g *guarded) hold(ctx context.Context) error {
	if g == nil {
		return nil
	}
	return g.Hold(ctx)
}

// drainWithout has the sending end when the lock is lost for good, and gives the reason. It returns when ctx ends.
func (g *guarded) drainWithout(ctx context.Context, drain func()) error {
	if g == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-g.over:
	}
	if g.err != nil {
		drain()
	}
	return g.err
}
