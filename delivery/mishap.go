package delivery

import (
	"fmt"

	"github.com/mailblast/mailblast/delivery/panicked"
)

const (
	toldMishaps = 5  // that are told of, each with its stack; the others look the same
	mostMishaps = 20 // one after the other with nothing sent between: it meets everybody, who must not fail for it
)

// mishap counts a thread's panic. The messages it had in hand are sweep's; the run goes on, unless nothing else happens.
func (d *Dispatcher) mishap(q *queue, a assignment, p *panicked.Error) {
	if d.mishaps.Times == 0 {
		d.mishaps.First = p
	}
	d.mishaps.Times++
	d.inRow++
	if d.mishaps.Times <= toldMishaps {
		d.o.Log.Error(p.Error()+" while mail was sent, which goes on", "queue", q.o.Name, "domain", a.domain, "stack", p.Stack)
	}
	if d.inRow >= mostMishaps {
		d.stop(fmt.Errorf("queues: %d times in a row: %w", d.inRow, p))
	}
}
