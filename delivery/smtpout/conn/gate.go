package conn

import (
	"context"
	"sync"

	"github.com/mailblast/mailblast/delivery/smtpout/fault"
)

// provenLogins is how many logins may be under way at once where logins work: when one is refused, at most one more is.
const provenLogins = 2

// Gate keeps the connections of one path from trying a wrong password all at once, which locks accounts. One logs in while
// the others wait for its verdict, two at a time once that worked; a refusal is everybody's, for good. The zero Gate is
// ready for use.
type Gate struct {
	mu      sync.Mutex
	busy    int           // logins under way
	proven  bool          // the latest login worked
	refused *fault.Fault  // a login was refused: nobody tries again
	last    *fault.Fault  // the latest login that came to nothing
	faults  int           // how many did
	changed chan struct{} // closed at the next change
}

// enter waits for c's turn to log in. A fault that comes meanwhile is c's as well.
func (g *Gate) enter(ctx context.Context) *fault.Fault {
	g.mu.Lock()
	for faults := g.faults; ; {
		if f := g.refused; f != nil {
			g.mu.Unlock()
			return f
		}
		if g.faults != faults {
			defer g.mu.Unlock()
			return g.last
		}
		if g.busy == 0 || g.proven && g.busy < provenLogins {
			g.busy++
			g.mu.Unlock()
			return nil
		}
		if g.changed == nil {
			g.changed = make(chan struct{})
		}
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fault.Broke(0, context.Cause(ctx))
		}
		g.mu.Lock()
	}
}

// leave gives the verdict; nil is that the login worked. Of one that was cut on our side there is none.
func (g *Gate) leave(f *fault.Fault, cut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy--
	switch {
	case f == nil:
		g.proven = true
	case cut:
	case f.Halts:
		g.refused = f
	default:
		g.proven, g.last = false, f
		g.faults++
	}
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}
