package cmd

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/lock"
	"github.com/mailblast/mailblast/delivery/report"
)

// purging is what one call of purge deletes.
type purging struct {
	book   *journal.Book
	dir    string
	locks  []*lock.Held
	runs   []doomed
	files  []string // to be removed, below dir
	left   []string // that may hold personal data, below dir
	barred int      // entries of the suppression list
}

// doomed is a run whose recipients' data is deleted.
type doomed struct {
	info   journal.RunInfo
	report *report.Report
}

func (p *purging) close() error {
	var errs []error
	for _, h := range p.locks {
		errs = append(errs, h.Release())
	}
	return errors.Join(append(errs, p.book.Close())...)
}

// toPurge finds out what is to be deleted, under the locks of all campaigns: they share the journal's file and the temporary
// files. What lies there before the locks are had is nobody's afterwards, as a campaign is locked before it makes any.
func (e *env) toPurge(ctx context.Context, o purgeOptions) (p *purging, err error) {
	p = &purging{}
	var named *journal.RunInfo
	if o.all || o.before != "" {
		p.dir, _ = e.whereabouts()
		if p.book, err = e.oldBook(ctx, p.dir); err != nil {
			return nil, err
		}
	} else {
		past, err := e.past(ctx, o.run)
		if err != nil {
			return nil, err
		}
		p.dir, p.book, named = past.dir, past.book, &past.info
	}
	if p.files, p.left, err = leftovers(p.dir, o.all); err == nil {
		err = e.lockAll(ctx, p)
	}
	if err == nil {
		err = e.choose(ctx, p, o, named)
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// lockAll takes the locks of all campaigns that the journal or the directory of locks knows.
func (e *env) lockAll(ctx context.Context, p *purging) error {
	runs, err := p.book.Runs(ctx, "", 0)
	if err != nil {
		return stateFault(err)
	}
	entries, err := os.ReadDir(filepath.Join(p.dir, "locks"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failf(exitIO, "%w", err)
	}
	var names []string
	for _, r := range runs {
		names = append(names, r.Campaign)
	}
	for _, each := range entries {
		if base, ok := strings.CutSuffix(each.Name(), ".lock"); ok {
			if name, err := url.PathUnescape(base); err == nil {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		held, err := lock.Take(ctx, p.dir, name, lock.Holder{PID: e.pid, Host: e.host, Start: e.now(), Run: name, Doing: "purged"})
		if errors.As(err, new(*lock.HeldError)) {
			return failf(exitPaused, "nothing was purged: %w", err).hinted("all campaigns share this directory; purge it when that has ended: %s", e.typed("status", name))
		}
		if err != nil {
			return stateFault(err)
		}
		p.locks = append(p.locks, held)
	}
	return nil
}

// choose picks the runs, and refuses those that are not at their end unless a person has named them.
func (e *env) choose(ctx context.Context, p *purging, o purgeOptions, named *journal.RunInfo) error {
	bars, err := standing(ctx, p.book)
	if err != nil {
		return err
	}
	p.barred = len(bars)
	runs, err := p.book.Runs(ctx, "", 0)
	if err != nil {
		return stateFault(err)
	}
	var open, first []string
	for _, info := range runs {
		if named != nil && info.ID != named.ID || named == nil && !o.takes(info) {
			continue
		}
		d := doomed{info: info}
		src, err := e.reportSource(ctx, p.book, info)
		if err == nil {
			d.report, err = report.Build(ctx, src)
		}
		if err != nil {
			return stateFault(err)
		}
		if len(o.run) == 0 && d.open() {
			holds, err := p.book.Holds(ctx, info)
			if err != nil {
				return stateFault(err)
			}
			if holds {
				open, first = append(open, info.Name()+" ("+d.unfinished()+")"), append(first, info.Name())
			}
		}
		p.runs = append(p.runs, d)
	}
	if len(open) > 0 {
		return failf(exitRefused, "not at their end: %s. Nothing was purged", listed(open)).
			hinted("%s", e.unended(p, first[0]))
	}
	return nil
}

// takes tells whether --before or --all means a run.
func (o purgeOptions) takes(info journal.RunInfo) bool {
	end := info.Finished
	if end.IsZero() {
		end = info.Started
	}
	return o.all || end.Before(o.day)
}

// open tells that the run may have to be gone on with.
func (d doomed) open() bool {
	return d.report.Finished == nil || d.report.Pending+d.report.Unknown > 0
}
