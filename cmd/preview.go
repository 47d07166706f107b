package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

type previewOptions struct {
	file     string
	row      int
	to       string
	format   string
	patience time.Duration
}

var previewFormats = []string{"text", "html", "eml"}

func (e *env) previewCommand() *cobra.Command {
	var o previewOptions
	c := &cobra.Command{
		Use:     "preview [FILE]",
		GroupID: "campaign",
		Short:   "Show one person's letter as it would be sent",
		Example: `  mailblast preview                          the first letter
  mailblast preview --row 7 -o html > 7.html
  mailblast preview --to jo@acme.example -o eml`,
		Long: "Show the letter of one row of the list, exactly as it would be sent now. The default is the first row that can be sent.\n" +
			"Nothing is sent and nothing is remembered.",
		Args:        usage(cobra.MaximumNArgs(1)),
		Annotations: codes(exitOK, exitUsage, exitData, exitNoInput, exitUnavailable, exitDenied, exitIO, exitInterrupted),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = file(args)
			return e.runPreview(c.Context(), o)
		},
	}
	f := c.Flags()
	f.IntVar(&o.row, "row", 0, "the letter of row `N` of the list, from 1")
	f.StringVar(&o.to, "to", "", "the letter to `ADDR` of the list")
	f.StringVarP(&o.format, "output", "o", "text", "`FORMAT`: text, html (that part alone), eml (the whole message, raw)")
	f.DurationVar(&o.patience, "patience", 30*time.Second, "how long to try to reach the database")
	must(f.MarkHidden("patience"))
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(previewFormats, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

// check refuses flags that make no sense, and gives the address that is looked for in the form that can be compared.
func (o previewOptions) check() (key string, err error) {
	switch {
	case !slices.Contains(previewFormats, o.format):
		return "", failf(exitUsage, "-o %s: not one of %s", o.format, strings.Join(previewFormats, ", "))
	case o.row < 0:
		return "", failf(exitUsage, "--row counts from 1")
	case o.row > 0 && o.to != "":
		return "", failf(exitUsage, "--row and --to exclude each other")
	case o.to == "":
		return "", nil
	}
	_, a, err := address.ParseMailbox(o.to)
	if err != nil {
		return "", failf(exitUsage, "--to: %w", err)
	}
	return a.Key(), nil
}

func (e *env) runPreview(ctx context.Context, o previewOptions) (err error) {
	key, err := o.check()
	if err != nil {
		return err
	}
	c, err := e.load(o.file)
	if err != nil {
		return err
	}
	ctx, stop := e.interruptible(ctx)
	defer stop()
	d, err := e.newDesk(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(stopped(ctx, err), d.close()) }()
	if err := d.open(ctx, o.patience); err != nil {
		return err
	}
	ref, stamp, err := d.find(ctx, o.row, key)
	if err != nil {
		return err
	}
	return d.show(ctx, ref, stamp, o.format)
}

var errFound = errors.New("found")

// find gives the row that is asked for, or says why it cannot be sent.
func (d *desk) find(ctx context.Context, number int, key string) (ref int64, stamp composer.Stamp, err error) {
	unusable := ""
	skip := func(s composer.Skipped) error {
		if unusable == "" || s.Number == number {
			unusable = fmt.Sprintf("%s: %s", rowName(s.Number, s.Line), s.Text)
		}
		if s.Number == number {
			return failf(exitData, "%s", unusable)
		}
		return nil
	}
	err = d.composer.Walk(ctx, skip, func(r *composer.Row, s composer.Stamp) error {
		if number > 0 && r.Number != number || key != "" && !d.goesTo(r, key) {
			return nil
		}
		ref, stamp = r.Ref, s
		return errFound
	})
	switch n := d.rows.Len(); {
	case errors.Is(err, errFound):
		return ref, stamp, nil
	case err != nil:
		return 0, stamp, err
	case number > 0:
		return 0, stamp, failf(exitData, "there is no row %d, the list has %d", number, n)
	case key != "":
		return 0, stamp, failf(exitData, "%s is not in the list of %d rows, or its row cannot be sent", key, n).
			hinted("rows that are skipped: mailblast check --show skipped")
	case n == 0:
		return 0, stamp, failf(exitData, "the list is empty")
	}
	return 0, stamp, failf(exitData, "no row of the list can be sent; the first: %s", unusable)
}

func (d *desk) goesTo(r *composer.Row, key string) bool {
	env, err := d.letter.Envelope(r)
	return err == nil && slices.ContainsFunc(env.Recipients, func(a address.Address) bool { return a.Key() == key })
}

// form is how a letter is laid out for looking at.
func (e *env) form() delivery.Form { return delivery.Form{EightBit: true, UTF8: true, Date: e.now()} }
