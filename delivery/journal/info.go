package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// RunInfo is what the journal says of a run as a whole.
type RunInfo struct {
	ID            uint64
	Campaign, Key string
	Generation    int // counts deliberate resends to everyone, from 0
	Started       time.Time
	Finished      time.Time // zero: not finished
	Rows          int       // of the list, by the latest reading
	Deliveries    int       // that the run is to end with, skipped rows apart
	Columns       []string  // of the list, when there are kept rows
	Fresh         bool      // nothing was recorded before this process; for Begin only
	Found         int       // deliveries that the process before left on the wire, which are unknown since; for Begin only
	Letter        string    // Spec.Letter of the process before this one; of Runs and Find, the last one's
	Source        string    // likewise Spec.Source
	Notes         []string  // what Note added, by all processes
	Purged        time.Time // when the recipients' data was deleted last; zero: never
	Doubt         time.Time // when a repair could not tell what became of deliveries without outcome: they are unknown; zero: never

	first int64 // outcomes of the run come after this place
}

// Name is how people call the run: campaign, campaign/key, and with "#2" the second time everyone gets it.
func (i RunInfo) Name() string {
	return register.Run{Campaign: i.Campaign, Key: i.Key, Generation: i.Generation}.Name()
}

// runRow is a row of runs.
type runRow struct {
	id                                          int64
	campaign, key                               string
	generation, started, finished               int64
	rows, deliveries                            int64
	columns                                     string
	round, retried                              int64
	firstOutcome, settledOutcome, settledIntent int64
	doubt, reading                              int64
	secret, letter, source, note                string
}

func parseRun(r table.Row) runRow {
	return runRow{
		id: r.Int(0), campaign: r.Text(2), key: r.Text(3), generation: r.Int(4), started: r.Int(5), finished: r.Int(6), rows: r.Int(7),
		deliveries: r.Int(8), columns: r.Text(9), round: r.Int(10), retried: r.Int(11), firstOutcome: r.Int(12), settledOutcome: r.Int(13),
		settledIntent: r.Int(14), doubt: r.Int(15), reading: r.Int(16), secret: r.Text(17), letter: r.Text(18), source: r.Text(19), note: r.Text(20),
	}
}

// put writes the row as of this commit.
func (r *runRow) put(ctx context.Context, tx *ledger.Tx) error {
	return tx.Put(ctx, table.Runs, r.id, int64(tx.Meta.Commits), r.campaign, r.key, r.generation, r.started, r.finished, r.rows,
		r.deliveries, r.columns, r.round, r.retried, r.firstOutcome, r.settledOutcome, r.settledIntent, r.doubt, r.reading,
		r.secret, r.letter, r.source, r.note)
}

func (r *runRow) info() RunInfo {
	i := RunInfo{
		ID: uint64(r.id), Campaign: r.campaign, Key: r.key, Generation: int(r.generation), Started: outcome.FromMicro(r.started),
		Finished: outcome.FromMicro(r.finished), Rows: int(r.rows), Deliveries: int(r.deliveries), Letter: r.letter, Source: r.source,
		Doubt: outcome.FromMicro(r.doubt), first: r.firstOutcome,
	}
	if json.Unmarshal([]byte(r.columns), &i.Columns) != nil {
		i.Columns = nil // rows are then reported without them
	}
	n := parseNotes(r.note)
	i.Notes, i.Purged = n.Lines, outcome.FromMicro(n.Purged)
	return i
}

// line is the run in the list of runs that is kept beside the journal.
func (r *runRow) line(journal string, commits uint64) register.Run {
	return register.Run{
		Begun: outcome.FromMicro(r.started), Campaign: r.campaign, Key: r.key, Generation: int(r.generation), ID: uint64(r.id),
		Journal: journal, Commit: commits, Outcomes: r.firstOutcome, Intents: r.settledIntent, Retried: int(r.retried),
	}
}

// change reads a run, and writes it back as f leaves it.
func (b *Book) change(ctx context.Context, tx *ledger.Tx, id uint64, f func(*runRow)) error {
	var sc table.Scanner
	row, err := sc.Scan(table.Runs, tx.QueryRowContext(ctx, tx.Rebind("SELECT "+table.Runs.List("")+" FROM runs WHERE id = ?"), int64(id)))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("run %d: %w", id, err)
	}
	if err != nil || !table.Intact(table.Runs, tx.Sealer, row) {
		return &refusal.DamagedError{File: b.store.File(), What: "damaged: a run is not as it was written", Rows: 1}
	}
	r := parseRun(row)
	f(&r)
	return r.put(ctx, tx)
}

func latest(rows []table.Row, campaign, key string) (r runRow, ok bool) {
	for _, each := range rows {
		if each.Text(2) == campaign && each.Text(3) == key && (!ok || each.Int(4) > r.generation) {
			r, ok = parseRun(each), true
		}
	}
	return r, ok
}
