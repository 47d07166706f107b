package salvage

import (
	"context"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/flight"
	"github.com/mailblast/mailblast/delivery/journal/state"
	"github.com/mailblast/mailblast/delivery/journal/store"
	"github.com/mailblast/mailblast/delivery/journal/table"
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

// Count fills in the states of the runs, and in a sound journal what was on the wire. A run that SQLite cannot read to its end gets
// none.
func (w *Wreck) Count(ctx context.Context, f *Finding) (err error) {
	if w.img.Missing() || f.Schema == 1 {
		return nil
	}
	db, done, err := w.img.Attached(ctx)
	if err != nil {
		return nil // it is no file of SQLite's any more
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
		if f.Sound() && r.Row.Int(Finished) == 0 {
			if r.OnWire, err = w.onWire(ctx, db, r.Row); err != nil {
				return err
			}
		}
	}
	return nil
}

// onWire counts what was on the wire when the last process of a run was cut off.
func (w *Wreck) onWire(ctx context.Context, db *sqlx.DB, run table.Row) (n int, err error) {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	of := flight.Span{Run: uint64(run.Int(0)), Intent: run.Int(SettledIntent), Outcome: run.Int(SettledOutcome)}
	open, err := flight.Open(ctx, store.Reading(tx, w.file, w.meta), of)
	return len(open), err
}
