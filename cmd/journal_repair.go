package cmd

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery/journal/lock"
	"github.com/mailblast/mailblast/delivery/journal/repair"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
)

func (e *env) journalRepairCommand() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "repair",
		Short: "Make a new journal of what is intact in a damaged one",
		Example: `  mailblast journal repair
  mailblast journal repair --yes     without a terminal`,
		Long: "Make a new journal of every row that is as it was written. The damaged files are put aside unchanged, into\n" +
			"journal.damaged-DATE in the state directory. Where something is lost, nobody is taken for sent or for unsent by a guess:\n" +
			"in every run that may have lost an outcome, whoever has none is unknown at the next send, held and listed, and gets mail\n" +
			"only by send --retry unknown. A journal that is sound is left as it is. No run may be under way. It may be interrupted at\n" +
			"any moment, and run again.",
		Args:        usage(cobra.NoArgs),
		Annotations: codes(exitOK, exitUsage, exitNoInput, exitIO, exitPaused, exitRefused, exitInterrupted),
		RunE:        func(c *cobra.Command, _ []string) error { return e.runJournalRepair(c.Context(), yes) },
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (e *env) runJournalRepair(ctx context.Context, yes bool) (err error) {
	ctx, stop := e.interruptible(ctx)
	defer stop()
	at, _ := e.whereabouts()
	if err := atRest(at.dir); err != nil {
		return err
	}
	if sound, err := e.found(ctx, at, func(*salvage.Wreck, *salvage.Finding) error { return nil }); err != nil || sound {
		return stopped(ctx, err)
	}
	if err := makeState(at.dir); err != nil { // on a server there may be a journal that nothing was sent by from here
		return err
	}
	held, err := lock.Alone(ctx, at.dir, lock.Holder{PID: e.pid, Host: e.host, Start: e.now()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	switch aside, halfway, err := repair.Resume(at.journal()); {
	case err != nil:
		return stateFault(err)
	case halfway:
		e.say("A repair that was cut short is finished.%s\n", where(at, aside))
	}
	_, err = e.found(ctx, at, func(w *salvage.Wreck, f *salvage.Finding) error { return e.repair(ctx, at, w, f, yes) })
	return stopped(ctx, err)
}

// found looks at the journal of a place, says so when it is sound, and has f see to it when it is not.
func (e *env) found(ctx context.Context, at stateAt, f func(*salvage.Wreck, *salvage.Finding) error) (sound bool, err error) {
	w, err := salvage.Open(ctx, at.journal())
	if err != nil {
		return false, e.wreckFault(at, err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	finding, err := w.Judge(ctx)
	if err != nil {
		return false, e.wreckFault(at, err)
	}
	if finding.Sound() {
		e.say("%s is sound: there is nothing to repair\n", screen.Printable(finding.File))
		return true, nil
	}
	return false, f(w, finding)
}

func (e *env) repair(ctx context.Context, at stateAt, w *salvage.Wreck, f *salvage.Finding, yes bool) error {
	e.printFinding(f)
	if nothing := lostAll(f); nothing != nil {
		return nothing
	}
	if !yes {
		if !e.inTTY || !e.errTTY {
			return failf(exitRefused, "nobody is there to be asked: nothing was changed").hinted("%s", e.typed("journal", "repair", "--yes"))
		}
		question := "A backup of the state directory that is sound is better than a repair.\nMake a new journal of what is intact? Type yes: "
		switch answer, err := e.ask(ctx, bufio.NewReader(e.in), question); {
		case err != nil:
			return untouched(ctx, err)
		case answer != screen.Yes:
			return failf(exitRefused, "not repaired, as you said: nothing was changed")
		}
	}
	var names []string
	for i := range f.Runs {
		names = append(names, f.Runs[i].Line.Campaign)
	}
	release, err := e.excluding(ctx, at, names)
	if err != nil {
		return err
	}
	r, err := repair.Run(ctx, at.journal(), w, f, e.now())
	if err = errors.Join(err, release()); err != nil {
		return e.wreckFault(at, err)
	}
	e.printRepaired(at, f, r)
	return nil
}

// lostAll is the error that no repair can make anything of a journal; nil: one can. No hint leads back to repair then.
func lostAll(f *salvage.Finding) *fault {
	if f.Sound() || !f.Nothing() {
		return nil
	}
	lost := failf(exitIO, "%s: %w", f.File, repair.ErrNothing)
	if info, err := os.Stat(f.File); err != nil || info.Size() <= 1 { // as good as missing, see store.Open
		return lost.hinted(nothingLeft)
	}
	return lost.hinted("restore the state directory from a backup; without one, put %s elsewhere: a send then begins anew, and everybody gets their mail again", filepath.Base(f.File))
}
