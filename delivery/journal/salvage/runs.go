package salvage

import (
	"cmp"
	"maps"
	"slices"

	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Places of columns of runs.
const (
	Generation, Started, Finished, Round, Retried, FirstOutcome, SettledOutcome, SettledIntent, Doubt, Reading = 4, 5, 6, 10, 11, 12, 13, 14, 15, 16
)

// Nameless is the campaign of runs whose names a repair did not find. None can be called so.
const Nameless = "(name lost)"

// rows says what is missing of each table.
func (j *judging) rows() {
	if !j.told && !j.img.Empty() {
		j.fault(nil, "what it says of itself (meta) is damaged or missing: nobody can tell how many commits it had")
		j.all = true
	}
	j.outcomes = j.appended(table.Outcomes, j.meta.Outcomes)
	j.intents = j.appended(table.Intents, j.meta.Intents)
	j.f.Suppressed, j.f.SuppressedUnsure = j.tally(table.Suppressed).places.count(), !j.told
	if j.appended(table.Suppressed, j.meta.Suppressed) > 0 {
		j.f.SuppressedLost = j.missing(table.Suppressed).count()
	}
	for _, t := range []table.Table{table.Skipped, table.Kept, table.Pauses} {
		if n := j.tally(t).changed; n > 0 {
			j.fault(nobody, "%s not as written", t.Are(n))
		}
	}
}

// appended says what is missing of a table that is only added to, and gives the last place of that.
func (j *judging) appended(t table.Table, to int64) int64 {
	n := j.tally(t)
	if last := n.places.last(); j.told && last > to {
		j.fault(nil, "%s has rows up to place %d, but the journal says it has %d: a part of it is older than the rest", t.Name, last, to)
		j.all = true
	}
	missing := j.missing(t)
	if count := missing.count(); count > 0 {
		last, by := missing.last(), map[string]int{table.Outcomes.Name: FirstOutcome, table.Intents.Name: SettledIntent}[t.Name]
		j.fault(func(r *Run) bool { return by > 0 && (r.Lost || r.Row.Int(by) < last) }, "%s damaged or missing (%v)", t.Are(count), missing)
	}
	return missing.last()
}

// missing gives the places of a table that is only added to, whose rows are not as they were written.
func (w *Wreck) missing(t table.Table) places {
	n := w.tally(t)
	from, to := int64(1), n.places.last()
	switch {
	case !w.told:
		from = n.places.first()
	case t.Name == table.Outcomes.Name:
		from, to = w.meta.OutcomesFrom, max(to, w.meta.Outcomes)
	case t.Name == table.Intents.Name:
		from, to = w.meta.From, max(to, w.meta.Intents)
	default:
		to = max(to, w.meta.Suppressed)
	}
	return n.places.gaps(from, to)
}

// lost lists the runs, those included that only the list of runs knows.
func (j *judging) lost() {
	mine := mark.Mark{Journal: j.meta.ID}.String()
	rows := int64(0)
	for _, id := range slices.Sorted(maps.Keys(j.runs)) {
		r := j.runs[id]
		each := Run{ID: id, Row: r.row, Round: r.round, Outcomes: r.outcomes, Intents: r.intents, Lost: r.row == nil}
		if r.row != nil {
			each.Line, rows = LineOf(r.row), rows+1
			each.Name = each.Line.Name()
		}
		j.f.Runs = append(j.f.Runs, each)
	}
	for _, l := range j.list.Runs {
		j.listed(l, l.Journal == mine)
	}
	last := int64(0)
	for i := range j.f.Runs {
		last = max(last, j.f.Runs[i].ID)
	}
	named := int64(0)
	for i := range j.f.Runs {
		r := &j.f.Runs[i]
		if r.ID == 0 { // of another journal
			last++
			r.ID = last
		} else if r.Lost {
			named++
		}
		if r.Lost && r.Name == "" {
			j.f.Nameless++
		}
	}
	if gone := j.meta.Runs - rows; j.told && gone > 0 {
		j.fault(func(r *Run) bool { return r.Lost }, "%s damaged or missing", table.Runs.Are(gone))
		j.f.Nameless += int(max(0, gone-named))
	} else if j.told && gone < 0 {
		j.fault(nil, "it has runs: %d, but says %d", rows, j.meta.Runs)
		j.all = true
	}
	slices.SortStableFunc(j.f.Runs, func(a, b Run) int { return cmp.Compare(a.ID, b.ID) })
}

// LineOf is what the list of runs says of a run.
func LineOf(row table.Row) register.Run {
	return register.Run{Campaign: row.Text(2), Key: row.Text(3), Generation: int(row.Int(Generation)), ID: uint64(row.Int(0)),
		Retried: int(row.Int(Retried)), Outcomes: row.Int(FirstOutcome), Intents: row.Int(SettledIntent)}
}

// listed finds the run that a line is about, or adds one that is lost.
func (j *judging) listed(l register.Run, mine bool) {
	for i := range j.f.Runs {
		r := &j.f.Runs[i]
		known := r.Name != "" && l.Is(r.Line.Campaign, r.Line.Key) && l.Generation == r.Line.Generation
		switch {
		case known && r.Row != nil && mine:
			r.Line.Begun, r.Line.Retried = l.Begun, max(r.Line.Retried, l.Retried)
			return
		case known:
			if r.Row == nil && mine {
				r.Line = l
			}
			return
		case mine && r.Name == "" && r.ID == int64(l.ID):
			r.Name, r.Line = l.Name(), l
			return
		}
	}
	lost := Run{Name: l.Name(), Lost: true, Line: l}
	if mine {
		lost.ID = int64(l.ID)
	}
	j.f.Runs = append(j.f.Runs, lost)
}

// doubts says of which runs it cannot be told what became of those without outcome, and whom each fault touches.
func (j *judging) doubts() {
	for i := range j.f.Runs {
		r := &j.f.Runs[i]
		if !r.Lost {
			continue
		}
		if r.Name == "" {
			j.fault(nobody, "a run has lost its row and its name; outcomes of it that are left: %d", r.Outcomes)
			continue
		}
		j.fault(func(other *Run) bool { return other == r }, "it knows nothing of the run %s, which was begun here", r.Name)
	}
	if j.f.Sound() {
		for i := range j.f.Runs {
			j.f.Runs[i].Doubt = j.f.Runs[i].Row.Int(Doubt) != 0
		}
		return
	}
	j.all = j.all || j.structural() && !j.confirmed()
	if j.all && (j.list.Damaged > 0 || len(j.list.Runs) == 0) {
		j.f.Nameless = max(j.f.Nameless, 1)
	}
	for i := range j.f.Runs {
		r := &j.f.Runs[i]
		r.Doubt = j.all || r.Lost || r.Row.Int(Doubt) != 0 || r.Row.Int(FirstOutcome) < j.outcomes || r.Row.Int(SettledIntent) < j.intents
		for n := range j.f.Faults {
			touches := j.touches[n]
			if r.Name != "" && (touches == nil && j.all || touches != nil && touches(r)) {
				j.f.Faults[n].Runs = append(j.f.Faults[n].Runs, r.Name)
			}
		}
	}
}

// structural tells that there is more wrong than runs that only the list knows.
func (j *judging) structural() bool {
	lost := 0
	for i := range j.f.Runs {
		if j.f.Runs[i].Lost {
			lost++
		}
	}
	return len(j.f.Faults) > lost
}
