package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/entry"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/state"
)

// Run is one run that this process carries on. It is a delivery.Journal.
type Run struct {
	book    *Book
	info    RunInfo
	round   int // raised by Reopen
	counter counter
	states  *state.Table // nil for fresh runs
	held    map[delivery.ID]struct{}
	noted   bool // Skip was called
}

// Info tells about the run as Begin found it.
func (r *Run) Info() RunInfo { return r.info }

// Close frees what Lookup needs.
func (r *Run) Close() error {
	if r.states == nil {
		return nil
	}
	return r.states.Close()
}

// Intend notes that messages are about to be sent.
func (r *Run) Intend(ms []*delivery.Message) func(context.Context) error {
	if err := r.book.full(); err != nil {
		return func(context.Context) error { return err }
	}
	t, err := r.book.give(r, func(p *part) {
		for _, m := range ms {
			first := m.First
			if first.IsZero() {
				first = time.Now()
			}
			e := entry.Entry{Key: m.ID.Key, Copy: m.ID.Copy, After: uint64(len(p.outcomes)), Via: m.Via, Attempts: m.Attempts,
				Tries: m.Tries, First: first.UnixMicro(), Print: m.Print, To: m.To}
			p.intents = e.Append(p.intents)
		}
	})
	if err != nil {
		return func(context.Context) error { return err }
	}
	return t.intended
}

// Flush waits until all that was given before is on disk. Serve must be running.
func (r *Run) Flush(ctx context.Context) error { return r.book.flush(ctx, r) }

// Record notes outcomes. NotTried ones cancel the intent.
func (r *Run) Record(os []delivery.Outcome) {
	_, err := r.book.give(r, func(p *part) { p.outcomes = append(p.outcomes, os...) })
	if err != nil { // Serve has returned that error to its owner
		r.book.lose(&batch{parts: []*part{{outcomes: os}}})
	}
}

// Defer leaves deferred messages with the dispatcher.
func (r *Run) Defer(*delivery.Message, delivery.Outcome) (mine bool) { return false }

// change writes the run's row anew.
func (r *Run) change(ctx context.Context, f func(*runRow)) error {
	return r.book.update(ctx, func(tx *ledger.Tx) error {
		if err := r.mine(ctx, tx); err != nil {
			return err
		}
		return r.book.change(ctx, tx, r.info.ID, f)
	})
}

// mine is the error that another process has taken the run.
func (r *Run) mine(ctx context.Context, tx *ledger.Tx) error {
	taken, err := tx.Taken(ctx, int64(r.info.ID))
	if err == nil && taken {
		err = &refusal.TakenError{Run: r.info.Name()}
	}
	return err
}

// Expect notes what this process found to do: the list's rows, and how many deliveries have no final outcome yet.
func (r *Run) Expect(ctx context.Context, rows, open int) error {
	r.info.Rows, r.info.Deliveries = rows, r.final()+open
	err := r.change(ctx, func(row *runRow) {
		row.rows, row.deliveries = int64(rows), int64(r.info.Deliveries)
		if open > 0 {
			row.finished = 0
		}
	})
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
	err := r.book.update(ctx, func(tx *ledger.Tx) error {
		if _, err := tx.Do(ctx, `DELETE FROM pauses WHERE run = ?`, int64(r.info.ID)); err != nil {
			return err
		}
		return r.book.change(ctx, tx, r.info.ID, func(row *runRow) {
			if row.finished == 0 {
				row.finished, row.deliveries = time.Now().UnixMicro(), int64(r.final())
			}
		})
	})
	if err != nil {
		return fmt.Errorf("journal: finish: %w", err)
	}
	return nil
}

// Edit notes with what letter and source, in the words of Spec, the run is carried on from now.
func (r *Run) Edit(ctx context.Context, letter, source string) error {
	if err := r.change(ctx, func(row *runRow) { row.letter, row.source = letter, source }); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// Note adds a line to what RunInfo.Notes says of the run, for a report to tell.
func (r *Run) Note(ctx context.Context, line string) error {
	err := r.change(ctx, func(row *runRow) {
		n := parseNotes(row.note)
		n.Lines = append(n.Lines, line)
		row.note = n.String()
	})
	if err != nil {
		return fmt.Errorf("journal: note: %w", err)
	}
	return nil
}
