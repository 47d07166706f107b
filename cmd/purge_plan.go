package cmd

import (
	"context"
	"errors"

	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/lock"
	"github.com/mailblast/mailblast/delivery/report"
)

// purging is what one call of purge deletes.
type purging struct {
	book   *journal.Book
	at     stateAt
	dir    string     // at.dir
	held   *lock.Held // the state directory as a whole
	runs   []doomed
	files  []string // to be removed, below dir
	aside  []string // damaged journals in the database, to be deleted
	left   []string // that may hold personal data, below dir
	spared []string // runs that began before the day of --before and are not at their end
	barred int      // entries of the suppression list
}

func (p *purging) close() error {
	var errs []error
	if p.book != nil {
		errs = append(errs, p.book.Close())
	}
	return errors.Join(append(errs, p.held.Release())...)
}

// toPurge finds out what is to be deleted, with the state directory to itself: campaigns share the journal's file and the
// temporary files, and a repair puts another journal in the place of this one. The journal is the one in the directory, which
// must be one that can be written: a purge of a copy, which readers make do with, would leave all as it is.
func (e *env) toPurge(ctx context.Context, o purgeOptions) (*purging, error) {
	at, campaign := e.whereabouts()
	if err := oldState(ctx, at); err != nil {
		return nil, e.insteadOfRun(ctx, at, o.run, err)
	}
	held, err := e.lockAll(ctx, at.dir)
	if err != nil {
		return nil, err
	}
	p := &purging{at: at, dir: at.dir, held: held}
	if err := e.plan(ctx, p, o, campaign); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (e *env) plan(ctx context.Context, p *purging, o purgeOptions, campaign string) (err error) {
	if p.book, err = journal.Open(ctx, p.at.options()); err != nil {
		return stateFault(err)
	}
	var named *journal.RunInfo
	if !o.all && o.before == "" {
		info, err := e.lookUp(ctx, p.book, p.at, campaign, o.run)
		if err != nil {
			return err
		}
		named = &info
	}
	if p.files, p.left, err = leftovers(p.dir, o.all); err != nil {
		return err
	}
	if p.aside, err = p.book.Aside(ctx); err != nil {
		return stateFault(err)
	}
	if !o.all {
		for _, schema := range p.aside {
			p.left = append(p.left, "schema "+schema)
		}
		p.aside = nil
	}
	return e.choose(ctx, p, o, named)
}

// lockAll keeps every campaign out, those that never sent anything as well.
func (e *env) lockAll(ctx context.Context, dir string) (*lock.Held, error) {
	held, err := lock.Alone(ctx, dir, lock.Holder{PID: e.pid, Host: e.host, Start: e.now(), Doing: "purged"})
	if other := (*lock.HeldError)(nil); errors.As(err, &other) {
		return nil, failf(exitPaused, "nothing was purged: %w", err).
			hinted("all campaigns share this directory; purge it when that has ended: %s", e.typed(lookOn(other.Holder)...))
	}
	if err != nil {
		return nil, stateFault(err)
	}
	return held, nil
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
	var open []string
	var first journal.RunInfo
	pending := 0 // of first
	for _, info := range runs {
		if named != nil && info.ID != named.ID || named == nil && !o.takes(info) {
			continue
		}
		d, waits, err := e.doom(ctx, p, info)
		if err != nil {
			return err
		}
		if waits && len(o.run) == 0 {
			if len(open) == 0 {
				first, pending = info, d.report.Pending
			}
			open = append(open, info.Name()+" ("+d.unfinished()+")")
			continue
		}
		p.runs = append(p.runs, d)
	}
	if o.before != "" { // which a run is not that has not ended
		p.spared = open
	} else if len(open) > 0 {
		return failf(exitRefused, "not at their end: %s. Nothing was purged", listed(open)).
			hinted("%s", e.unended(p.dir, first, pending))
	}
	return nil
}

// doom looks at a run that is to be purged. It waits while it has something to purge and is not at its end.
func (e *env) doom(ctx context.Context, p *purging, info journal.RunInfo) (d doomed, waits bool, err error) {
	d.info = info
	src, err := e.reportSource(ctx, p.book, p.dir, info)
	if err == nil {
		d.report, err = report.Build(ctx, src)
	}
	if err == nil {
		d.holds, err = p.book.Holds(ctx, info)
	}
	if err != nil {
		return d, false, stateFault(err)
	}
	return d, d.holds && d.open(), nil
}
