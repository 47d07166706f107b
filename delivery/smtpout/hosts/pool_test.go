package hosts

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
)

var tooMany = &fault.Fault{Stage: delivery.StageConnect, Code: 421, Text: "too many connections"}

// dials has n connections dialled by a queue, as far as the pool lets them, and gives how many.
func dials(h *Host, queue string, n int) (entered int) {
	for range n {
		if h.Enter(queue) {
			entered++
		}
	}
	return entered
}

// A host that turns connections away gets a quarter fewer, and one more every half minute.
func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New().Get(route.Hop{Host: "mx.example", Port: 25})
		began := time.Now()
		if dials(h, "a", 12) != 12 {
			t.Fatal("a host that never complained is spared")
		}
		time.Sleep(time.Second)
		for range 8 {
			h.Up()
		}
		for range 4 {
			if !h.Fail(tooMany, began, 0) {
				t.Fatal("not full")
			}
			h.Leave("a", false)
		}
		if h.pool.most != 6 || h.pool.open != 8 {
			t.Errorf("%d of %d", h.pool.open, h.pool.most)
		}
		if f, _ := h.Cooling(time.Now()); f != nil {
			t.Error("a full host cools down")
		}
		if dials(h, "a", 1) != 0 {
			t.Error("dialled beyond what the host takes")
		}
		for range 3 {
			h.Leave("a", true)
		}
		if dials(h, "a", 5) != 1 {
			t.Error("what the host takes is not used")
		}
		h.Up()
		for want := 7; want < 10; want++ {
			time.Sleep(raiseAfter)
			if dials(h, "a", 5) != 1 || h.pool.open != want {
				t.Errorf("%d, want %d", h.pool.open, want)
			}
			h.Up()
		}
	})
}

// Another queue may try although the pool is used up: the host decides.
func TestPoolLeavesNoQueueOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New().Get(route.Hop{Host: "mx.example", Port: 25})
		dials(h, "a", 3)
		h.Up()
		h.Up()
		h.Fail(tooMany, time.Now(), 0)
		h.Leave("a", false)
		if dials(h, "a", 1) != 0 || dials(h, "b", 2) != 1 {
			t.Errorf("%v", h.pool)
		}
	})
}

// The last connection that is turned away is a host in trouble.
func TestPoolOfNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New().Get(route.Hop{Host: "mx.example", Port: 25})
		dials(h, "a", 2)
		if !h.Fail(tooMany, time.Now(), 0) {
			t.Error("one of two")
		}
		h.Leave("a", false)
		if h.Fail(tooMany, time.Now(), 0) {
			t.Error("the last one")
		}
		if f, _ := h.Cooling(time.Now()); f == nil {
			t.Error("does not cool down")
		}
	})
}
