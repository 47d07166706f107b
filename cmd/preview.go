package cmd

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/delivery/address"
)

type previewOptions struct {
	file     string
	row      int
	to       string
	hard     bool
	format   string // "": text, or what the letter has
	out      string
	open     bool
	patience time.Duration
}

var previewFormats = []string{"text", "html", "eml", "json"}

func (e *env) previewCommand() *cobra.Command {
	var o previewOptions
	c := &cobra.Command{
		Use:     "preview [FILE]",
		GroupID: "campaign",
		Short:   "Show letters as they would be sent",
		Example: `  mailblast preview                          the first letter
  mailblast preview --row 7 -o html > 7.html
  mailblast preview --to jo@acme.example -o eml
  mailblast preview --hard                   the rows most likely to look wrong
  mailblast preview --open                   the first letter, in the browser
  mailblast preview -o json | jq .subject
  mailblast preview --out letters            every letter, as a file each`,
		Long: "Show the letter of one row of the list, exactly as it would be sent now. The default is the first row that can be sent.\n" +
			"--hard chooses six rows at most: those with the most empty values, the longest ones and the most unusual letters, with\n" +
			"the reason above each. With -o eml they come as an mbox, and the reasons on standard error.\n" +
			"--out writes every letter into a folder of its own, readable by nobody else; a later run replaces what an earlier one\n" +
			"wrote, and refuses a folder with anything else in it. Nothing is sent and nothing is remembered.",
		Args:        usage(cobra.MaximumNArgs(1)),
		Annotations: codes(exitOK, exitUsage, exitData, exitNoInput, exitUnavailable, exitDenied, exitIO, exitInterrupted),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = e.given(args)
			key, err := o.check()
			if err != nil {
				return err
			}
			return e.runPreview(c.Context(), o, key)
		},
	}
	f := c.Flags()
	f.IntVar(&o.row, "row", 0, "the letter of row `N` of the list, from 1")
	f.StringVar(&o.to, "to", "", "the letter to `ADDR` of the list")
	f.BoolVar(&o.hard, "hard", false, "the letters of the rows that are hardest to get right, and why")
	f.StringVarP(&o.format, "output", "o", "", "`FORMAT`: text (the default), html (that part alone), eml (the whole message, raw), json (a line a letter)")
	f.StringVar(&o.out, "out", "", "write every letter into the folder `DIR`, as .eml")
	f.BoolVar(&o.open, "open", false, "show the letter in the browser")
	f.DurationVar(&o.patience, "patience", 30*time.Second, "how long to try to reach the database")
	must(f.MarkHidden("patience"))
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(previewFormats, cobra.ShellCompDirectiveNoFileComp)))
	must(c.MarkFlagDirname("out"))
	return c
}

// check refuses flags that make no sense, and gives the address that is looked for in the form that can be compared.
func (o previewOptions) check() (key string, err error) {
	chosen := 0
	for _, set := range []bool{o.row != 0, o.to != "", o.hard, o.out != ""} {
		if set {
			chosen++
		}
	}
	switch {
	case o.format != "" && !slices.Contains(previewFormats, o.format):
		return "", failf(exitUsage, "-o %s: not one of %s", o.format, strings.Join(previewFormats, ", "))
	case o.row < 0:
		return "", failf(exitUsage, "--row counts from 1")
	case chosen > 1:
		return "", failf(exitUsage, "--row, --to, --hard and --out exclude each other")
	case o.out != "" && o.format != "" && o.format != "eml":
		return "", failf(exitUsage, "--out writes .eml files: it does not go with -o %s", o.format)
	case o.open && (o.hard || o.out != ""):
		return "", failf(exitUsage, "--open shows one letter: it goes with --row or --to")
	case o.open && (o.format == "eml" || o.format == "json"):
		return "", failf(exitUsage, "--open does not go with -o %s", o.format)
	}
	return o.key()
}

func (o previewOptions) key() (string, error) {
	if o.to == "" {
		return "", nil
	}
	_, a, err := address.ParseMailbox(o.to)
	if err != nil {
		return "", failf(exitUsage, "--to: %w", err)
	}
	return a.Key(), nil
}

func (e *env) runPreview(ctx context.Context, o previewOptions, key string) (err error) {
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
	switch {
	case o.out != "":
		return d.writeAll(ctx, o.out)
	case o.hard:
		picks, err := d.hardRows(ctx)
		if err != nil {
			return err
		}
		return d.show(ctx, picks, o.format)
	}
	p, err := d.find(ctx, o.row, key)
	switch {
	case err != nil:
		return err
	case o.open:
		return d.openLetter(ctx, p, o.format)
	}
	return d.show(ctx, []pick{p}, o.format)
}
