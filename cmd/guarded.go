package cmd

import (
	"context"
	"errors"
	"sync"

	"github.com/mailblast/mailblast/composer/rows"
	"github.com/mailblast/mailblast/composer/rows/guard"
)

// guards are the campaign's locks in databases: the one that its list comes from, and the one that its journal is in. The lock in the
// state directory tells of processes that share that directory; these of all that use the same database.
type guards []*guarded

// guarded is one of them, and who looks after it.
type guarded struct {
	*guard.Guard
	over chan struct{} // closed when nobody looks any more
	err  error         // then: why, nil at the end
}

// guardCampaign takes the locks and has them looked after. It comes before the list is read: who is second need not wait for that.
func (p *pipeline) guardCampaign(ctx context.Context) error {
	if p.rehearsal() {
		return nil
	}
	if at := stateOf(p.c); at.shared() {
		if err := p.guard(ctx, at.lockSource(), at.lockName(p.c.Name)); err != nil {
			return err
		}
	}
	src, err := p.env.source(p.c)
	if err != nil {
		return err
	}
	return p.guard(ctx, src, "")
}

// guard takes one lock, where there are such locks, and has it looked after.
func (p *pipeline) guard(ctx context.Context, src rows.Source, called string) error {
	g, release, err := p.takeLock(ctx, src, p.o.patience, guard.Options{Campaign: p.c.Name, Lock: called, Patience: 4 * p.o.patience, Log: p.log})
	if err != nil || g == nil {
		return err
	}
	p.later(release)
	each := &guarded{Guard: g, over: make(chan struct{})}
	p.guarded = append(p.guarded, each)
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(each.over)
		each.err = contained(func() error { return g.Watch(watching) })
	}()
	p.later(func() error {
		stop()
		<-each.over
		return nil
	})
	return nil
}

// hold waits until all locks are certain to be held.
func (gs guards) hold(ctx context.Context) error {
	for _, g := range gs {
		if err := g.Hold(ctx); err != nil {
			return err
		}
	}
	return nil
}

// drainWithout has the sending end when a lock is lost for good, and gives the reason. It returns when ctx ends.
func (gs guards) drainWithout(ctx context.Context, drain func()) error {
	var all sync.WaitGroup
	errs := make([]error, len(gs))
	for i, g := range gs {
		all.Go(func() { errs[i] = g.drainWithout(ctx, drain) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (g *guarded) drainWithout(ctx context.Context, drain func()) error {
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
