package hosts

import "time"

// raiseAfter is how long a host is left with the connections it takes before one more is tried.
const raiseAfter = 30 * time.Second

// pool is how many connections a host takes at once, learnt by additive increase and multiplicative decrease. It speaks only
// of new connections: those that are up are the host's to end.
type pool struct {
	open    int            // connections, those being brought up included
	byQueue map[string]int // of them
	up      int            // of them, those that were let in
	most    int            // 0: the host has not complained
	at      time.Time      // when most was last changed
}

// Enter counts a connection of a queue that is about to be dialled, unless the host takes no more. A queue that has none may
// always try: the host decides whether it gets one beside those of the others.
func (h *Host) Enter(queue string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &h.pool
	if p.most > 0 && p.open >= p.most && p.byQueue[queue] > 0 {
		if p.open > p.most || time.Since(p.at) < raiseAfter {
			return false
		}
		p.most, p.at = p.most+1, time.Now()
	}
	if p.byQueue == nil {
		p.byQueue = map[string]int{}
	}
	p.byQueue[queue]++
	p.open++
	return true
}

// Up notes that the host let a connection in. It can take as many as it has taken.
func (h *Host) Up() {
	h.mu.Lock()
	p := &h.pool
	if p.up++; p.most > 0 {
		p.most = max(p.most, p.up)
	}
	h.mu.Unlock()
}

// Leave counts a connection of a queue out; up tells that it had been let in.
func (h *Host) Leave(queue string, up bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &h.pool
	p.open--
	if p.byQueue[queue]--; p.byQueue[queue] == 0 {
		delete(p.byQueue, queue)
	}
	if up {
		p.up--
	}
}

// lower makes the pool smaller by a quarter after a connection was turned away that is not the only one: the host has told
// how many are too many, so half would be more than it asks for. Connections dialled before that count once.
func (p *pool) lower(now, started time.Time) {
	if !started.Before(p.at) {
		p.most, p.at = max(p.up*3/4, 1), now
	}
}
