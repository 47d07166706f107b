package smtpout

import (
	"container/list"
	"context"
	"net/netip"
	"sync"
	"time"
)

// key is what connections may be shared by.
type key struct {
	queue string
	via   int
	host  string // with port
	bind  netip.Addr
}

// cache holds the idle connections and counts all sockets.
type cache struct {
	slots   chan struct{} // one token a socket
	retired chan *conn    // to be closed politely by run

	mu      sync.Mutex
	idle    map[key][]*conn
	order   *list.List // of idle *conn, oldest first
	waiting int        // dials that wait for a socket
	closed  bool
	wake    chan struct{} // tells run that the oldest idle connection changed
}

func newCache(sockets int) *cache {
	return &cache{
		slots:   make(chan struct{}, sockets),
		retired: make(chan *conn, 16),
		idle:    map[key][]*conn{},
		order:   list.New(),
		wake:    make(chan struct{}, 1),
	}
}

// acquire takes a socket from the budget. At the limit the oldest idle connection makes room.
func (k *cache) acquire(ctx context.Context) error {
	select {
	case k.slots <- struct{}{}:
		return nil
	default:
	}
	k.mu.Lock()
	k.waiting++
	c := k.oldest()
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		k.waiting--
		k.mu.Unlock()
	}()
	if c != nil {
		c.hangUp()
	}
	select {
	case k.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release gives a socket back.
func (k *cache) release() { <-k.slots }

// shed closes the oldest idle connection: the system has run out of file descriptors.
func (k *cache) shed() {
	k.mu.Lock()
	c := k.oldest()
	k.mu.Unlock()
	if c != nil {
		c.hangUp()
	}
}

// put keeps c for later, or says that it must be closed.
func (k *cache) put(c *conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.waiting > 0 {
		return false
	}
	c.idleEnd = time.Now().Add(c.idle)
	k.idle[c.key] = append(k.idle[c.key], c)
	c.place = k.order.PushBack(c)
	select {
	case k.wake <- struct{}{}:
	default:
	}
	return true
}

// get takes the idle connection that was used last, so that those too many grow old.
func (k *cache) get(id key) *conn {
	k.mu.Lock()
	defer k.mu.Unlock()
	cs := k.idle[id]
	if len(cs) == 0 {
		return nil
	}
	c := cs[len(cs)-1]
	k.remove(c)
	return c
}

func (k *cache) oldest() *conn {
	e := k.order.Front()
	if e == nil {
		return nil
	}
	c := e.Value.(*conn)
	k.remove(c)
	return c
}

func (k *cache) remove(c *conn) {
	k.order.Remove(c.place)
	cs := k.idle[c.key]
	for i := range cs {
		if cs[i] == c {
			cs = append(cs[:i], cs[i+1:]...)
			break
		}
	}
	if len(cs) == 0 {
		delete(k.idle, c.key)
	} else {
		k.idle[c.key] = cs
	}
}

// retire has c closed politely without anyone waiting for it.
func (k *cache) retire(c *conn) {
	if !k.leave(c) {
		c.hangUp()
	}
}

func (k *cache) leave(c *conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.waiting > 0 {
		return false
	}
	select {
	case k.retired <- c:
		return true
	default:
		return false
	}
}

// run closes what is retired or was idle for too long. At the end of ctx it closes everything.
func (k *cache) run(ctx context.Context) error {
	var leaving sync.WaitGroup
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		expired, next := k.expire(time.Now())
		for _, c := range expired {
			leaving.Go(c.quit)
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-k.wake:
		case c := <-k.retired:
			leaving.Go(c.quit)
		}
	}
	for _, c := range k.close() {
		leaving.Go(c.quit)
	}
	leaving.Wait()
	return nil
}

// expire takes the connections whose time is over and tells when the next one's will be.
func (k *cache) expire(now time.Time) (expired []*conn, next time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next = time.Hour
	for e := k.order.Front(); e != nil; {
		c := e.Value.(*conn)
		e = e.Next()
		if left := c.idleEnd.Sub(now); left > 0 {
			next = min(next, left)
			continue
		}
		k.remove(c)
		expired = append(expired, c)
	}
	return expired, next
}

func (k *cache) close() (all []*conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	for c := k.oldest(); c != nil; c = k.oldest() {
		all = append(all, c)
	}
	for {
		select {
		case c := <-k.retired:
			all = append(all, c)
		default:
			return all
		}
	}
}
