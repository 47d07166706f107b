package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/state"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// ErrNoRun says that the journal has no such run.
var ErrNoRun = errors.New("no such run")

// Runs lists the runs, the latest first; of one campaign, or of all when it is empty. A limit of 0 is none.
func (b *Book) Runs(ctx context.Context, campaign string, limit int) ([]RunInfo, error) {
	rows, err := b.runs(ctx)
	if err != nil {
		return nil, fmt.Errorf("journal: runs: %w", err)
	}
	var out []RunInfo
	for _, row := range slices.Backward(rows) {
		if r := parseRun(row); campaign == "" || r.campaign == campaign {
			out = append(out, r.info())
		}
		if len(out) == limit && limit > 0 {
			break
		}
	}
	return out, nil
}

func (b *Book) runs(ctx context.Context) (rows []table.Row, err error) {
	tx, err := b.store.Snapshot(ctx)
	if err != nil {
		return nil, refusal.Of(b.store.File(), err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	m, err := b.store.Meta(ctx, tx)
	if err != nil {
		return nil, err
	}
	return b.store.Runs(ctx, tx, m)
}

// Latest gives the run of a campaign that was begun last; of any campaign, when it is empty.
func (b *Book) Latest(ctx context.Context, campaign string) (RunInfo, error) {
	runs, err := b.Runs(ctx, campaign, 1)
	if err == nil && len(runs) == 0 {
		err = fmt.Errorf("journal: %s: %w", campaign, ErrNoRun)
	}
	if err != nil {
		return RunInfo{}, err
	}
	return runs[0], nil
}

// Find gives a run by its name: "campaign" (its latest), "campaign/key" (the latest generation) or "campaign/key#2".
func (b *Book) Find(ctx context.Context, name string) (RunInfo, error) {
	base, generation := name, -1
	if at := strings.LastIndexByte(name, '#'); at >= 0 {
		n, err := strconv.Atoi(name[at+1:])
		if err != nil || n < 1 {
			return RunInfo{}, fmt.Errorf("journal: %s: %w", name, ErrNoRun)
		}
		base, generation = name[:at], n-1
	}
	campaign, key, keyed := strings.Cut(base, "/")
	if !keyed && generation < 0 {
		return b.Latest(ctx, campaign)
	}
	runs, err := b.Runs(ctx, campaign, 0)
	if err != nil {
		return RunInfo{}, err
	}
	found := RunInfo{Generation: -1}
	for _, r := range runs {
		if r.Key == key && (generation == r.Generation || generation < 0 && r.Generation > found.Generation) {
			found = r
		}
	}
	if found.Generation < 0 {
		return RunInfo{}, fmt.Errorf("journal: %s: %w", name, ErrNoRun)
	}
	return found, nil
}

var finals = `SELECT ` + table.Outcomes.List("o.") + ` FROM (SELECT ` + state.Place + ` AS place FROM (` + state.Standings + `) AS s
	ORDER BY 1) AS p LEFT JOIN outcomes o ON o.seq = place ORDER BY place`

// Outcomes gives the state of each delivery of a run as its deciding outcome, in the order they were reached. Deferred
// ones are pending; so are NotTried ones, whose row is back on the list or which wait to be resent.
func (b *Book) Outcomes(ctx context.Context, run RunInfo) iter.Seq2[delivery.Outcome, error] {
	return func(yield func(delivery.Outcome, error) bool) {
		for row, err := range b.intact(ctx, table.Outcomes, finals, run.first, int64(run.ID), math.MaxInt64) {
			var o delivery.Outcome
			if err == nil {
				o, err = b.named(ctx, outcome.Parse(row))
			}
			if err != nil {
				yield(delivery.Outcome{}, fmt.Errorf("journal: outcomes: %w", err))
				return
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

// named says whom an outcome is about that was made without the list: the row that was kept for it tells.
func (b *Book) named(ctx context.Context, o delivery.Outcome) (delivery.Outcome, error) {
	if o.To != "" || o.Status != delivery.Unknown {
		return o, nil
	}
	row, err := b.kept(ctx, o.ID)
	if row != nil {
		o.To = row.Text(4)
	}
	return o, err
}
