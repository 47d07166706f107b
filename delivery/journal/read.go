package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/mailblast/mailblast/delivery"
)

const runColumns = `id, campaign, key, generation, started, finished, rows, deliveries, columns, round, first_outcome, settled_outcome, settled_intent`

type runRow struct {
	ID                int64
	Campaign, Key     string
	Generation        int
	Started, Finished int64
	Rows, Deliveries  int
	Columns           string
	Round             int
	FirstOutcome      int64 `db:"first_outcome"`
	SettledOutcome    int64 `db:"settled_outcome"`
	SettledIntent     int64 `db:"settled_intent"`
}

func (r *runRow) info() RunInfo {
	i := RunInfo{ID: uint64(r.ID), Campaign: r.Campaign, Key: r.Key, Generation: r.Generation, Started: fromMicro(r.Started),
		Finished: fromMicro(r.Finished), Rows: r.Rows, Deliveries: r.Deliveries, first: r.FirstOutcome}
	if json.Unmarshal([]byte(r.Columns), &i.Columns) != nil {
		i.Columns = nil // rows are then reported without them
	}
	return i
}

// ErrNoRun says that the journal has no such run.
var ErrNoRun = errors.New("no such run")

// Runs lists the runs, the latest first; of one campaign, or of all when it is empty. A limit of 0 is none.
func (b *Book) Runs(ctx context.Context, campaign string, limit int) ([]RunInfo, error) {
	if limit <= 0 {
		limit = -1
	}
	var rows []runRow
	err := b.read.SelectContext(ctx, &rows, `SELECT `+runColumns+` FROM runs WHERE ? IN ('', campaign) ORDER BY id DESC LIMIT ?`, campaign, limit)
	if err != nil {
		return nil, fmt.Errorf("journal: runs: %w", err)
	}
	out := make([]RunInfo, len(rows))
	for i := range rows {
		out[i] = rows[i].info()
	}
	return out, nil
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
	var row runRow
	err := b.read.GetContext(ctx, &row, `SELECT `+runColumns+` FROM runs WHERE campaign = ? AND key = ? AND ? IN (-1, generation)
		ORDER BY generation DESC LIMIT 1`, campaign, key, generation)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoRun
	}
	if err != nil {
		return RunInfo{}, fmt.Errorf("journal: %s: %w", name, err)
	}
	return row.info(), nil
}

var finals = `SELECT ` + strings.ReplaceAll("o."+outcomeColumns, ", ", ", o.") + ` FROM (SELECT ` + seqOf + ` AS place FROM (` + standings + `)
	ORDER BY 1) CROSS JOIN outcomes o ON o.seq = place ORDER BY place`

// Outcomes gives the state of each delivery of a run as its deciding outcome, in the order they were reached. Deferred
// ones are pending; so are NotTried ones, which were reopened.
func (b *Book) Outcomes(ctx context.Context, run RunInfo) iter.Seq2[delivery.Outcome, error] {
	return func(yield func(delivery.Outcome, error) bool) {
		rows, err := b.read.QueryContext(ctx, finals, run.first, int64(run.ID))
		if err != nil {
			yield(delivery.Outcome{}, fmt.Errorf("journal: outcomes: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var r row
			if err := r.scan(rows); err != nil {
				yield(delivery.Outcome{}, fmt.Errorf("journal: outcomes: %w", err))
				return
			}
			if !yield(r.outcome(), nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(delivery.Outcome{}, fmt.Errorf("journal: outcomes: %w", err))
		}
	}
}

// Skipped gives the rows that the latest reading skipped, in the list's order.
func (b *Book) Skipped(ctx context.Context, run RunInfo) iter.Seq2[Skipped, error] {
	return func(yield func(Skipped, error) bool) {
		rows, err := b.read.QueryContext(ctx, `SELECT number, line, class, rcpt, text FROM skipped WHERE run = ? ORDER BY number`, int64(run.ID))
		if err != nil {
			yield(Skipped{}, fmt.Errorf("journal: skipped rows: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var s Skipped
			var class uint8
			err := rows.Scan(&s.Number, &s.Line, &class, &s.To, &s.Text)
			s.Class = delivery.Class(class)
			if !yield(s, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Skipped{}, fmt.Errorf("journal: skipped rows: %w", err))
		}
	}
}

// Fields gives the row of a delivery as it was kept; none when it was not.
func (b *Book) Fields(ctx context.Context, id delivery.ID) ([]string, error) {
	var text string
	err := b.read.GetContext(ctx, &text, `SELECT fields FROM kept WHERE run = ? AND key = ? AND copy = ?`, int64(id.Run), id.Key[:], int(id.Copy))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	var fields []string
	if err == nil {
		err = json.Unmarshal([]byte(text), &fields)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: kept row: %w", err)
	}
	return fields, nil
}

// States answers what became of the deliveries of a run, as it is when it is made: for Keep, at the end of a run.
type States struct{ s *states }

// States lays out the state of every delivery of a run. The caller closes it.
func (b *Book) States(ctx context.Context, run RunInfo) (*States, error) {
	s, err := b.load(ctx, run)
	if err != nil {
		return nil, fmt.Errorf("journal: states: %w", err)
	}
	return &States{s}, nil
}

// Lookup gives the state of each delivery.
func (s *States) Lookup(ctx context.Context, ids []delivery.ID) ([]State, error) {
	out, _, err := s.s.all(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("journal: states: %w", err)
	}
	return out, nil
}

// Close frees what Lookup needs.
func (s *States) Close() error { return s.s.close() }
