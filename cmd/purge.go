package cmd

import (
	"bufio"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery/journal"
)

type purgeOptions struct {
	run      []string
	before   string
	all, yes bool

	said func(flag string) bool // the command line has it
	day  time.Time              // of before
}

func (e *env) purgeCommand() *cobra.Command {
	var o purgeOptions
	c := &cobra.Command{
		Use:     "purge [RUN]",
		GroupID: "results",
		Short:   "Delete recipients' personal data, and still write to nobody twice",
		Example: `  mailblast purge                                   of the latest run; asks first
  mailblast purge spring-offer/2026-W48
  mailblast purge --before 2026-01-01 --yes         of runs that ended before that day; for cron
  mailblast purge --all`,
		Long: "Delete the personal data of recipients from the state directory for good: their addresses, what servers said, the hosts that\n" +
			"took their mail, rows kept for the report, temporary files; letters (.eml) and reports, too, if the directory is .mailblast and\n" +
			"no campaign.yaml lies in it. RUN is CAMPAIGN, CAMPAIGN/KEY or CAMPAIGN/KEY#2; the default is the latest run.\n\n" +
			"What stays: of each delivery a keyed MAC, of which no address can be read, its outcome, codes and times, so that a later send\n" +
			"still skips whoever has the letter and report still counts; the secret; and the suppression list, which protects the people\n" +
			"on it. A run that has pending, deferred or unknown deliveries is purged only when RUN names it; --before passes it over.\n" +
			"Nothing in this state directory may be sent meanwhile. docs/privacy.md tells more.",
		Args:        usage(cobra.MaximumNArgs(1)),
		Annotations: codes(exitOK, exitUsage, exitNoInput, exitIO, exitPaused, exitRefused, exitInterrupted),
		RunE: func(c *cobra.Command, args []string) error {
			o.run, o.said = args, c.Flags().Changed
			return e.runPurge(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.before, "before", "", "all runs that ended before this `DAY`, such as 2026-01-01")
	f.BoolVar(&o.all, "all", false, "all runs, and journals that were set aside as damaged")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	c.ValidArgsFunction = e.completeRuns
	return c
}

func (o *purgeOptions) check() (err error) {
	named, before, all := len(o.run) > 0, o.said("before"), o.said("all")
	switch {
	case named && (before || all) || before && all:
		return failf(exitUsage, "RUN, --before and --all exclude each other")
	case named && o.run[0] == "": // a variable that nobody has set must not stand for the latest run
		return failf(exitUsage, "RUN is empty").hinted("leave it out for the latest run")
	case all && !o.all:
		return failf(exitUsage, "--all=false says of no run that it is to be purged").hinted("leave it out for the latest run")
	case !before:
		return nil
	}
	if o.day, err = time.ParseInLocation(time.DateOnly, o.before, time.Local); err != nil {
		return failf(exitUsage, "--before %q: not a day such as 2026-01-01", o.before)
	}
	return nil
}

func (e *env) runPurge(ctx context.Context, o purgeOptions) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	ctx, stop := e.interruptible(ctx)
	defer stop()
	p, err := e.toPurge(ctx, o)
	if err != nil {
		return stopped(ctx, err)
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := e.confirmPurge(ctx, p, o); err != nil {
		return stopped(ctx, err)
	}
	return stopped(ctx, e.purge(ctx, p, o.yes))
}

// confirmPurge shows what will be lost, and asks where somebody is there to answer. Where nobody is, nothing is lost.
func (e *env) confirmPurge(ctx context.Context, p *purging, o purgeOptions) error {
	switch {
	case o.yes || p.empty():
		return nil
	case !e.quiet || e.inTTY && e.errTTY:
		if err := ioFault(p.describe(e.err, e.errWidth())); err != nil {
			return err
		}
	}
	if !e.inTTY || !e.errTTY {
		return failf(exitRefused, "nobody is there to be asked: nothing was purged").hinted("if you mean it: --yes")
	}
	answer, err := e.ask(ctx, bufio.NewReader(e.in), "Delete it for good? Type yes: ")
	if err == nil && answer != screen.Yes {
		err = failf(exitRefused, "not purged, as you said")
	}
	return untouched(ctx, err)
}

// purge does it: first the journal, so that a file that cannot be removed keeps nothing else. Runs that have nothing any more are
// purged, too: where a purge was cut short, what it took out of them may still lie in the journal's free pages.
func (e *env) purge(ctx context.Context, p *purging, unasked bool) error {
	var infos []journal.RunInfo
	for i := range p.runs {
		infos = append(infos, p.runs[i].info)
	}
	var err error
	if len(infos)+len(p.files)+len(p.aside) > 0 {
		err = e.purgeJournal(ctx, p, infos)
	}
	switch {
	case errors.Is(err, journal.ErrUsed):
		return failf(exitPaused, "%w: what was purged may still lie in the journal's files", err).hinted("run it again when the other one has ended")
	case err != nil:
		return stateFault(err)
	}
	if err := p.remove(); err != nil {
		return failf(exitIO, "%w", err).hinted("the journal is purged; remove these yourself, or run it again")
	}
	if p.empty() {
		e.tell("nothing to purge (%s)\n", screen.Printable(p.at.String()))
		return e.tellLeft(p)
	}
	e.tell("purged %s\n", p.sum())
	if unasked && len(p.files) > 0 { // nobody was shown them before
		e.tell("removed: %s\n", listed(folded(p.files)))
	}
	e.tell("the suppression list stays (%s): it protects the people on it; %s takes somebody off\n", verb(p.barred, "entry", "entries"), whole(e.typed("suppress", "rm")))
	return e.tellLeft(p)
}

// purgeJournal deletes from the journal what it has of runs, none of which is under way on another machine.
func (e *env) purgeJournal(ctx context.Context, p *purging, infos []journal.RunInfo) (err error) {
	var names []string
	for i := range infos {
		names = append(names, infos[i].Campaign)
	}
	release, err := e.excluding(ctx, p.at, names)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := p.book.Purge(ctx, infos, e.now(), withoutList); err != nil || len(p.aside) == 0 {
		return err
	}
	return p.book.DropAside(ctx)
}

// withoutList takes the fingerprint of the list out of what a run was made from; the name of the key stays.
func withoutList(source string) string {
	if at := strings.LastIndexByte(source, ' '); at >= 0 {
		return source[:at+1]
	}
	return ""
}
