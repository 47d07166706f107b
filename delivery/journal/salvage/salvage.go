// Package salvage reads what is left of a journal, writes nothing, and tells what is wrong with it:
//
//  1. Open lays the write-ahead log over the file as SQLite would, without SQLite's files beside it (package image), and reads
//     mark and list of runs;
//  2. a survey holds every row against its seal, wherever the file has it, and notes which places are missing;
//  3. Judge says what is damaged, and of which runs nobody can tell any more what became of their deliveries;
//  4. Each gives the rows that are as they were written.
package salvage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/mailblast/mailblast/delivery/journal/image"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/server"
	"github.com/mailblast/mailblast/delivery/journal/store"
	"github.com/mailblast/mailblast/delivery/journal/sum"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// ErrBusy says that somebody wrote to the journal while it was read.
var ErrBusy = server.ErrBusy

// Place is where a journal is: in a file in a directory, or on a server; mark and list of runs are in the directory in any case.
type Place struct{ Dir, Server string }

// Wreck is what is left of a journal. It is not safe for concurrent use.
type Wreck struct {
	at      Place
	file    string
	left    remains
	list    register.List
	mark    mark.Mark
	marked  error // of mark.Read
	meta    ledger.Meta
	told    bool // meta is as it was written
	sealer  *sum.Sealer
	tallies map[string]*tally // by table
	runs    map[int64]*run    // by number
}

// tally is what was found of one table.
type tally struct {
	intact, changed int64
	places          places // of the tables that are only added to
}

// run is what was found of one run.
type run struct {
	row               table.Row // as it was written last; nil: lost
	outcomes, intents int64
	round             int64 // the highest
}

// Open surveys a journal. There being none at all is fs.ErrNotExist.
func Open(ctx context.Context, at Place) (*Wreck, error) {
	w := &Wreck{at: at, file: filepath.Join(at.Dir, store.Name), tallies: map[string]*tally{}, runs: map[int64]*run{}}
	if err := w.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), w.Close())
	}
	return w, nil
}

func (w *Wreck) open(ctx context.Context) (err error) {
	if w.list, err = register.Read(w.at.Dir); err != nil {
		return err
	}
	marks := w.at.Dir
	if w.at.Server != "" {
		marks = filepath.Join(marks, server.Marks)
	}
	w.mark, w.marked = mark.Read(marks)
	if w.marked != nil && !errors.Is(w.marked, fs.ErrNotExist) && !errors.Is(w.marked, mark.ErrDamaged) {
		return w.marked
	}
	if err := w.reach(ctx); err != nil {
		return err
	}
	if err := w.survey(ctx); err != nil {
		return err
	}
	return w.Still()
}

func (w *Wreck) reach(ctx context.Context) error {
	if w.at.Server == "" {
		img, err := image.Open(w.file)
		if err == nil {
			w.left = inFile{img}
		}
		return err
	}
	r, err := server.Inspect(ctx, w.at.Server, w.at.Dir)
	if err == nil {
		w.left, w.file = &onServer{r, ctx}, r.Name()
	}
	return err
}

// Still gives ErrBusy when somebody wrote to the journal since Open.
func (w *Wreck) Still() error { return w.StillIn(w.at.Dir) }

// StillIn is Still for files that were moved into another directory since.
func (w *Wreck) StillIn(dir string) error {
	same, err := w.left.still(dir)
	if err == nil && !same {
		err = ErrBusy
	}
	return err
}

// Close closes the files.
func (w *Wreck) Close() error {
	if w.left == nil {
		return nil
	}
	return w.left.Close()
}

// File is what the journal is called: a path, or a database.
func (w *Wreck) File() string { return w.file }

// Meta is what the journal says of itself; where it says nothing, all but its number is guessed from its rows.
func (w *Wreck) Meta() ledger.Meta {
	m := w.meta
	m.Outcomes, m.Intents = max(m.Outcomes, w.tally(table.Outcomes).places.last()), max(m.Intents, w.tally(table.Intents).places.last())
	if !w.told {
		m.OutcomesFrom, m.From = w.tally(table.Outcomes).places.first(), w.tally(table.Intents).places.first()
	}
	if w.marked == nil && w.mark.Journal == m.ID {
		m.Commits = max(m.Commits, w.mark.Commits)
	}
	for _, r := range w.list.Runs {
		if r.Journal == w.Journal() {
			m.Commits = max(m.Commits, r.Commit)
		}
	}
	return m
}

// Server is what is looked at of a journal on a server; nil: it is in a file.
func (w *Wreck) Server() *server.Remains {
	if r, ok := w.left.(*onServer); ok {
		return r.Remains
	}
	return nil
}

// Journal is the journal's number as mark and list have it.
func (w *Wreck) Journal() string { return mark.Mark{Journal: w.meta.ID}.String() }

// Gaps calls f with every place of outcomes or intents whose row is not as it was written.
func (w *Wreck) Gaps(t table.Table, f func(place int64) error) error {
	for _, s := range w.missing(t) {
		for n := s.from; n <= s.to; n++ {
			if err := f(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// Each calls f with every row that is as it was written, in the order of the file. Of a row that was written anew there may be
// an earlier one as well, with a lower commit. A row is valid until f returns.
func (w *Wreck) Each(ctx context.Context, f func(table.Table, table.Row) error) error {
	return w.left.each(ctx, func(t table.Table, row table.Row) error {
		if !table.Intact(t, w.sealer, row) {
			return nil
		}
		return f(t, row)
	})
}

// shape tells which table a row is of, by how many values it has, and gives it as SQLite would.
func shape(c image.Cell) (t table.Table, row table.Row, ok bool) {
	if len(c.Values) == 0 {
		return t, nil, false
	}
	for _, t := range []table.Table{table.Outcomes, table.Intents, table.Kept, table.Skipped, table.Suppressed, table.Runs, table.Pauses, table.Meta} {
		if len(t.Columns) != len(c.Values) || t.Numbered() != (c.Values[0] == nil) {
			continue
		}
		if t.Numbered() {
			c.Values[0] = c.Rowid
		}
		return t, table.Row(c.Values), true
	}
	return t, nil, false
}
