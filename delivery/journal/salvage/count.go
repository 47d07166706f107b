package salvage

import (
	"context"
	"errors"

	"github.com/mailblast/mailblast/delivery/journal/state"
)

// States are the deliveries of a run by their state; Open are those put off or reopened.
type States struct {
	Sent       int `json:"sent"`
	Failed     int `json:"failed"`
	Unknown    int `json:"unknown"`
	Suppressed int `json:"suppressed"`
	Skipped    int `json:"skipped"`
	Open       int `json:"open"`
}

// Count fills in the states of the runs. A run that SQLite cannot read to its end gets none.
func (w *Wreck) Count(ctx context.Context, f *Finding) (err error) {
	if f.Schema == 1 {
		return nil
	}
	db, done, err := w.left.counts(ctx)
	if err != nil || db == nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	for i := range f.Runs {
		r := &f.Runs[i]
		if r.Row == nil {
			continue
		}
		c, err := state.Count(ctx, db, uint64(r.ID), r.Row.Int(FirstOutcome))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			r.States = &States{c.Sent, c.Failed, c.Unknown, c.Suppressed, c.Skipped, c.Open}
		}
	}
	return nil
}
