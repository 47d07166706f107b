package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery"
)

// Spec says which run to begin.
type Spec struct {
	Campaign string
	Key      string // of the run, such as "2026-W48"; empty for a campaign that is sent once
	Again    bool   // a new generation, that sends to everyone anew
}

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

	first int64 // outcomes of the run come after this place
}

// Name is how people call the run: campaign, campaign/key, and with "#2" the second time everyone gets it.
func (i RunInfo) Name() string {
	name := i.Campaign
	if i.Key != "" {
		name += "/" + i.Key
	}
	if i.Generation > 0 {
		name += "#" + strconv.Itoa(i.Generation+1)
	}
	return name
}

// Run is one run that this process carries on. It is a delivery.Journal.
type Run struct {
	book    *Book
	info    RunInfo
	round   int // raised by Reopen
	counter counter
	states  *states // nil for fresh runs
	noted   bool    // Skip was called
}

// Begin finds the latest generation of a run, or makes one. Intents that an earlier process left without outcome
// become unknown. The caller holds the run's Lock and calls Close when done.
func (b *Book) Begin(ctx context.Context, s Spec) (*Run, error) {
	r := &Run{book: b}
	err := b.update(ctx, func(tx *sqlx.Tx) (err error) {
		if err = r.find(ctx, tx, s); err != nil {
			return err
		}
		if err = r.settle(ctx, tx); err != nil {
			return err
		}
		old := false
		err = tx.GetContext(ctx, &old, `SELECT EXISTS (SELECT 1 FROM outcomes WHERE seq > ? AND run = ?)`, r.info.first, r.id())
		r.info.Fresh = !old
		return err
	})
	if err == nil && !r.info.Fresh {
		err = r.recall(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: begin %s: %w", s.Campaign, err)
	}
	return r, nil
}

// recall lays out what is known of every delivery.
func (r *Run) recall(ctx context.Context) (err error) {
	if r.states, err = r.book.load(ctx, r.info); err != nil {
		return err
	}
	if r.states.gone > 0 { // a row that comes back starts a new round
		_, err = r.book.write.ExecContext(ctx, `UPDATE runs SET round = ? WHERE id = ?`, r.round+1, r.id())
		if err != nil {
			return errors.Join(err, r.states.close())
		}
		r.round++
	}
	return nil
}

func (r *Run) id() int64 { return int64(r.info.ID) }

// Info tells about the run as Begin found it.
func (r *Run) Info() RunInfo { return r.info }

// Close frees what Lookup needs.
func (r *Run) Close() error {
	if r.states == nil {
		return nil
	}
	return r.states.close()
}

func (r *Run) find(ctx context.Context, tx *sqlx.Tx, s Spec) error {
	var known runRow
	err := tx.GetContext(ctx, &known, `SELECT `+runColumns+` FROM runs WHERE campaign = ? AND key = ? ORDER BY generation DESC LIMIT 1`,
		s.Campaign, s.Key)
	switch {
	case err == nil && !s.Again:
		r.info, r.round = known.info(), known.Round
		return nil
	case err == nil:
		known.Generation++
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	r.info = RunInfo{Campaign: s.Campaign, Key: s.Key, Generation: known.Generation, Started: time.Now()}
	var last struct{ Outcome, Intent int64 }
	err = tx.GetContext(ctx, &last, `SELECT coalesce((SELECT max(seq) FROM outcomes), 0) AS outcome,
		coalesce((SELECT max(seq) FROM intents), 0) AS intent`)
	if err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO runs (campaign, key, generation, started, first_outcome, settled_outcome, settled_intent)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, s.Campaign, s.Key, r.info.Generation, micro(r.info.Started), last.Outcome, last.Outcome, last.Intent)
	if err != nil {
		return err
	}
	id, err := res.LastInsertId()
	r.info.ID, r.info.first = uint64(id), last.Outcome
	return err
}

// Intend notes that messages are about to be sent.
func (r *Run) Intend(ms []*delivery.Message) func(context.Context) error {
	t, err := r.book.give(r, func(p *part) {
		for _, m := range ms {
			first := m.First
			if first.IsZero() {
				first = time.Now()
			}
			i := intent{key: m.ID.Key, copy: m.ID.Copy, after: uint64(len(p.outcomes)), via: m.Via, attempts: m.Attempts,
				tries: m.Tries, first: first.UnixMicro(), to: m.To}
			p.intents = i.append(p.intents)
		}
	})
	if err != nil {
		return func(context.Context) error { return err }
	}
	return t.wait
}

// Flush waits until all that was given before is on disk. Serve must be running.
func (r *Run) Flush(ctx context.Context) error { return r.book.flush(ctx, r) }

// Record notes outcomes. NotTried ones cancel the intent.
func (r *Run) Record(os []delivery.Outcome) {
	_, err := r.book.give(r, func(p *part) { p.outcomes = append(p.outcomes, os...) })
	if err != nil { // Serve has returned that error to its owner
		r.book.log.Error("outcomes are not on disk, these deliveries will be unknown", "count", len(os), "error", err)
	}
}

// Defer leaves deferred messages with the dispatcher.
func (r *Run) Defer(*delivery.Message, delivery.Outcome) (mine bool) { return false }

// Skipped is a row of the list that is not sent.
type Skipped struct {
	Number, Line int
	To           string // what stands in its address column
	Class        delivery.Class
	Text         string
}

// Skip notes skipped rows. The first call after Begin replaces what an earlier process noted, since it read another list.
func (r *Run) Skip(ctx context.Context, rows []Skipped) error {
	err := r.book.update(ctx, func(tx *sqlx.Tx) error {
		if !r.noted {
			if _, err := tx.ExecContext(ctx, `DELETE FROM skipped WHERE run = ?`, r.id()); err != nil {
				return err
			}
		}
		stmt, err := tx.PreparexContext(ctx, `INSERT OR REPLACE INTO skipped VALUES (?, ?, ?, ?, ?, ?)`)
		if err != nil {
			return err
		}
		for _, s := range rows {
			if _, err := stmt.ExecContext(ctx, r.id(), s.Number, s.Line, int(s.Class), clip(s.To), clip(s.Text)); err != nil {
				return errors.Join(err, stmt.Close())
			}
		}
		return stmt.Close()
	})
	if err != nil {
		return fmt.Errorf("journal: skipped rows: %w", err)
	}
	r.noted = true
	return nil
}

// Expect notes what this process found to do: the list's rows, and how many deliveries have no final outcome yet.
func (r *Run) Expect(ctx context.Context, rows, open int) error {
	r.info.Rows, r.info.Deliveries = rows, r.final()+open
	_, err := r.book.write.ExecContext(ctx, `UPDATE runs SET rows = ?, deliveries = ?, finished = CASE WHEN ? > 0 THEN 0 ELSE finished END
		WHERE id = ?`, rows, r.info.Deliveries, open, r.id())
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// Finish waits for what was given, and marks the run as finished: every row has a final state. Serve must be running.
func (r *Run) Finish(ctx context.Context) error {
	if err := r.book.flush(ctx, r); err != nil {
		return err
	}
	_, err := r.book.write.ExecContext(ctx, `UPDATE runs SET finished = ?, deliveries = ? WHERE id = ? AND finished = 0`,
		time.Now().UnixMicro(), r.final(), r.id())
	if err != nil {
		return fmt.Errorf("journal: finish: %w", err)
	}
	return nil
}

// Kept is a row of the list as it was read, kept for the report of those who did not get their mail.
type Kept struct {
	ID     delivery.ID
	To     string
	Fields []string // one a column
}

// Keep notes the columns of the list, and rows; it replaces what is known of the same deliveries.
func (r *Run) Keep(ctx context.Context, columns []string, rows []Kept) error {
	err := r.book.update(ctx, func(tx *sqlx.Tx) error {
		names, err := json.Marshal(columns)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE runs SET columns = ? WHERE id = ?`, string(names), r.id()); err != nil {
			return err
		}
		for i := range rows {
			fields, err := json.Marshal(rows[i].Fields)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?, ?)`, r.id(), rows[i].ID.Key[:],
				int(rows[i].ID.Copy), rows[i].To, string(fields))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("journal: kept rows: %w", err)
	}
	return nil
}
