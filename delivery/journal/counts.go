package journal

import (
	"sync/atomic"

	"github.com/mailblast/mailblast/delivery"
)

// Counts are deliveries by what became of them.
type Counts struct {
	Sent, Failed, Unknown, Suppressed, Skipped int
	Deferrals                                  int // tries put off, not deliveries
}

// Final adds up all but the deferrals.
func (c Counts) Final() int { return c.Sent + c.Failed + c.Unknown + c.Suppressed + c.Skipped }

// counter counts what is on disk.
type counter struct {
	status [delivery.Skipped + 1]atomic.Int64
}

func (c *counter) add(os []delivery.Outcome) {
	for i := range os {
		c.status[os[i].Status].Add(1)
	}
}

// Counts gives what this process brought to disk so far.
func (r *Run) Counts() Counts {
	n := func(s delivery.Status) int { return int(r.counter.status[s].Load()) }
	return Counts{Sent: n(delivery.Sent), Failed: n(delivery.Failed), Unknown: n(delivery.Unknown),
		Suppressed: n(delivery.Suppressed), Skipped: n(delivery.Skipped), Deferrals: n(delivery.Deferred)}
}

// Before gives what earlier processes brought to disk, those apart that were reopened.
func (r *Run) Before() Counts {
	if r.states == nil {
		return Counts{}
	}
	c := r.states.Counts()
	return Counts{Sent: c.Sent, Failed: c.Failed, Unknown: c.Unknown, Suppressed: c.Suppressed, Skipped: c.Skipped}
}

func (r *Run) final() int { return r.Before().Final() + r.Counts().Final() }
