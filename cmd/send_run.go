package cmd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// ending is how a sending came to its end. A signal that came when all was done changes nothing.
type ending struct {
	sig    *interrupted        // a signal that began it; nil: none
	paused *delivery.Paused    // work is left
	bugs   *panicked.Contained // panics that cost letters a try, or a connection; the others went on. nil: none
	err    error               // what stopped it; nil: done or paused
}

// also counts the panics of who worked beside the dispatcher.
func (end *ending) also(err error) {
	var p *panicked.Error
	if !errors.As(err, &p) {
		return
	}
	all := &panicked.Contained{Times: 1, First: p}
	errors.As(err, &all)
	if end.bugs != nil {
		all = &panicked.Contained{Times: end.bugs.Times + all.Times, First: end.bugs.First}
	}
	end.bugs = all
}

// send runs the pipeline until everybody has an outcome, or something ends it, and tells what came of it.
func (p *pipeline) send(ctx context.Context, plan *screen.Plan, s *sendScreen) error {
	if err := p.run.Withhold(ctx); err != nil {
		return stateFault(err)
	}
	if which, pause := p.reopens(); which != delivery.NotTried {
		if _, err := p.run.Reopen(ctx, which, pause, p.composer.Chosen); err != nil {
			return stateFault(err)
		}
	}
	if err := p.run.Expect(ctx, plan.Rows, p.planned.Open()); err != nil {
		return stateFault(err)
	}
	if err := p.begun(ctx); err != nil {
		return err
	}
	s.total = p.planned.Deliveries + p.planned.Bars
	p.began = p.now()
	services, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var g sync.WaitGroup
	var served, followed, lost error
	sending, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	g.Go(func() {
		if served = contained(func() error { return p.store.book.Serve(services) }); served != nil {
			cut(served)
		}
	})
	part := p.connect(services, cut)
	defer func() { _ = part() }() // in case of a panic
	if p.barred != nil && !p.rehearsal() {
		g.Go(func() {
			if followed = contained(func() error { return p.barred.keepUp(services, p.store.book) }); followed != nil {
				p.dispatcher.Drain()
			}
		})
	}
	g.Go(func() { lost = p.guarded.drainWithout(services, p.dispatcher.Drain) })
	if p.capture != nil {
		g.Go(func() {
			if err := contained(func() error { return p.capture.Serve(services) }); err != nil {
				cut(err)
			}
		})
	}
	end := p.deliver(sending, cut, s)
	err := p.settle(services, end)
	end.also(part()) // before the exit code is told
	err = errors.Join(err, p.tell(services, end, s))
	p.linger(ctx)
	stop()
	g.Wait()
	if end.err == nil && end.paused == nil {
		lost = nil // too late to matter
	}
	return p.verdict(end, errors.Join(err, lost, served, followed))
}

// connect looks after the connections until part is called, which closes them and tells what panicked meanwhile.
func (p *pipeline) connect(ctx context.Context, cut context.CancelCauseFunc) (part func() error) {
	open, stop := context.WithCancel(ctx)
	over := make(chan error, 1)
	go func() {
		err := contained(func() error { return p.transport.Run(open) })
		if err != nil {
			cut(err)
		}
		over <- err
	}()
	return sync.OnceValue(func() error {
		stop()
		return <-over
	})
}

// farewell is what the journal's server has for the last outcomes when a run is to end at once.
const farewell = time.Second / 2

// deliver runs source and dispatcher under the screen, and heeds signals.
func (p *pipeline) deliver(ctx context.Context, cut context.CancelCauseFunc, s *sendScreen) (end ending) {
	watching, seen := context.WithCancel(ctx)
	var g sync.WaitGroup
	g.Go(func() {
		err := contained(func() error {
			s.Run(watching)
			return nil
		})
		if err != nil { // mail goes on without a screen
			s.log.Error(err.Error())
		}
	})
	signalled := make(chan *interrupted, 1)
	g.Go(func() {
		p.watch(watching, func(i *interrupted) {
			signalled <- i
			s.log.Warn(i.Error() + ": finishing what is on the wire; once more quits at once")
			p.dispatcher.Drain()
		}, func(err error) {
			time.AfterFunc(farewell, p.store.book.Cut)
			cut(err)
		})
	})
	composed := make(chan error, 1)
	go func() {
		err := contained(func() error { return p.composer.Run(ctx) })
		if err == nil {
			p.dispatcher.Close()
		} else {
			p.dispatcher.Drain()
		}
		composed <- err
	}()
	err := p.dispatcher.Run(ctx)
	source := <-composed
	seen()
	g.Wait()
	select {
	case end.sig = <-signalled:
	default:
	}
	errors.As(err, &end.bugs)
	if errors.As(err, &end.paused) || end.bugs != nil && err == error(end.bugs) {
		err = nil
	}
	var drained *delivery.Paused
	switch {
	case source == nil:
	case errors.As(source, &drained): // the rest of the list was never submitted
		if end.paused == nil {
			end.paused = drained
		}
	case err == nil:
		err = fmt.Errorf("the list: %w", source)
	}
	if c := context.Cause(ctx); c != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = c
	}
	var i *interrupted
	if errors.As(err, &i) {
		end.sig, err = i, nil
		if end.paused == nil {
			end.paused = &delivery.Paused{}
		}
	}
	end.err = err
	return end
}
