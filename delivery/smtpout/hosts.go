package smtpout

import (
	"container/list"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/mailblast/mailblast/delivery/route"
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

// host is what was learnt of one host and port. It is shared by all queues.
type host struct {
	key string

	mu        sync.Mutex
	fails     int       // in a row
	rounds    int       // cool-downs in a row
	refusals  int       // of them, those that followed a 5yz greeting or EHLO
	coolFrom  time.Time // when the present cool-down was set
	cool      time.Time // when it ends
	last      *fault    // why
	okAt      time.Time // when it last took a sender
	perConn   int       // messages until it said 421; 0 is not known
	perConnAt time.Time
	rcptMax   int // recipients a transaction until it said 452; 0 is not known
	lies      int // pipelined groups that ended in silence or junk
}

// maxLies pipelined groups without all their replies mark a host as one to be talked to command by command.
const maxLies = 2

// cooling gives why the host is left alone and until when.
func (h *host) cooling(now time.Time) (*fault, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cool.After(now) {
		return h.last, h.cool
	}
	return nil, time.Time{}
}

// fail notes that a try begun at started came to nothing. Tries begun before the present cool-down was set count once.
func (h *host) fail(f *fault, started time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if started.Before(h.coolFrom) {
		return
	}
	h.last = f
	h.fails++
	now := time.Now()
	if now.Sub(h.okAt) < aliveFor && h.fails < tolerance {
		return
	}
	wait := maxCool
	if h.rounds < 10 {
		wait = min(firstCool<<h.rounds, maxCool)
	}
	h.rounds++
	if f.refused() {
		h.refusals++
	} else {
		h.refusals = 0
	}
	h.coolFrom, h.cool = now, now.Add(wait)
}

// ok notes that the host took a sender.
func (h *host) ok() {
	h.mu.Lock()
	h.fails, h.rounds, h.refusals = 0, 0, 0
	h.cool, h.coolFrom, h.last, h.okAt = time.Time{}, time.Time{}, nil, time.Now()
	h.mu.Unlock()
}

// refusedTwice tells that the host said a final no to any connection in two rounds.
func (h *host) refusedTwice() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refusals >= 2
}

// fills notes that the host ended a busy connection after n messages.
func (h *host) fills(n int) {
	h.mu.Lock()
	h.perConn, h.perConnAt = n, time.Now()
	h.mu.Unlock()
}

// crowds notes that the host took n recipients in a transaction and no more.
func (h *host) crowds(n int) {
	h.mu.Lock()
	h.rcptMax = n
	h.mu.Unlock()
}

func (h *host) lied() {
	h.mu.Lock()
	h.lies++
	h.mu.Unlock()
}

func (h *host) unpipelined() {
	h.mu.Lock()
	h.lies = maxLies
	h.mu.Unlock()
}

func (h *host) pipelines() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lies < maxLies
}

// limits gives how many messages a connection and recipients a transaction may have.
func (h *host) limits(perConn int) (messages, recipients int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	recipients = maxRecipients
	if h.perConn > 0 && time.Since(h.perConnAt) < keepLimit {
		perConn = min(perConn, h.perConn)
	}
	if h.rcptMax > 0 {
		recipients = min(recipients, h.rcptMax)
	}
	return perConn, recipients
}

// hosts is a bounded memory of hosts, the least recently used going first.
type hosts struct {
	mu    sync.Mutex
	byKey map[string]*list.Element
	order *list.List // of *host
}

func newHosts() *hosts { return &hosts{byKey: map[string]*list.Element{}, order: list.New()} }

func (hs *hosts) get(h route.Hop) *host {
	key := net.JoinHostPort(h.Host, strconv.Itoa(h.Port))
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if e, ok := hs.byKey[key]; ok {
		hs.order.MoveToFront(e)
		return e.Value.(*host)
	}
	x := &host{key: key}
	hs.byKey[key] = hs.order.PushFront(x)
	if hs.order.Len() > knownMax {
		e := hs.order.Back()
		delete(hs.byKey, e.Value.(*host).key)
		hs.order.Remove(e)
	}
	return x
}
