package smtpout

import (
	"container/list"
	"context"
	"time"

	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpout/conn"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
	"github.com/mailblast/mailblast/delivery/smtpout/hosts"
)

// line is one connection and its place in the cache and in the budget of sockets. It belongs to one goroutine, or to the
// cache.
type line struct {
	*conn.Conn
	cache *cache
	key   key
	host  *hosts.Host

	up      bool // it was let in, and counts in its host's pool
	used    int  // transactions
	cached  bool // it comes from the cache and has not proven itself since
	idle    time.Duration
	perConn int
	idleEnd time.Time
	place   *list.Element
}

// bringUp opens l for its first use. What does not come up is closed, at a panic too.
func (l *line) bringUp(ctx context.Context, plain bool) (f *fault.Fault) {
	up := false
	defer func() {
		if !up {
			l.hangUp()
		}
	}()
	l.Bind(ctx)
	f = l.Open(ctx, plain)
	up = f == nil
	return f
}

// reuse binds l, which was idle, to ctx, if it is as hop demands and still good. Otherwise it is closed, at a panic too.
func (l *line) reuse(ctx context.Context, hop route.Hop) (ok bool) {
	defer func() {
		if !ok {
			l.hangUp()
		}
	}()
	if l.Hop.TLS != hop.TLS || !l.Fresh() {
		return false
	}
	l.cached = true
	l.Bind(ctx)
	return true
}

// park gives l to the cache, or lets it go when it has done its share.
func (l *line) park(ok bool) {
	l.Unbind()
	most, _ := l.host.Limits(l.perConn)
	switch {
	case !ok:
		l.hangUp()
	case l.used >= most:
		l.cache.retire(l)
	case !l.cache.put(l):
		l.goodbye()
	}
}

// hangUp closes the socket at once.
func (l *line) hangUp() {
	defer l.gone()
	l.Close()
}

// goodbye says QUIT and does not wait for the answer.
func (l *line) goodbye() {
	defer l.gone()
	l.Goodbye()
}

// quit says QUIT and waits a moment for the answer.
func (l *line) quit() {
	defer l.gone()
	l.Quit()
}

// gone gives back what l took of the budgets. It is deferred, so that a panic while l is closed costs nobody a connection.
func (l *line) gone() {
	l.cache.release()
	if l.up {
		l.host.Leave(l.key.queue, true)
	}
}
