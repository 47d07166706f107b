package cmd

import (
	"context"
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/lock"
)

// past is a run to look back on.
type past struct {
	book *journal.Book
	info journal.RunInfo
	dir  string // the state directory
}

// past opens the journal and finds the run that an argument names, or the latest one. It makes no state.
func (e *env) past(ctx context.Context, args []string) (*past, error) {
	dir, name := e.whereabouts()
	book, err := e.oldBook(ctx, dir)
	if err != nil {
		return nil, e.insteadOfRun(dir, args, err)
	}
	info, err := e.lookUp(ctx, book, dir, name, args)
	if err != nil {
		return nil, errors.Join(err, book.Close())
	}
	return &past{book: book, info: info, dir: dir}, nil
}

// lookUp finds the run that an argument names, or the latest one of a campaign; of any, if that has no name.
func (e *env) lookUp(ctx context.Context, book *journal.Book, dir, campaign string, args []string) (info journal.RunInfo, err error) {
	if len(args) > 0 {
		info, err = book.Find(ctx, args[0])
	} else {
		info, err = book.Latest(ctx, campaign)
	}
	switch {
	case errors.Is(err, journal.ErrNoRun) && len(args) > 0:
		err = failf(exitNoInput, "%s: there is no such run in %s", args[0], dir).hinted("the latest one: %s", e.typed("status"))
		err = e.insteadOfRun(dir, args, err)
	case errors.Is(err, journal.ErrNoRun) && campaign != "":
		err = failf(exitNoInput, "%s: nothing was sent yet", campaign).hinted("rehearsals are not remembered; send it with: %s", e.typed("send"))
	case errors.Is(err, journal.ErrNoRun):
		err = failf(exitNoInput, "%s: nothing was sent yet", dir)
	case err != nil:
		err = stateFault(err)
	}
	return info, err
}

// oldBook opens a journal that is there already, to read it.
func (e *env) oldBook(ctx context.Context, dir string) (*journal.Book, error) {
	if err := oldState(dir); err != nil {
		return nil, err
	}
	book, err := journal.Look(ctx, journal.Options{Dir: dir})
	if err != nil {
		return nil, stateFault(err)
	}
	return book, nil
}

// oldState makes sure that a state directory is ours and has a journal.
func oldState(dir string) error {
	ok, err := journal.Exists(dir)
	if err != nil {
		return stateFault(err)
	}
	if !ok {
		return failf(exitNoInput, "%s: there is no journal: nothing was sent yet", dir).
			hinted("rehearsals are not remembered; another directory: -C DIR or --state DIR")
	}
	return ours(dir)
}

// whereabouts gives the state directory, and the campaign of this directory if it has one. A campaign that is being
// edited, and faulty at the moment, keeps nobody from its results.
func (e *env) whereabouts() (dir, name string) {
	dir = campaign.StateDir(absolute("."))
	if c, err := campaign.Load(defaultFile, campaign.Options{Env: e.lookup, EnvFile: e.envFile}); err == nil {
		dir, name = c.State, c.Name
	}
	if e.stateIn != "" {
		dir = absolute(e.stateIn)
	}
	return dir, name
}

// running tells who carries the run on at the moment. The lock is the campaign's, and who has it works on its latest run.
func (p *past) running(ctx context.Context) (lock.Holder, bool, error) {
	h, held, err := lock.Peek(p.dir, p.info.Campaign)
	if err != nil || !held || h.Doing != "" {
		return h, false, stateFaultOrNil(err)
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
	dir, _ := e.whereabouts()
	book, err := e.oldBook(c.Context(), dir)
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
