package salvage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/image"
	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/store"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Finding is what a journal holds, and what is wrong with it. Its JSON names are stable.
type Finding struct {
	File    string   `json:"file"`
	Schema  int      `json:"schema"`         // 0: it does not say
	Commits uint64   `json:"commits"`        // that it has
	Gone    uint64   `json:"gone,omitempty"` // commits that are missing at its end, by what mark and list say
	Runs    []Run    `json:"runs"`           // the first begun first
	Faults  []Fault  `json:"faults"`         // none: it is sound
	Notes   []string `json:"notes,omitempty"`

	Suppressed     int64 `json:"suppressed"`                // entries of the suppression list
	SuppressedLost int64 `json:"suppressed_lost,omitempty"` // those that are missing from it, as far as can be told
	// SuppressedUnsure says that the journal does not tell any more how many entries the suppression list had.
	SuppressedUnsure bool `json:"suppressed_unsure,omitempty"`
	Nameless         int  `json:"nameless,omitempty"` // runs whose very names may be lost

	halfway bool // a repair has the new journal already
}

// Fault is one thing that is wrong.
type Fault struct {
	What string   `json:"what"`
	Runs []string `json:"runs"` // those it touches
}

// Run is one run, as far as it is known.
type Run struct {
	Name     string       `json:"name"` // empty: lost
	ID       int64        `json:"id"`
	Outcomes int64        `json:"outcomes"`              // rows of outcomes that are as they were written
	Intents  int64        `json:"intents"`               // likewise
	States   *States      `json:"states,omitempty"`      // nil: they cannot be counted
	OnWire   int          `json:"on_the_wire,omitempty"` // messages that were on the wire when it was cut off
	Lost     bool         `json:"lost,omitempty"`        // its own row is
	Doubt    bool         `json:"doubt"`                 // what became of deliveries without outcome cannot be told
	Round    int64        `json:"-"`                     // the highest of its outcomes
	Row      table.Row    `json:"-"`                     // of runs; nil when it is lost
	Line     register.Run `json:"-"`                     // of the list of runs, if it is there
}

// Sound tells that nothing is wrong.
func (f *Finding) Sound() bool { return len(f.Faults) == 0 }

// Nothing tells that nothing is left to begin a new journal with: no run is known, and no row can be trusted.
func (f *Finding) Nothing() bool {
	return !f.halfway && (f.Schema == 1 || len(f.Runs) == 0 && f.Commits == 0 && f.Suppressed == 0)
}

// judging is one call of Judge.
type judging struct {
	*Wreck
	f *Finding

	all               bool              // any run may have lost outcomes
	outcomes, intents int64             // the last places that are missing
	touches           []func(*Run) bool // a fault each
}

// Judge says what is wrong. The error is *refusal.NewerError for a journal of a later version, and fs.ErrNotExist when there
// never was one.
func (w *Wreck) Judge(ctx context.Context) (*Finding, error) {
	j := &judging{Wreck: w, f: &Finding{File: w.file, Runs: []Run{}, Faults: []Fault{}}}
	switch halfway, err := store.Halfway(w.at.Dir); {
	case err != nil:
		return nil, err
	case halfway && w.at.Server == "":
		j.f.halfway = true
		j.fault(nobody, "a repair of it was cut short")
		return j.f, nil
	case w.left.empty() && w.silent():
		return nil, fmt.Errorf("%s: %w", w.file, fs.ErrNotExist)
	}
	if err := w.left.structure(ctx, j); err != nil {
		return nil, err
	}
	j.beside()
	if j.f.Schema == 0 && j.f.Sound() {
		j.note("it was being made when its process ended; nothing was sent by it")
		return j.f, nil
	}
	if j.f.Schema == 1 { // its rows have no seals
		j.note("it is from an earlier version, whose rows have no checksums; the next command that writes brings it up to date")
		return j.f, nil
	}
	j.f.Commits = j.meta.Commits
	j.rows()
	j.lost()
	j.doubts()
	return j.f, nil
}

// fault notes what is wrong. A nil touches is whatever is in doubt in the end.
func (j *judging) fault(touches func(*Run) bool, format string, args ...any) {
	j.f.Faults = append(j.f.Faults, Fault{What: fmt.Sprintf(format, args...), Runs: []string{}})
	j.touches = append(j.touches, touches)
}

func nobody(*Run) bool { return false }

func (j *judging) note(format string, args ...any) {
	j.f.Notes = append(j.f.Notes, fmt.Sprintf(format, args...))
}

// silent tells that no run can have been begun, by what lies beside the journal. The first commit makes the tables.
func (w *Wreck) silent() bool {
	return len(w.list.Runs)+w.list.Damaged == 0 && (errors.Is(w.marked, fs.ErrNotExist) || w.marked == nil && w.mark.Commits <= 1)
}

// file asks SQLite, and holds the journal against its witnesses as opening it would.
func (j *judging) file(ctx context.Context, img *image.Image) (err error) {
	if j.silent() && img.Unmade() {
		return nil
	}
	if img.Missing() {
		j.fault(nil, "%s is missing or empty", store.Name)
		return nil
	}
	db, done, err := img.SQLite(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	j.f.Schema, err = store.Inspect(ctx, j.at.Dir, db)
	if err := j.refused(err); err != nil {
		return err
	}
	return j.integrity(ctx, db)
}

// refused notes why the journal would be refused.
func (j *judging) refused(err error) error {
	var damaged *refusal.DamagedError
	var lost *refusal.LostError
	switch {
	case errors.As(err, &damaged):
		j.f.Gone = damaged.Gone
		j.fault(nil, "%s", said(damaged))
	case errors.As(err, &lost):
		j.fault(nil, "it is not the one that was written to from here")
	case err != nil:
		return err
	}
	return nil
}

// said is what is wrong, without the file's name.
func said(e *refusal.DamagedError) string {
	if e.Err == nil {
		return e.What
	}
	return fmt.Sprintf("%s (%v)", e.What, e.Err)
}

const mostLines = 5 // of what SQLite has to say

func (j *judging) integrity(ctx context.Context, db *sqlx.DB) error {
	var lines []string
	err := db.SelectContext(ctx, &lines, "PRAGMA integrity_check(100)")
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		j.fault(nil, "SQLite cannot read it: %v", err)
		return nil
	}
	if len(lines) == 1 && lines[0] == "ok" {
		return nil
	}
	for _, l := range lines[:min(len(lines), mostLines)] {
		j.fault(nil, "SQLite: %s", l)
	}
	if n := len(lines) - mostLines; n > 0 {
		j.fault(nil, "SQLite: and %d more of these", n)
	}
	return nil
}

// confirmed tells that the mark vouches for the number of commits.
func (j *judging) confirmed() bool {
	return j.told && j.marked == nil && j.mark.Journal == j.meta.ID && j.f.Gone == 0
}

// beside looks at the files beside the journal.
func (j *judging) beside() {
	switch {
	case j.marked == nil:
	case errors.Is(j.marked, mark.ErrDamaged):
		j.note("%s is damaged; it is made anew", mark.Name)
	case j.f.Schema != 1:
		j.note("%s is missing; it is made anew", mark.Name)
	}
	if n := j.list.Damaged; n > 0 {
		j.note("lines of %s that cannot be read: %d; a crash at the start of a run leaves such a line, of a run that sent nothing", register.Name, n)
	}
}
