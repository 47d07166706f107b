package purge

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// errHolds ends a walk that has found what it looks for.
var errHolds = errors.New("it holds some")

// holding is a query that gives 1 when a run has personal data outside its intents.
const holding = `SELECT EXISTS (SELECT 1 FROM outcomes WHERE seq > ? AND run = ? AND (print <> 0 OR rcpt <> '' OR text <> '' OR host <> '' OR queue <> ''))
	OR EXISTS (SELECT 1 FROM skipped WHERE run = ? AND (rcpt <> '' OR text <> '')) OR EXISTS (SELECT 1 FROM kept WHERE run = ?)
	OR EXISTS (SELECT 1 FROM pauses WHERE run = ? AND (kind <> 'route' OR text <> '' OR host <> ''))`

// Holds tells whether a run, whose outcomes come after a place, has anything that Erase would erase.
func Holds(ctx context.Context, s ledger.Store, run uint64, first int64) (holds bool, err error) {
	id := int64(run)
	if err := s.Reader().GetContext(ctx, &holds, s.Reader().Rebind(holding), first, id, id, id, id); err != nil || holds {
		return holds, err
	}
	m, err := s.Meta(ctx, s.Reader())
	if err != nil {
		return false, err
	}
	r := reading{db: s.Reader(), file: s.File(), sealer: s.Sealer(), runs: map[int64]bool{id: true}}
	err = r.each(ctx, table.Intents, m.Intents, intentRun, func(row table.Row) (func() error, error) {
		_, had, err := nameless(row.Blob(intentEntries))
		if err == nil && had {
			err = errHolds
		}
		return nil, err
	})
	switch {
	case errors.Is(err, errHolds):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("intents: %w", err)
	}
	return false, nil
}
