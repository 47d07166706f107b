package route

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// net.Resolver gives no TTL, so the age of an answer is ours to choose.
const (
	keepGood = 5 * time.Minute  // an answer, and a definite "no"
	keepBad  = 30 * time.Second // trouble of the DNS, so that a thousand messages to one domain are not a thousand timeouts
	keepLast = time.Hour        // how long a good answer may serve while the DNS is in trouble (RFC 8767 has days)
	askLimit = 30 * time.Second // one question with all its retries
	memory   = 8192             // names remembered
)

// memo remembers the answers to one kind of question, the least recently used going first.
type memo[V any] struct {
	asking singleflight.Group
	mu     sync.Mutex
	byName map[string]*list.Element
	order  *list.List // of *answer[V], most recently used first
}

type answer[V any] struct {
	name  string
	value V
	err   error     // *Error
	from  time.Time // when value was good
	until time.Time // when to ask again
}

func newMemo[V any]() *memo[V] {
	return &memo[V]{byName: map[string]*list.Element{}, order: list.New()}
}

// get answers from memory, or asks. ask's error is an *Error.
func (m *memo[V]) get(ctx context.Context, name string, ask func(context.Context) (V, error)) (V, error) {
	for {
		if a, ok := m.recall(name); ok && time.Now().Before(a.until) {
			return a.value, a.err
		}
		// The goroutine behind DoChan lives as long as the lookup, which is cut with ctx.
		answers := m.asking.DoChan(name, func() (a any, err error) {
			defer panicked.Contain(&err) // singleflight would end the process
			return m.ask(ctx, name, ask)
		})
		select {
		case <-ctx.Done():
			var none V
			return none, ctx.Err()
		case r := <-answers:
			if a, ok := r.Val.(answer[V]); ok && r.Err == nil {
				return a.value, a.err
			}
			if p := (*panicked.Error)(nil); errors.As(r.Err, &p) {
				panic(p) // on the thread of who asks, which contains it
			}
			// Whoever asked first was cut; the question is ours now, unless we are cut as well.
			if err := ctx.Err(); err != nil {
				var none V
				return none, err
			}
		}
	}
}

// ask puts the question and remembers the answer. Its error is that of a cut ctx, which is no answer.
func (m *memo[V]) ask(ctx context.Context, name string, ask func(context.Context) (V, error)) (answer[V], error) {
	limited, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	v, err := ask(limited)
	if cut := ctx.Err(); err != nil && cut != nil {
		return answer[V]{}, cut
	}
	now := time.Now()
	a := answer[V]{name: name, value: v, err: err, from: now, until: now.Add(keepGood)}
	if inTrouble(err) {
		a.until = now.Add(keepBad)
		if last, ok := m.recall(name); ok && last.err == nil && now.Sub(last.from) < keepLast {
			a.value, a.err, a.from = last.value, nil, last.from
		}
	}
	m.keep(a)
	return a, nil
}

// inTrouble tells that the DNS could not say, so that what it said before is worth more.
func inTrouble(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == delivery.Deferred && !e.NotFound
}

// recall gives what is remembered of name, however old.
func (m *memo[V]) recall(name string) (answer[V], bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.byName[name]
	if !ok {
		return answer[V]{}, false
	}
	m.order.MoveToFront(e)
	return *e.Value.(*answer[V]), true
}

func (m *memo[V]) keep(a answer[V]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.byName[a.name]; ok {
		*e.Value.(*answer[V]) = a
		m.order.MoveToFront(e)
		return
	}
	if m.order.Len() >= memory {
		last := m.order.Back()
		delete(m.byName, last.Value.(*answer[V]).name)
		m.order.Remove(last)
	}
	m.byName[a.name] = m.order.PushFront(&a)
}
