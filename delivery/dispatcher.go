package delivery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mailblast/mailblast/delivery/lanes"
	"github.com/mailblast/mailblast/delivery/pace"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// Dispatcher sorts messages into queues by destination domain and has each queue's threads deliver them. One goroutine,
// inside Run, owns all that follows; everybody else hands it calls.
type Dispatcher struct {
	o        Options
	queues   []*queue // as in Options, the general queue last
	byDomain map[string]*queue
	calls    chan func()
	closing  signal // nothing more will be submitted
	draining signal // take nothing more
	started  signal
	stopped  signal // no more is accepted
	crashed  signal // Run's goroutine panicked and takes no more calls
	ended    signal // Run has returned

	clock func() time.Time

	// owned by Run
	now, began  time.Time
	store       *lanes.Store[*Message]
	total       *pace.Limiter
	domains     limiters
	breakers    breakers
	threads     sync.WaitGroup
	live        int  // threads
	contended   bool // a queue wants a thread that another has
	outstanding int  // messages submitted and without final outcome
	flying      int  // messages with a Sender
	halted      [2]*Halt
	stopping    bool
	result      error
	mishaps     panicked.Contained // of threads
	inRow       int                // mishaps since something was sent
	waiters     []chan struct{}    // in Hungry
	claims      []pace.Claim
	shares      []int
}

// signal is closed once.
type signal struct {
	c    chan struct{}
	once *sync.Once
}

func newSignal() signal { return signal{make(chan struct{}), new(sync.Once)} }

func (s signal) give() { s.once.Do(func() { close(s.c) }) }

func (s signal) given() bool {
	select {
	case <-s.c:
		return true
	default:
		return false
	}
}

// New checks o, all of it, and gives a dispatcher. It starts nothing.
func New(o Options) (*Dispatcher, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o = o.filled()
	d := &Dispatcher{
		o: o, byDomain: map[string]*queue{}, calls: make(chan func()),
		closing: newSignal(), draining: newSignal(), started: newSignal(), stopped: newSignal(), crashed: newSignal(), ended: newSignal(),
		store: lanes.NewStore(o.SpillDir, o.Memory, lanes.Codec[*Message](records{})),
		clock: time.Now, total: pace.NewLimiter(o.Rate), domains: limiters{rates: o.DomainRates},
	}
	for _, qo := range append(append([]QueueOptions(nil), o.Queues...), o.General) {
		q := newQueue(d, qo)
		d.queues = append(d.queues, q)
		for _, domain := range qo.Domains {
			d.byDomain[domain] = q
		}
	}
	d.breakers.restore(o.Pauses)
	d.claims, d.shares = make([]pace.Claim, len(d.queues)), make([]int, len(d.queues))
	return d, nil
}

// Submit hands over the clones of one letter. It waits until Run takes them, which is at once but for memory and disk.
// After Drain, or when Run has ended, its error is *Paused and nothing of ms was taken.
func (d *Dispatcher) Submit(ctx context.Context, ms ...*Message) error {
	own := append([]*Message(nil), ms...)
	if d.stopped.given() {
		return &Paused{}
	}
	select {
	case d.calls <- func() { d.accept(own) }:
		return nil
	case <-d.stopped.c:
		return &Paused{}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Hungry blocks until some queue has little left that could go now. Sources call it between reads, so that what waits
// here stays small while nothing that could go has to wait for the reader. Its errors are those of Submit.
func (d *Dispatcher) Hungry(ctx context.Context) error {
	fed := make(chan struct{})
	select {
	case d.calls <- func() { d.waiters = append(d.waiters, fed) }:
	case <-d.stopped.c:
		return &Paused{}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-fed:
		return nil
	case <-d.stopped.c:
		return &Paused{}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close says that nothing more will be submitted: Run ends when all is delivered.
func (d *Dispatcher) Close() { d.closing.give() }

// Drain has the run take nothing more and finish what is in flight. Run then returns *Paused.
func (d *Dispatcher) Drain() { d.draining.give() }

// QueueStats is the state of one queue. The first five count messages; Spilled are among those that wait.
type QueueStats struct {
	Name                                 string
	Waiting, Spilled, Deferred, InFlight int
	Threads, Max                         int // how many there are, and may be
}

// Stats gives the state of every queue, the general one last.
func (d *Dispatcher) Stats() []QueueStats {
	switch {
	case !d.started.given(): // nothing is in it, and Run may begin at this moment
		all := make([]QueueStats, len(d.queues))
		for i, q := range d.queues {
			all[i] = QueueStats{Name: q.o.Name, Max: q.max}
		}
		return all
	case d.ended.given():
		return d.stats()
	}
	reply := make(chan []QueueStats, 1)
	select {
	case d.calls <- func() { reply <- d.stats() }:
		return <-reply
	case <-d.ended.c:
		return d.stats()
	}
}

// call hands f to Run's goroutine; false: it has crashed.
func (d *Dispatcher) call(f func()) bool {
	select {
	case d.calls <- f:
		return true
	case <-d.crashed.c:
		return false
	}
}

func (d *Dispatcher) stats() []QueueStats {
	all := make([]QueueStats, len(d.queues))
	for i, q := range d.queues {
		all[i] = QueueStats{
			Name: q.o.Name, Waiting: q.set.Waiting(), Spilled: q.set.Spilled(), Deferred: q.set.Deferred(),
			InFlight: q.flying, Threads: q.live, Max: q.max,
		}
	}
	return all
}

// limiters are the rates of single domains.
type limiters struct {
	rates map[string]pace.Rate
	used  map[string]*pace.Limiter
	sweep int // size at which those that owe nothing are dropped
}

func (l *limiters) of(domain string, now time.Time) *pace.Limiter {
	if len(l.rates) == 0 {
		return nil
	}
	if known, ok := l.used[domain]; ok {
		return known
	}
	rate, named := l.rates[domain]
	if !named {
		rate = l.rates["*"]
	}
	made := pace.NewLimiter(rate)
	if made == nil {
		return nil
	}
	if len(l.used) >= l.sweep {
		for k, v := range l.used {
			if v.Idle(now) {
				delete(l.used, k)
			}
		}
		l.sweep = max(4096, 2*len(l.used))
	}
	if l.used == nil {
		l.used = map[string]*pace.Limiter{}
	}
	l.used[domain] = made
	return made
}

var errRunning = errors.New("dispatcher: it runs once")
