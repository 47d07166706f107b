package guard

import (
	"context"
	"errors"
	"time"

	"github.com/mailblast/mailblast/delivery/panicked"
)

// Watch looks after the lock until ctx ends; that is nil. Its error is *HeldError or *LostError, and Hold's from then on.
func (g *Guard) Watch(ctx context.Context) error {
	err := errUnwatched // in case of a panic
	defer func() {
		if err != nil {
			g.settle(g.session(), err)
		}
	}()
	err = g.watch(ctx)
	return err
}

func (g *Guard) watch(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-g.o.News:
			g.doubt()
		}
		err := g.look(ctx)
		g.note(err)
		switch {
		case err == nil:
			g.trust()
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errUnable) && g.o.Lock != "": // as at the start: without it two would send from one journal
			g.lose()
			return &LostError{Campaign: g.o.Campaign, Err: err}
		case errors.Is(err, errUnable):
			g.trust()
			g.o.Log.Warn("the database cannot tell any more whether this campaign is being sent from another machine", "reason", err.Error())
			return nil
		}
		g.o.Log.Warn("the campaign's lock in the database is lost; nothing is sent until it is held again", "error", err.Error())
		g.lose()
		s, err := g.regain(ctx, err)
		if err != nil && ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		g.settle(s, nil)
		g.o.Log.Warn("the campaign's lock in the database is held again")
	}
}

// note remembers that a session was lost by a panic, which does not show in what is sent.
func (g *Guard) note(err error) {
	if p := (*panicked.Error)(nil); g.mishap == nil && errors.As(err, &p) {
		g.mishap = p
		g.o.Log.Error(p.Error()+" while the campaign's lock was looked after", "stack", p.Stack)
	}
}

// look asks whether the session still has the lock. Once that takes long, Hold waits for the answer.
func (g *Guard) look(ctx context.Context) (err error) {
	doubted := make(chan struct{})
	var oops error
	late := time.AfterFunc(g.o.Answer/3, func() {
		defer close(doubted)
		defer panicked.Contain(&oops)
		g.doubt()
	})
	defer func() {
		if !late.Stop() {
			<-doubted
			err = errors.Join(err, oops)
		}
	}()
	return g.session().look(ctx)
}

// regain takes the lock again. Our own session may not have ended yet where only the way to it broke.
func (g *Guard) regain(ctx context.Context, reason error) (*session, error) {
	begun := time.Now()
	within, cancel := context.WithTimeout(ctx, g.o.Patience)
	defer cancel()
	for {
		s, err := g.take(within, false)
		var other *HeldError
		switch {
		case err == nil:
			return s, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &other) && !other.Holder.same(g.o.Me):
			return nil, other
		case within.Err() == nil:
			reason = err
		}
		if pause(within, again) != nil {
			return nil, &LostError{g.o.Campaign, time.Since(begun), reason}
		}
	}
}
