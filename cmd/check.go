package cmd

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/cmd/campaign"
)

type checkOptions struct {
	file     string
	offline  bool
	show     string
	schema   bool
	json     bool
	patience time.Duration
}

func (e *env) checkCommand() *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:     "check [FILE]",
		GroupID: "campaign",
		Short:   "Check a campaign, its list, every letter and the mail server",
		Example: `  mailblast check
  mailblast check --offline          without the mail server
  mailblast check --show skipped     who would be skipped, and why
  mailblast check --show warnings    who will be sent to, but should be looked at
  mailblast check --show config      every setting, and where it comes from`,
		Long: "Check everything that can be checked before a campaign is sent: campaign.yaml, the templates against the list's columns,\n" +
			"the count of rows, the journal, every letter, and the mail server up to its login. All that is wrong is told at once. Nothing is\n" +
			"sent. The exit code is that of the first error.",
		Args:        usage(cobra.MaximumNArgs(1)),
		Annotations: codes(exitOK, exitUsage, exitData, exitNoInput, exitUnavailable, exitIO, exitRefused, exitDenied, exitInterrupted),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = e.given(args)
			return e.machine(o.json, func() error { return e.runCheck(c.Context(), o) })
		},
	}
	f := c.Flags()
	f.BoolVar(&o.offline, "offline", false, "do not connect to the mail server")
	f.StringVar(&o.show, "show", "", "print `WHAT`: config (every setting), skipped (rows that would not be sent) or warnings (rows to look at)")
	f.BoolVar(&o.schema, "schema", false, "print the JSON schema of campaign.yaml, for editors")
	f.BoolVar(&o.json, "json", false, "JSON lines on standard output")
	f.DurationVar(&o.patience, "patience", 30*time.Second, "how long to try to reach the database and the mail server")
	must(f.MarkHidden("patience"))
	must(c.RegisterFlagCompletionFunc("show", cobra.FixedCompletions(shows, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

func (e *env) runCheck(ctx context.Context, o checkOptions) error {
	if o.schema {
		_, err := e.out.Write(campaign.Schema())
		return ioFault(err)
	}
	ctx, stop := e.interruptible(ctx)
	defer stop()
	if o.show != "" {
		return stopped(ctx, e.checkShow(ctx, o))
	}
	k := &checkup{env: e, o: o}
	if err := k.run(ctx); err != nil {
		return stopped(ctx, err)
	}
	return k.verdict()
}

// run checks one thing after the other. What is wrong becomes a finding; an error ends it.
func (k *checkup) run(ctx context.Context) (err error) {
	c, err := k.quietly().load(k.o.file)
	if err != nil {
		return k.found(err)
	}
	k.env.state = c.State
	for _, w := range c.Warnings {
		k.warn("%s", w.Format())
	}
	if k.desk, err = k.newDesk(c); err != nil {
		return k.found(err)
	}
	defer func() { err = errors.Join(err, k.close()) }()
	k.desk.env = k.quietly()
	for _, step := range []func(context.Context) error{k.templates, k.list, k.state, k.letters, k.relay} {
		if err := step(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// templates reads the list and compiles the letter for its columns; without them, if there is trouble with the list. That
// is told later: what is wrong with files goes first.
func (k *checkup) templates(ctx context.Context) error {
	k.unread = k.read(ctx, k.o.patience)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := k.compile(); err != nil {
		return k.found(err)
	}
	k.ok("%s", k.filesText())
	return nil
}

// list tells what the list has.
func (k *checkup) list(context.Context) error {
	if k.unread != nil {
		return k.found(k.unread)
	}
	name := "database"
	if f := k.c.Recipients.File; f != "" {
		name = below(k.c.Dir, f)
	}
	k.ok("%s: %s, %s", name, plural(k.rows.Len(), "row"), columnsText(k.rows.Columns()))
	if err := expected(k.c, k.rows.Len()); err != nil {
		return k.found(err)
	}
	if k.rows.Len() == 0 {
		k.warn("%s: the list is empty, there is nobody to send to", name)
	}
	return nil
}
