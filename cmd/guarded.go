package cmd

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

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
		g, err := p.guard(ctx, lockSource(at), lockName(p.c.Name))
		if err == nil && !g {
			err = failf(exitDenied, "%s: it cannot keep two machines from sending the same campaign", at).
				hinted("state: needs a connection to PostgreSQL itself, not through a pool that gives every statement another session")
		}
		if err != nil {
			return err
		}
	}
	src, err := p.env.source(p.c)
	if err != nil {
		return err
	}
	_, err = p.guard(ctx, src, "")
	return err
}

// excluding takes the locks that campaigns have in the database of their journal, so that none of them is sent from anywhere until
// release. A journal in a directory has none.
func (e *env) excluding(ctx context.Context, at stateAt, campaigns []string) (release func() error, err error) {
	var undo []func() error
	release = func() error {
		var errs []error
		for _, f := range slices.Backward(undo) {
			errs = append(errs, f())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, release())
		}
	}()
	slices.Sort(campaigns)
	for _, name := range slices.Compact(campaigns) {
		server, err := rows.Reach(lockSource(at), rows.Options{Wait: serverPatience})
		if err != nil || server == nil {
			return release, err
		}
		undo = append(undo, server.Close)
		g, err := guard.Take(ctx, guard.Options{Connect: server.Connect, Cut: server.Cut, News: server.News(), Campaign: name, Lock: lockName(name),
			Me: guard.Holder{PID: e.pid, Host: e.host, Start: e.now()}})
		switch {
		case errors.As(err, new(*guard.HeldError)), errors.As(err, new(*rows.Error)), ctx.Err() != nil:
			return release, err
		case err != nil:
			return release, server.Explain(err)
		case g != nil:
			undo = append(undo, g.Close)
		}
	}
	return release, nil
}

// lockSource is a journal's database, for who takes locks there.
func lockSource(at stateAt) rows.Source {
	return rows.Source{DSN: at.server.Reveal(), Query: "SELECT"}
}

// serverPatience is how long a journal's server is waited for by who wants it for himself.
const serverPatience = 30 * time.Second

func lockName(campaign string) string { return "state " + campaign }

// guard takes one lock, where there are such locks.
func (p *pipeline) guard(ctx context.Context, src rows.Source, called string) (taken bool, err error) {
	server, err := rows.Reach(src, rows.Options{Wait: p.o.patience, Log: p.log})
	if err != nil || server == nil {
		return false, err
	}
	p.later(server.Close)
	g, err := guard.Take(ctx, guard.Options{Connect: server.Connect, Cut: server.Cut, News: server.News(), Campaign: p.c.Name, Lock: called, Patience: 4 * p.o.patience, Log: p.log,
		Me: guard.Holder{PID: p.pid, Host: p.host, Start: p.now()}})
	switch {
	case err == nil && g == nil:
		return false, nil
	case errors.As(err, new(*guard.HeldError)), errors.As(err, new(*rows.Error)), ctx.Err() != nil:
		return false, err
	case err != nil:
		return false, server.Explain(err)
	}
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
		return g.Close()
	})
	return true, nil
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
