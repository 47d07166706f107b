package cmd

import (
	"context"
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/delivery/journal/lock"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
)

func (e *env) journalCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "journal",
		GroupID: "results",
		Short:   "Look after the journal of who got their mail",
		Example: `  mailblast journal check            is it as it was written?
  mailblast journal repair           a new one of what is intact
  mailblast journal export --out journal.jsonl`,
		Long: "Look after the journal, which remembers what became of everybody's mail. It is in the state directory: the nearest\n" +
			".mailblast, or what the campaign of this directory says. A journal that is damaged is refused by every other command.",
		Args:        usage(cobra.NoArgs),
		Annotations: codes(exitOK, exitUsage),
		RunE:        func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(e.journalCheckCommand(), e.journalRepairCommand(), e.journalExportCommand())
	return c
}

// wreck opens the journal of this directory as it is, sound or not, and changes nothing. It tells where that is, too.
func (e *env) wreck(ctx context.Context) (*salvage.Wreck, stateAt, error) {
	at, _ := e.whereabouts()
	if err := atRest(at.dir); err != nil {
		return nil, at, err
	}
	w, err := salvage.Open(ctx, at.journal())
	if err != nil {
		return nil, at, e.wreckFault(at, err)
	}
	return w, at, nil
}

// atRest refuses a state directory in which a run is under way: what is read there would be right or not by chance.
func atRest(dir string) error {
	if h, held, err := lock.Any(dir); err == nil && held { // who cannot read the locks learns from the journal
		return &lock.HeldError{Holder: h}
	}
	return nil
}

// wreckFault is why a journal cannot be looked at.
func (e *env) wreckFault(at stateAt, err error) error {
	switch {
	case errors.Is(err, salvage.ErrBusy):
		if held := atRest(at.dir); held != nil {
			return held
		}
		return failf(exitPaused, "%w", err).hinted("try again in a moment")
	case errors.Is(err, fs.ErrNotExist):
		return failf(exitNoInput, "%s: there is no journal: nothing was sent yet", at).
			hinted("rehearsals are not remembered; another directory: -C DIR or --state DIR")
	}
	return stateFault(err)
}
