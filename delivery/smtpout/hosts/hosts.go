// Package hosts remembers what was learnt of each host, so that messages move on without dialling a dead one again:
//
//  1. a host that fails cools down, each time for longer, unless it took mail a moment ago;
//  2. one that works is forgiven at once;
//  3. how many messages a connection and recipients a transaction it takes, and whether it can be talked to in groups;
//  4. how many connections at once: fewer when it turns one away, and one more from time to time.
package hosts

import (
	"container/list"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
)

const (
	firstCool = 30 * time.Second
	maxCool   = 30 * time.Minute
	// aliveFor and tolerance: a host that took mail a moment ago may drop a connection now and then without being left
	// alone for it.
	aliveFor  = time.Minute
	tolerance = 3
	knownMax  = 20_000
	// keepLimit is how long a limit that showed itself once is believed: it may have been a restart.
	keepLimit = 30 * time.Minute
)

// MaxRecipients is what every server must take in one transaction (RFC 5321 §4.5.3.1.8).
const MaxRecipients = 100

// Host is what was learnt of one host and port. It is shared by all queues.
type Host struct {
	key string

	mu        sync.Mutex
	fails     int          // in a row
	rounds    int          // cool-downs in a row
	refusals  int          // of them, those that followed a 5yz greeting or EHLO
	coolFrom  time.Time    // when the present cool-down was set
	cool      time.Time    // when it ends
	last      *fault.Fault // why
	okAt      time.Time    // when it last gave a verdict on a message
	perConn   int          // messages until it said 421; 0 is not known
	perConnAt time.Time
	rcptMax   int // recipients a transaction until it said 452; 0 is not known
	lies      int // pipelined groups that ended in silence or junk
	pool      pool
}

// maxLies pipelined groups without all their replies mark a host as one to be talked to command by command.
const maxLies = 2

// Cooling gives why the host is left alone and until when.
func (h *Host) Cooling(now time.Time) (*fault.Fault, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cool.After(now) {
		return h.last, h.cool
	}
	return nil, time.Time{}
}

// Fail notes that a try begun at started came to nothing; the host cools down for no longer than most, 0 being half an
// hour. Tries begun before the present cool-down was set count once. A host that turns one of several connections
// away for now is full: it does not cool down.
func (h *Host) Fail(f *fault.Fault, started time.Time, most time.Duration) (full bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if f.Busy() && h.pool.open > 1 {
		h.pool.lower(now, started)
		return true
	}
	if started.Before(h.coolFrom) {
		return false
	}
	h.last = f
	h.fails++
	if now.Sub(h.okAt) < aliveFor && h.fails < tolerance {
		return false
	}
	if most <= 0 {
		most = maxCool
	}
	wait := most
	if h.rounds < 10 {
		wait = min(firstCool<<h.rounds, most)
	}
	h.rounds++
	if f.Refused() {
		h.refusals++
	} else {
		h.refusals = 0
	}
	h.coolFrom, h.cool = now, now.Add(wait)
	return false
}

// OK notes that the host works: it gave a verdict on a recipient or a message.
func (h *Host) OK() {
	h.mu.Lock()
	h.fails, h.rounds, h.refusals = 0, 0, 0
	h.cool, h.coolFrom, h.last, h.okAt = time.Time{}, time.Time{}, nil, time.Now()
	h.mu.Unlock()
}

// RefusedTwice tells that the host said a final no to any connection in two rounds.
func (h *Host) RefusedTwice() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refusals >= 2
}

// Fills notes that the host ended a busy connection after n messages.
func (h *Host) Fills(n int) {
	h.mu.Lock()
	h.perConn, h.perConnAt = n, time.Now()
	h.mu.Unlock()
}

// Crowds notes that the host took n recipients in a transaction and no more.
func (h *Host) Crowds(n int) {
	h.mu.Lock()
	h.rcptMax = n
	h.mu.Unlock()
}

// Lied notes that a pipelined group ended in silence or junk.
func (h *Host) Lied() {
	h.mu.Lock()
	h.lies++
	h.mu.Unlock()
}

// Unpipelined notes that the host gets out of step and is to be talked to command by command.
func (h *Host) Unpipelined() {
	h.mu.Lock()
	h.lies = maxLies
	h.mu.Unlock()
}

// Pipelines tells whether the host may be told several commands at once.
func (h *Host) Pipelines() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lies < maxLies
}

// Limits gives how many messages a connection and recipients a transaction may have.
func (h *Host) Limits(perConn int) (messages, recipients int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	recipients = MaxRecipients
	if h.perConn > 0 && time.Since(h.perConnAt) < keepLimit {
		perConn = min(perConn, h.perConn)
	}
	if h.rcptMax > 0 {
		recipients = min(recipients, h.rcptMax)
	}
	return perConn, recipients
}

// Hosts is a bounded memory of hosts, the least recently used going first.
type Hosts struct {
	mu    sync.Mutex
	byKey map[string]*list.Element
	order *list.List // of *Host
}

// New gives a memory of nothing.
func New() *Hosts { return &Hosts{byKey: map[string]*list.Element{}, order: list.New()} }

// Get gives what is known of the host of a hop, which may be nothing yet.
func (hs *Hosts) Get(h route.Hop) *Host {
	key := net.JoinHostPort(h.Host, strconv.Itoa(h.Port))
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if e, ok := hs.byKey[key]; ok {
		hs.order.MoveToFront(e)
		return e.Value.(*Host)
	}
	x := &Host{key: key}
	hs.byKey[key] = hs.order.PushFront(x)
	if hs.order.Len() > knownMax {
		e := hs.order.Back()
		delete(hs.byKey, e.Value.(*Host).key)
		hs.order.Remove(e)
	}
	return x
}
