package journal

import (
	"context"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// lost gives the generations of the run that only the list knows.
func (g *beginning) lost(known int64, found bool) (all []register.Run) {
	for _, r := range g.list.Runs {
		if r.Is(g.s.Campaign, g.s.Key) && (!found || int64(r.Generation) > known) {
			all = append(all, r)
		}
	}
	return all
}

// nameless are runs in doubt of which a repair did not find the names.
func nameless(rows []table.Row) (all []runRow) {
	for _, row := range rows {
		if r := parseRun(row); r.campaign == salvage.Nameless && r.doubt != 0 {
			all = append(all, r)
		}
	}
	return all
}

// outlive lets a run be begun that the journal does not know beside runs whose names are lost, which it may be one of: when a
// person says so, and once for all.
func (g *beginning) outlive(ctx context.Context, tx *ledger.Tx, lost []runRow, over bool) error {
	e := &refusal.LostError{File: g.b.store.File()}
	for i := range lost {
		e.Runs = append(e.Runs, lost[i].line(g.b.store.ID(), 0))
		lost[i].doubt = 0
		if over {
			if err := lost[i].put(ctx, tx); err != nil {
				return err
			}
		}
	}
	if !over {
		return e
	}
	return nil
}
