package lanes

// node is a member's place in a ring; the member holds it by value, so that coming and going costs no memory.
type node[T any] struct {
	owner      *T
	prev, next *node[T]
}

func (n *node[T]) in() bool { return n.next != nil }

// ring goes round its members: next gives each in turn.
type ring[T any] struct{ at *node[T] } // the next one; nil when empty

// add puts n where it is reached last.
func (r *ring[T]) add(n *node[T]) {
	if n.in() {
		return
	}
	if r.at == nil {
		n.prev, n.next = n, n
		r.at = n
		return
	}
	n.prev, n.next = r.at.prev, r.at
	n.prev.next, n.next.prev = n, n
}

func (r *ring[T]) remove(n *node[T]) {
	if !n.in() {
		return
	}
	switch {
	case n.next == n:
		r.at = nil
	case r.at == n:
		r.at = n.next
	}
	n.prev.next, n.next.prev = n.next, n.prev
	n.prev, n.next = nil, nil
}

// turn gives the next member and moves on.
func (r *ring[T]) turn() *T {
	if r.at == nil {
		return nil
	}
	n := r.at
	r.at = n.next
	return n.owner
}
