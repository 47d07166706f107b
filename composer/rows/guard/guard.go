// Package guard keeps two machines from sending the same campaign, where its list comes from a PostgreSQL server that both use.
// Their state directories cannot see each other; the server sees both. What it needs is a right to connect, none to write:
//
//  1. Take opens a session of its own and takes an advisory lock in it, without waiting. The session's application_name says who has
//     it, so whoever comes second can name the first;
//  2. Watch looks every second, and when the session says something unasked, whether it still has the lock. It is idle in between, in
//     no transaction;
//  3. a session that ended (the server was restarted) has lost the lock: Hold, which comes before every final dot, waits until
//     Watch has it again. Where another has it by then, or the server stays away, Hold and Watch say so and nothing more is sent;
//  4. a newcomer leaves a server that has just started to those whose lock it ended: they come back for it first;
//  5. a server that is silent is not waited for: after 1 s Hold waits, after 3 s the session counts as ended; and the server is told
//     to end a session within a minute whose process it hears nothing of;
//  6. Close gives the lock back, and the end of the process does, in whatever way.
//
// A pool in between that gives every statement another session (PgBouncer's transaction mode) cannot hold such a lock. It is told
// from others where it shows; then there is no guard.
package guard

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Options of Take and Peek. Only Connect, Cut and Campaign are required.
type Options struct {
	Connect  func(context.Context) (*sql.Conn, error) // one session at a time, with a patience of its own
	Cut      func()                                   // closes the socket of what Connect gave, or is about to give, whoever waits for it
	News     <-chan struct{}                          // has a value when the session may have ended; nil: that shows within a second
	Campaign string
	Lock     string // what the lock is called; empty: by the campaign. One with a name of its own is never gone on without
	Me       Holder
	Patience time.Duration // how long to try to have a lost lock again; 0: 2 min, within which no mail server hangs up
	Settling time.Duration // how long after its start the server is left to those who had locks before; 0: 3 s
	Answer   time.Duration // how long to wait for the server's reply to a question; 0: 3 s
	Log      *slog.Logger  // nil: no log
}

const (
	every = time.Second // between two looks
	again = 100 * time.Millisecond
	tries = 5 // of Take, when its session breaks
)

// HeldError says that the campaign is being sent from elsewhere.
type HeldError struct {
	Campaign string
	Holder   Holder // zero: not known
}

func (e *HeldError) Error() string {
	if e.Holder.PID == 0 {
		return e.Campaign + " is being sent by another process, as its database knows"
	}
	return fmt.Sprintf("%s is being sent by process %d on %s since %s, as its database knows", e.Campaign, e.Holder.PID, e.Holder.Host,
		e.Holder.Start.Local().Format(time.DateTime))
}

// LostError says that nobody can tell any more whether the campaign is being sent from elsewhere.
type LostError struct {
	Campaign string
	After    time.Duration // how long it was tried to have it again; 0: that is of no use
	Err      error
}

func (e *LostError) Error() string {
	if e.After == 0 {
		return fmt.Sprintf("%s: its lock in the database was lost: %v", e.Campaign, e.Err)
	}
	return fmt.Sprintf("%s: its lock in the database was lost, and could not be had again for %v: %v", e.Campaign, e.After.Round(time.Second), e.Err)
}

func (e *LostError) Unwrap() error { return e.Err }

// Guard holds the lock of a campaign from Take to Close.
type Guard struct {
	o Options

	mu      sync.Mutex
	s       *session
	doubted bool
	held    chan struct{} // closed while the lock is held, or lost for good
	failure error         // it is lost for good
	mishap  error         // a panic that cost a session
}

func (o Options) filled() Options {
	o.Patience = cmp.Or(o.Patience, 2*time.Minute)
	o.Settling = cmp.Or(o.Settling, 3*time.Second)
	o.Answer = cmp.Or(o.Answer, 3*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Take takes the lock of a campaign. Nil without an error: this server, or what is before it, has no such locks. The error is
// *HeldError when another process has it, one of Connect's, or what the driver says.
func Take(ctx context.Context, o Options) (*Guard, error) {
	g := &Guard{o: o.filled(), held: make(chan struct{})}
	o = g.o
	s, err := g.take(ctx, true)
	for try := 1; try < tries && broke(err) && pause(ctx, again) == nil; try++ {
		s, err = g.take(ctx, true)
	}
	if errors.Is(err, errUnable) {
		o.Log.Warn("the database cannot tell whether this campaign is being sent from another machine", "reason", err.Error())
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	g.s = s
	close(g.held)
	return g, nil
}

// take opens a session and takes the lock in it.
func (g *Guard) take(ctx context.Context, newcomer bool) (*session, error) {
	s, err := g.open(ctx)
	if err != nil {
		return nil, err
	}
	if left := g.o.Settling - s.up; newcomer && left > 0 {
		g.o.Log.Warn("the database has just started: who had the lock before may have it first", "waiting", left.Round(time.Second/10))
		if err := pause(ctx, left); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	if err := s.lock(ctx, g.o.Me); err != nil {
		s.leave()
		return nil, err
	}
	return s, nil
}

// session opens a session that has no lock.
func (o Options) session(ctx context.Context) (*session, error) {
	calm := cutAfter(ctx, o.Cut, o.Answer/10)
	c, err := o.Connect(ctx)
	if oops := calm(); oops != nil {
		if err == nil {
			_ = c.Close()
		}
		err = oops
	}
	if err != nil {
		return nil, err
	}
	return &session{c: c, campaign: o.Campaign, called: cmp.Or(o.Lock, "campaign "+o.Campaign), cut: o.Cut, answer: o.Answer}, nil
}

func (g *Guard) open(ctx context.Context) (*session, error) {
	s, err := g.o.session(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.meet(ctx); err != nil {
		s.leave()
		return nil, err
	}
	return s, nil
}

// Hold waits until the lock is certain to be held.
func (g *Guard) Hold(ctx context.Context) error {
	g.mu.Lock()
	held := g.held
	g.mu.Unlock()
	select {
	case <-held:
	default:
		select {
		case <-held:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failure
}

func (g *Guard) session() *session {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.s
}

// doubt has Hold wait, trust has it go on.
func (g *Guard) doubt() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.doubted {
		g.doubted, g.held = true, make(chan struct{})
	}
}

func (g *Guard) trust() {
	select {
	case <-g.o.News: // of the answer
	default:
	}
	g.settle(g.session(), nil)
}

func (g *Guard) lose() {
	g.doubt()
	g.session().leave()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.s = nil
}

func (g *Guard) settle(s *session, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.s, g.failure = s, err
	if g.doubted {
		g.doubted = false
		close(g.held)
	}
}

// Close gives the lock back, and tells of a panic that cost a session. Watch must have ended.
func (g *Guard) Close() error {
	s := g.session()
	if s == nil {
		return g.mishap
	}
	return errors.Join(s.close(), g.mishap)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
