package repair

import (
	"context"
	"fmt"
	"slices"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
	"github.com/mailblast/mailblast/delivery/journal/state"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// newRun is a row of runs as it is written, its seal apart.
type newRun struct {
	old    salvage.Run
	values []any
}

func (n *newRun) int(i int) int64 { v, _ := n.values[i].(int64); return v }

func (n *newRun) line() register.Run {
	r := salvage.LineOf(n.values)
	r.Begun = outcome.FromMicro(n.int(salvage.Started))
	return r
}

// putRuns writes the rows of all runs.
func (r *repairing) putRuns(ctx context.Context) error {
	r.layOut()
	return r.s.Update(ctx, func(tx *ledger.Tx) error {
		for i := range r.runs {
			r.runs[i].values[1] = int64(tx.Meta.Commits)
			if err := tx.Put(ctx, table.Runs, r.runs[i].values...); err != nil {
				return err
			}
		}
		tx.Meta.Runs = int64(len(r.runs))
		return nil
	})
}

// layOut makes the rows of all runs; those whose names are lost stand for whatever was begun here and is not known any more.
func (r *repairing) layOut() {
	nameless, last := int64(0), int64(0)
	add := func(old salvage.Run) {
		n := newRun{old: old}
		if old.Row != nil {
			n.values = slices.Clone(old.Row[:len(old.Row)-1])
		} else {
			n.values = r.anew(&old, nameless)
			if old.Name == "" {
				nameless++
			}
		}
		if old.Doubt {
			r.question(&n)
		}
		last = max(last, n.int(0))
		r.runs = append(r.runs, n)
	}
	for _, old := range r.f.Runs {
		add(old)
	}
	for nameless < int64(r.f.Nameless) {
		add(salvage.Run{ID: last + 1, Lost: true, Doubt: true})
	}
}

// anew is the row of a run of which the row is lost.
func (r *repairing) anew(old *salvage.Run, nameless int64) []any {
	m, l := r.w.Meta(), old.Line
	switch {
	case old.Name == "":
		l = register.Run{Campaign: salvage.Nameless, Generation: int(nameless), Begun: r.now, Outcomes: m.OutcomesFrom - 1}
	case l.Journal != r.w.Journal(): // of a journal before this one
		l.Outcomes = m.Outcomes
	}
	first := min(max(l.Outcomes, m.OutcomesFrom-1), m.Outcomes) // what was behind that is lost as well
	return []any{old.ID, int64(0), l.Campaign, l.Key, int64(l.Generation), outcome.Micro(l.Begun), int64(0), int64(0), int64(0), "[]",
		int64(0), int64(l.Retried), first, first, m.From - 1, int64(0), int64(0), "", "", "", "[]"}
}

// question marks a run whose deliveries without outcome are unknown from now on. It begins a new round, which outranks what
// is known, is not finished, and is settled from its beginning.
func (r *repairing) question(n *newRun) {
	m := r.w.Meta()
	n.values[salvage.Retried] = max(n.int(salvage.Retried), int64(n.old.Line.Retried))
	n.values[salvage.Round] = max(n.int(salvage.Round), n.int(salvage.Retried), n.old.Round) + 1
	n.values[salvage.Finished] = int64(0)
	n.values[salvage.SettledOutcome], n.values[salvage.SettledIntent] = max(n.int(salvage.FirstOutcome), m.OutcomesFrom-1), m.From-1
	if n.int(salvage.Doubt) == 0 {
		n.values[salvage.Doubt] = outcome.Micro(r.now)
	}
}

// open is a query of the deliveries that may have got their mail after all: those put off, reopened, or gone from the list,
// and those that failed or were suppressed before others like them were reopened. Every reopening counts here, of round 0 and
// later: what came of it may be what is lost.
var open = fmt.Sprintf(`SELECT %s FROM (SELECT %s AS place FROM (%s) AS s) AS p JOIN outcomes o ON o.seq = place
	WHERE o.status IN (%d, %d) OR o.status = %d AND o.class = %d OR o.status IN (%d, %d) AND o.round < ?`,
	table.Outcomes.List("o."), state.Place, state.Standings, delivery.Deferred, outcome.Reopened, delivery.Skipped, delivery.ClassGone,
	delivery.Failed, delivery.Suppressed)

// doubt makes those deliveries unknown.
func (r *repairing) doubt(ctx context.Context) error {
	for i := range r.runs {
		if r.runs[i].old.Doubt {
			if err := r.doubtRun(ctx, &r.runs[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *repairing) doubtRun(ctx context.Context, n *newRun) error {
	rows, err := r.s.Reader().QueryxContext(ctx, r.s.Reader().Rebind(open), n.int(salvage.FirstOutcome), n.int(0), 0, n.int(salvage.Retried))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var os []delivery.Outcome
	var sc table.Scanner
	for rows.Next() {
		old, err := sc.Scan(table.Outcomes, rows)
		if err != nil {
			return err
		}
		o := outcome.Parse(old)
		os = append(os, delivery.Outcome{ID: o.ID, To: o.To, Status: delivery.Unknown, Text: "the journal lost what became of it", Via: o.Via,
			Attempt: o.Attempt, Try: o.Try, Charged: true, First: o.First, At: r.now, Print: o.Print})
		if len(os) == chunk {
			if err := r.add(ctx, n, os); err != nil {
				return err
			}
			os = os[:0]
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return r.add(ctx, n, os)
}

func (r *repairing) add(ctx context.Context, n *newRun, os []delivery.Outcome) error {
	if len(os) == 0 {
		return nil
	}
	r.r.Unknown[n.old.Name] += len(os)
	return r.s.Update(ctx, func(tx *ledger.Tx) error {
		for i := range os {
			tx.Meta.Outcomes++
			p := outcome.Place{Seq: tx.Meta.Outcomes, Run: uint64(n.int(0)), Round: int(n.int(salvage.Round)), Status: int(delivery.Unknown)}
			if err := tx.Put(ctx, table.Outcomes, outcome.Append(nil, p, &os[i])...); err != nil {
				return err
			}
		}
		return nil
	})
}
