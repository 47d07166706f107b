package cmd

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/composer/rows/guard"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/lock"
)

// past is a run to look back on.
type past struct {
	book *journal.Book
	info journal.RunInfo
	at   stateAt
}

// past opens the journal and finds the run that an argument names, or the latest one. It makes no state.
func (e *env) past(ctx context.Context, args []string) (*past, error) {
	at, name := e.whereabouts()
	book, err := e.oldBook(ctx, at)
	if err != nil {
		return nil, e.insteadOfRun(ctx, at, args, err)
	}
	info, err := e.lookUp(ctx, book, at, name, args)
	if err != nil {
		return nil, errors.Join(err, book.Close())
	}
	return &past{book: book, info: info, at: at}, nil
}

// lookUp finds the run that an argument names, or the latest one of a campaign; of any, if that has no name.
func (e *env) lookUp(ctx context.Context, book *journal.Book, at stateAt, campaign string, args []string) (info journal.RunInfo, err error) {
	if len(args) > 0 {
		info, err = book.Find(ctx, args[0])
	} else {
		info, err = book.Latest(ctx, campaign)
	}
	switch {
	case errors.Is(err, journal.ErrNoRun) && len(args) > 0:
		err = failf(exitNoInput, "%s: there is no such run in %s", args[0], at).hinted("the latest one: %s", e.typed("status"))
		err = e.insteadOfRun(ctx, at, args, err)
	case errors.Is(err, journal.ErrNoRun) && campaign != "":
		err = failf(exitNoInput, "%s: nothing was sent yet", campaign).hinted("rehearsals are not remembered; send it with: %s", e.typed("send"))
	case errors.Is(err, journal.ErrNoRun):
		err = failf(exitNoInput, "%s: nothing was sent yet", at)
	case err != nil:
		err = stateFault(err)
	}
	return info, err
}

// oldBook opens a journal that is there already, to read it.
func (e *env) oldBook(ctx context.Context, at stateAt) (*journal.Book, error) {
	if err := oldState(ctx, at); err != nil {
		return nil, err
	}
	book, err := journal.Look(ctx, at.options())
	if err != nil {
		return nil, stateFault(err)
	}
	return book, nil
}

// oldState makes sure that a state has a journal, and that what this machine has of it is ours.
func oldState(ctx context.Context, at stateAt) error {
	ok, err := journal.Exists(ctx, at.options())
	if err != nil {
		return stateFault(err)
	}
	if !ok {
		return failf(exitNoInput, "%s: there is no journal: nothing was sent yet", at).
			hinted("rehearsals are not remembered; another directory: -C DIR or --state DIR")
	}
	if _, err := os.Lstat(at.dir); at.shared() && errors.Is(err, fs.ErrNotExist) { // nothing was sent from here
		return nil
	}
	return ours(at.dir)
}

// running tells who carries the run on at the moment, here or, where machines share the journal, on another one: then the server
// knows. The lock is the campaign's, and who has it works on its latest run.
func (p *past) running(ctx context.Context) (lock.Holder, bool, error) {
	h, held, err := lock.Peek(p.at.dir, p.info.Campaign)
	if err = stateFaultOrNil(err); err == nil && !held && p.at.shared() {
		var other guard.Holder
		other, held, err = p.at.sender(ctx, p.info.Campaign)
		h = lock.Holder{PID: other.PID, Host: other.Host, Start: other.Start}
	}
	if err != nil || !held || h.Doing != "" {
		return h, false, err
	}
	latest, err := p.book.Latest(ctx, p.info.Campaign)
	if err != nil {
		return h, false, stateFault(err)
	}
	return h, latest.ID == p.info.ID, nil
}

func stateFaultOrNil(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return stateFault(err)
}

// completeRuns completes the names of runs.
func (e *env) completeRuns(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	const done = cobra.ShellCompDirectiveNoFileComp
	if len(args) > 0 {
		return nil, done
	}
	if e.prepare(c) != nil {
		return nil, done
	}
	at, _ := e.whereabouts()
	book, err := e.oldBook(c.Context(), at)
	if err != nil {
		return nil, done
	}
	defer func() { _ = book.Close() }()
	infos, err := book.Runs(c.Context(), "", 50)
	if err != nil {
		return nil, done
	}
	var names []string
	for _, i := range infos {
		names = append(names, i.Name())
	}
	return names, done
}
