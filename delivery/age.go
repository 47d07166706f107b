package delivery

import "time"

// The age of a message decides when it is given up. First, which is its Date too, is the system's time, and that may be changed, by a
// day for all we know, or stand still while a laptop sleeps. So what passes while Run runs is measured by the monotonic clock alone.

// elapsed is the dispatcher's own clock.
func (d *Dispatcher) elapsed() time.Duration { return d.now.Sub(d.began) }

// age is how old m is at a time that was derived from now.
func (d *Dispatcher) age(m *Message, at time.Time) time.Duration { return at.Sub(d.began) - m.since }

// date puts what an earlier process tried first on the dispatcher's own clock. A first try that is still to come means that the
// clock was put back since: then it is as old as the waits between its tries make it, so that it is given up in the end.
func (d *Dispatcher) date(m *Message) {
	if m.First.IsZero() {
		return
	}
	age := d.now.Round(0).Sub(m.First.Round(0))
	if age < 0 {
		age = 0
		for tries := 1; tries < m.Tries && age < d.o.Retry.For; tries++ {
			age += d.o.Retry.Delay(tries, 0.5)
		}
	}
	m.since = d.elapsed() - age
}
