package journal

import (
	"context"
	"fmt"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Pause notes that something is paused, or no longer. Like Record it queues and returns.
func (r *Run) Pause(p delivery.Pause) {
	_, err := r.book.give(r, func(part *part) { part.pauses = append(part.pauses, p) })
	if err != nil { // Serve has returned that error to its owner
		r.book.o.Log.Error("a pause is not on disk, the next run will not know of it", "name", p.Name, "error", err)
	}
}

// PauseNow is Pause for those who have no Serve running.
func (r *Run) PauseNow(ctx context.Context, p delivery.Pause) error {
	err := r.book.update(ctx, func(tx *ledger.Tx) error { return (&part{run: r, pauses: []delivery.Pause{p}}).writePauses(ctx, tx) })
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

func (p *part) writePauses(ctx context.Context, tx *ledger.Tx) error {
	for i := range p.pauses {
		x := &p.pauses[i]
		run := int64(p.run.info.ID)
		// A route is known by its way: the relay may have got another name since.
		_, err := tx.Do(ctx, `DELETE FROM pauses WHERE run = ? AND kind = ? AND via = ? AND (name = ? OR kind = 'route')`, run, x.Kind, x.Via, x.Name)
		if err == nil && !x.Over {
			err = tx.Put(ctx, table.Pauses, run, x.Kind, int64(x.Via), x.Name, int64(tx.Meta.Commits), x.Breaker, int64(x.Refused), int64(x.Of),
				int64(x.Code), outcome.Clip(x.Enhanced), outcome.Clip(x.Text), outcome.Clip(x.Host), outcome.Micro(x.At), int64(x.Waiting))
		}
		if err != nil {
			return fmt.Errorf("pauses: %w", err)
		}
	}
	return nil
}

// Pauses gives what is paused of a run, a route first, then that for which most messages wait.
func (b *Book) Pauses(ctx context.Context, run RunInfo) (all []delivery.Pause, err error) {
	query := "SELECT " + table.Pauses.List("") + " FROM pauses WHERE run = ? ORDER BY kind <> 'route', waiting DESC, name"
	for r, err := range b.intact(ctx, table.Pauses, query, int64(run.ID)) {
		if err != nil {
			return nil, fmt.Errorf("journal: pauses: %w", err)
		}
		all = append(all, delivery.Pause{Kind: r.Text(1), Via: int(r.Int(2)), Name: r.Text(3), Breaker: r.Text(5), Refused: int(r.Int(6)),
			Of: int(r.Int(7)), Code: int(r.Int(8)), Enhanced: r.Text(9), Text: r.Text(10), Host: r.Text(11), At: outcome.FromMicro(r.Int(12)),
			Waiting: int(r.Int(13))})
	}
	return all, nil
}
