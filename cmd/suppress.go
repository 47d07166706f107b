package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/lock"
	"github.com/mailblast/mailblast/delivery/suppress"
)

type suppressOptions struct{ reason, scope, until string }

func (e *env) suppressCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "suppress",
		GroupID: "results",
		Short:   "Keep the list of those who must not be written to",
		Example: `  mailblast suppress add ana@acme.example --reason "asked by phone"
  mailblast suppress add @competitor.example --scope spring-offer
  mailblast suppress import optouts.csv
  mailblast suppress list --check ana@acme.example && echo suppressed
  mailblast suppress rm ana@acme.example`,
		Long: "Keep the list of addresses and whole domains (@domain) that must not be written to. All campaigns with this state directory\n" +
			"share it. It is looked at when a list is read and again just before each letter leaves, also in a run under way.\n" +
			"Files that a campaign names under suppress: add to it.",
		Args:        usage(cobra.NoArgs),
		Annotations: codes(exitOK, exitUsage),
		RunE:        func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(e.suppressAddCommand(), e.suppressRemoveCommand(), e.suppressListCommand(), e.suppressImportCommand(), e.suppressExportCommand())
	return c
}

func (o *suppressOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.reason, "reason", "", "`WHY`, for the report")
	f.StringVar(&o.scope, "scope", "all", "for one `CAMPAIGN` only, or all")
	f.StringVar(&o.until, "until", "", "forget it after this `DAY`, such as 2026-12-31")
}

// entry is what the flags say of each.
func (o suppressOptions) entry(now time.Time) (x suppress.Entry, err error) {
	x = suppress.Entry{Reason: o.reason, At: now}
	if o.scope != "all" {
		x.Scope = o.scope
	}
	if o.until != "" {
		if x.Until, err = parseUntil(o.until); err != nil {
			return x, failf(exitUsage, "--%w", err)
		}
	}
	return x, nil
}

func (e *env) suppressAddCommand() *cobra.Command {
	var o suppressOptions
	c := &cobra.Command{
		Use:   "add ADDRESS|@DOMAIN|- …",
		Short: "Add people, or whole domains",
		Example: `  mailblast suppress add ana@acme.example bob@acme.example --reason "left the company"
  grep -h refused mail.log | cut -f2 | mailblast suppress add -`,
		Long:        "Add addresses, or whole domains as @domain (without their subdomains); - reads them from standard input. What one cannot\nbe understood of is named, the others are added.",
		Args:        usage(cobra.MinimumNArgs(1)),
		Annotations: codes(exitOK, exitUsage, exitData, exitIO, exitPaused, exitRefused),
		RunE:        func(c *cobra.Command, args []string) error { return e.runSuppressAdd(c.Context(), args, o) },
	}
	o.flags(c)
	return c
}

func (e *env) runSuppressAdd(ctx context.Context, args []string, o suppressOptions) error {
	proto, err := o.entry(e.now())
	if err != nil {
		return err
	}
	return e.suppressing(ctx, func(l *ledgerOfBars) error {
		for _, arg := range args {
			if arg == "-" {
				if err := e.readSuppressed(ctx, "-", func(x suppress.Entry) error { return l.add(ctx, merged(x, proto)) }, l.odd); err != nil {
					return err
				}
				continue
			}
			whom, err := suppress.Parse(arg)
			if err != nil {
				l.odd(wayward{arg, err.Error()})
				continue
			}
			x := proto
			x.Whom = whom
			if err := l.add(ctx, x); err != nil {
				return err
			}
		}
		return nil
	})
}

// merged fills in what a file leaves open.
func merged(x, proto suppress.Entry) suppress.Entry {
	x.At = proto.At
	if x.Reason == "" {
		x.Reason = proto.Reason
	}
	if x.Scope == "" {
		x.Scope = proto.Scope
	}
	if x.Until.IsZero() {
		x.Until = proto.Until
	}
	return x
}

func (e *env) suppressImportCommand() *cobra.Command {
	var o suppressOptions
	c := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Add the people of a file",
		Example: `  mailblast suppress import unsubscribed.csv --reason unsubscribed
  mailblast suppress import - < export.jsonl`,
		Long: "Add the people of a file of any kind that recipients may have (CSV, Excel, JSON). It has a column email, and may have reason,\n" +
			"scope and until; or it is a list of addresses without a line of names. Lines that cannot be understood are named and the\nexit code is " +
			fmt.Sprint(exitData) + "; the others are added.",
		Args:        usage(cobra.ExactArgs(1)),
		Annotations: codes(exitOK, exitUsage, exitData, exitNoInput, exitIO, exitPaused, exitRefused),
		RunE: func(c *cobra.Command, args []string) error {
			proto, err := o.entry(e.now())
			if err != nil {
				return err
			}
			return e.suppressing(c.Context(), func(l *ledgerOfBars) error {
				return e.readSuppressed(c.Context(), args[0], func(x suppress.Entry) error { return l.add(c.Context(), merged(x, proto)) }, l.odd)
			})
		},
	}
	o.flags(c)
	return c
}

func (e *env) suppressRemoveCommand() *cobra.Command {
	var scope string
	c := &cobra.Command{
		Use:         "rm ADDRESS|@DOMAIN …",
		Short:       "Take people off the list",
		Example:     `  mailblast suppress rm ana@acme.example`,
		Long:        "Take addresses or domains off the list. Who is not on it is named.",
		Args:        usage(cobra.MinimumNArgs(1)),
		Annotations: codes(exitOK, exitUsage, exitData, exitNoInput, exitIO, exitPaused, exitRefused),
		RunE: func(c *cobra.Command, args []string) error {
			return e.suppressing(c.Context(), func(l *ledgerOfBars) error { return l.remove(c.Context(), args, scope) })
		},
	}
	c.Flags().StringVar(&scope, "scope", "all", "the entry for one `CAMPAIGN` only, or that for all")
	return c
}

// suppressing opens the journal, has f change the list, and says what came of it.
func (e *env) suppressing(ctx context.Context, f func(*ledgerOfBars) error) (err error) {
	at, _ := e.whereabouts()
	if err := makeState(at.dir); err != nil {
		return err
	}
	held, err := lock.Share(ctx, at.dir) // a repair would leave behind what is written to the journal that it replaces
	if err != nil {
		return stateFault(err)
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	book, err := journal.Open(ctx, at.options())
	if err != nil {
		return stateFault(err)
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	l := &ledgerOfBars{env: e, book: book, at: at}
	if err := l.load(ctx); err != nil {
		return err
	}
	if err := errors.Join(f(l), l.flush(ctx)); err != nil {
		return err
	}
	return l.verdict()
}
