package cmd

import (
	"context"
	"errors"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
)

// settle brings the run's end to disk: rows that are gone, the columns of those without their mail, and whether all is done.
func (p *pipeline) settle(ctx context.Context, end ending) error {
	finished := end.err == nil && end.paused == nil && p.planned.LeftOut == 0
	if finished {
		if _, err := p.run.Gone(ctx); err != nil {
			return stateFault(err)
		}
	}
	if diskFault(end.err) != nil { // it has no room for more than outcomes; the next run keeps the columns
		return stateFaultOrNil(p.run.Flush(ctx))
	}
	if err := p.keepUnsent(ctx); err != nil {
		return stateFault(err)
	}
	if !finished {
		return nil
	}
	if err := p.run.Finish(ctx); err != nil {
		return stateFault(err)
	}
	return nil
}

// mostKept bounds what the journal keeps of rows; a campaign that failed for more people has another problem.
const mostKept = 100_000

// keepUnsent stores the columns of rows whose mail failed or is unknown, to be corrected and fed back.
func (p *pipeline) keepUnsent(ctx context.Context) error {
	if err := p.run.Flush(ctx); err != nil {
		return err
	}
	if n := p.run.Counts(); p.run.Info().Fresh && n.Failed+n.Unknown == 0 {
		return nil
	}
	unsent := map[delivery.ID]struct{}{}
	for o, err := range p.store.book.Outcomes(ctx, p.run.Info()) {
		if err != nil {
			return err
		}
		if (o.Status == delivery.Failed || o.Status == delivery.Unknown) && len(unsent) < mostKept {
			unsent[o.ID] = struct{}{}
		}
	}
	if len(unsent) == 0 {
		return nil
	}
	var names []string
	for _, c := range p.rows.Columns() {
		names = append(names, c.Name)
	}
	var kept []journal.Kept
	flush := func() error {
		err := p.run.Keep(ctx, names, kept)
		kept = kept[:0]
		return err
	}
	err := p.composer.Deliveries(ctx, func(r *composer.Row, id delivery.ID, to string) error {
		if _, ok := unsent[id]; !ok {
			return nil
		}
		if kept = append(kept, journal.Kept{ID: id, To: to, Fields: fields(r)}); len(kept) < 500 {
			return nil
		}
		return flush()
	})
	return errors.Join(err, flush())
}

func fields(r *composer.Row) []string {
	out := make([]string, len(r.Values))
	for i, v := range r.Values {
		out[i] = rows.Text(v)
	}
	return out
}
