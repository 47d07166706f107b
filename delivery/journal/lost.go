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

// standing is what journal and list say of the run.
type standing struct {
	known  runRow       // its latest generation in the journal
	listed register.Run // and in the list
	found  bool         // there is known
	once   bool         // there is listed
	lost   bool         // only the list knows it
	astray bool         // another journal has it: what was sent by that one, this one does not know
}

func (g *beginning) stand(rows []table.Row) (s standing) {
	s.known, s.found = latest(rows, g.s.Campaign, g.s.Key)
	s.listed, s.once = g.list.Latest(g.s.Campaign, g.s.Key)
	s.lost = s.once && (!s.found || int64(s.listed.Generation) > s.known.generation)
	s.astray = !s.lost && s.once && int64(s.listed.Generation) == s.known.generation && s.listed.Journal != g.b.store.ID()
	return s
}

// refused is why the run may not be begun unless a person says so: it is lost, or may be one of those whose names are.
func (g *beginning) refused(rows []table.Row, s standing) error {
	e := &refusal.LostError{File: g.b.file()}
	switch {
	case g.s.StartOver, g.b.o.StartOver, g.s.Again && (s.found || s.once):
		return nil
	case s.lost:
		e.Runs = g.lost(s.known.generation, s.found)
	case s.astray:
		e.Runs = []register.Run{s.listed}
	case !s.found && !s.once:
		for _, r := range nameless(rows) {
			e.Runs = append(e.Runs, r.line(g.b.store.ID(), 0))
		}
	}
	if len(e.Runs) == 0 {
		return nil
	}
	return e
}

// outlive lets a run be begun that the journal does not know beside runs whose names are lost, which it may be one of: a person has
// said so, once for all.
func (g *beginning) outlive(ctx context.Context, tx *ledger.Tx, lost []runRow) error {
	for _, r := range lost {
		r.doubt = 0
		if err := r.put(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}
