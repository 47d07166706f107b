package smtpout

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/mailblast/mailblast/delivery/panicked"
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
	retired chan *line    // to be closed politely by run
	log     *slog.Logger

	mu      sync.Mutex
	idle    map[key][]*line
	order   *list.List // of idle *line, oldest first
	waiting int        // dials that wait for a socket
	lost    int        // sockets that there were no file descriptors for
	back    int        // how many of them come back next
	backAt  time.Time  // when that is
	closed  bool
	wake    chan struct{} // tells run that what it waits for changed
	mishaps panicked.Contained
}

func newCache(sockets int, log *slog.Logger) *cache {
	return &cache{
		slots:   make(chan struct{}, sockets),
		retired: make(chan *line, 16),
		log:     log,
		idle:    map[key][]*line{},
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
	l := k.oldest()
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		k.waiting--
		k.mu.Unlock()
	}()
	if l != nil {
		l.hangUp()
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

// shrink takes the socket of a dial that the system had no file descriptor for out of the budget for a while, as long as another is
// left. Dials wait for one of those then, instead of failing again and again.
func (k *cache) shrink() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.back, k.backAt = 1, time.Now().Add(regrow)
	if len(k.slots)-k.lost < 2 {
		k.release()
		return
	}
	k.lost++
	k.stir()
}

// regrow is how long after a dial that the system had no file descriptor for one more is tried. With no other such dial it is two
// more after as long again, then four, and so on: a moment of want is soon made good, and one that lasts costs a dial each time.
const regrow = 10 * time.Second

// grow brings sockets back whose time has come, and tells when the next ones' will be.
func (k *cache) grow(now time.Time) (next time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lost > 0 && !k.backAt.After(now) {
		n := min(k.back, k.lost)
		for range n {
			k.release()
		}
		k.lost -= n
		k.back, k.backAt = 2*k.back, now.Add(regrow)
	}
	if k.lost == 0 {
		return time.Hour
	}
	return k.backAt.Sub(now)
}

// stir has run look again at what it waits for.
func (k *cache) stir() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// shed closes the oldest idle connection, if there is one: the system has run out of file descriptors.
func (k *cache) shed() bool {
	k.mu.Lock()
	l := k.oldest()
	k.mu.Unlock()
	if l != nil {
		l.hangUp()
	}
	return l != nil
}

// put keeps l for later, or says that it must be closed.
func (k *cache) put(l *line) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.waiting > 0 {
		return false
	}
	l.idleEnd = time.Now().Add(l.idle)
	k.idle[l.key] = append(k.idle[l.key], l)
	l.place = k.order.PushBack(l)
	k.stir()
	return true
}

// get takes the idle connection that was used last, so that those too many grow old.
func (k *cache) get(id key) *line {
	k.mu.Lock()
	defer k.mu.Unlock()
	ls := k.idle[id]
	if len(ls) == 0 {
		return nil
	}
	l := ls[len(ls)-1]
	k.remove(l)
	return l
}

func (k *cache) oldest() *line {
	e := k.order.Front()
	if e == nil {
		return nil
	}
	l := e.Value.(*line)
	k.remove(l)
	return l
}

func (k *cache) remove(l *line) {
	k.order.Remove(l.place)
	ls := k.idle[l.key]
	for i := range ls {
		if ls[i] == l {
			ls = append(ls[:i], ls[i+1:]...)
			break
		}
	}
	if len(ls) == 0 {
		delete(k.idle, l.key)
	} else {
		k.idle[l.key] = ls
	}
}

// retire has l closed politely without anyone waiting for it.
func (k *cache) retire(l *line) {
	if !k.leave(l) {
		l.hangUp()
	}
}

func (k *cache) leave(l *line) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.waiting > 0 {
		return false
	}
	select {
	case k.retired <- l:
		return true
	default:
		return false
	}
}

// run closes what is retired or was idle for too long, and brings back sockets that were lost. At the end of ctx it closes everything,
// and tells of panics there were.
func (k *cache) run(ctx context.Context) error {
	var leaving sync.WaitGroup
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		expired, next := k.expire(time.Now())
		for _, l := range expired {
			leaving.Go(func() { k.part(l) })
		}
		timer.Reset(min(next, k.grow(time.Now())))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-k.wake:
		case l := <-k.retired:
			leaving.Go(func() { k.part(l) })
		}
	}
	for _, l := range k.close() {
		leaving.Go(func() { k.part(l) })
	}
	leaving.Wait()
	if k.mishaps.Times > 0 {
		return &k.mishaps
	}
	return nil
}

// part closes l politely. A panic costs that connection alone: its mail is over, and others go on.
func (k *cache) part(l *line) {
	var err error
	defer func() { k.mishap(l, err) }()
	defer panicked.Contain(&err)
	l.quit()
}

const toldMishaps = 5 // each with its stack; the others look the same

func (k *cache) mishap(l *line, err error) {
	var p *panicked.Error
	if !errors.As(err, &p) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mishaps.Times++; k.mishaps.Times == 1 {
		k.mishaps.First = p
	}
	if k.mishaps.Times <= toldMishaps {
		k.log.Error(p.Error()+" while a connection was closed; mail goes on", "queue", l.key.queue, "host", l.key.host, "stack", p.Stack)
	}
}

// expire takes the connections whose time is over and tells when the next one's will be.
func (k *cache) expire(now time.Time) (expired []*line, next time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next = time.Hour
	for e := k.order.Front(); e != nil; {
		l := e.Value.(*line)
		e = e.Next()
		if left := l.idleEnd.Sub(now); left > 0 {
			next = min(next, left)
			continue
		}
		k.remove(l)
		expired = append(expired, l)
	}
	return expired, next
}

func (k *cache) close() (all []*line) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	for l := k.oldest(); l != nil; l = k.oldest() {
		all = append(all, l)
	}
	for {
		select {
		case l := <-k.retired:
			all = append(all, l)
		default:
			return all
		}
	}
}
