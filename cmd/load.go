package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
	"github.com/mailblast/mailblast/composer/rows"
)

const defaultFile = "campaign.yaml"

// given is the campaign that a command was given, which what is said to be run next names as well: a file, or a folder with a
// campaign.yaml.
func (e *env) given(args []string) string {
	e.file = defaultFile
	if len(args) > 0 {
		e.file = args[0]
		if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
			e.file = filepath.Join(args[0], defaultFile)
		}
	}
	return e.file
}

// load reads a campaign, and prints every fault of it.
func (e *env) load(path string, overrides ...campaign.Override) (*campaign.Campaign, error) {
	if e.stateIn != "" {
		overrides = append(overrides, campaign.Override{Key: "state", Value: absolute(e.stateIn), Origin: "--state"})
	}
	c, err := campaign.Load(path, campaign.Options{Env: e.lookup, EnvFile: e.envFile, Overrides: overrides})
	var faults campaign.Faults
	switch {
	case errors.As(err, &faults):
		return nil, e.faults(faults)
	case errors.Is(err, fs.ErrNotExist):
		return nil, failf(exitNoInput, "%s: there is no such campaign", path).hinted("write one with: %s", e.typed("init"))
	case err != nil:
		return nil, failf(exitNoInput, "%w", err)
	}
	e.state = c.State
	if e.errTTY || e.verbose {
		for _, w := range c.Warnings {
			fmt.Fprintln(e.err, "warning: "+printableText(w.Format()))
		}
	}
	return c, nil
}

// faults prints what is wrong with files and gives the error that says so.
func (e *env) faults(fs campaign.Faults) error {
	for _, f := range fs {
		fmt.Fprintln(e.err, printableText(f.Format()))
	}
	fmt.Fprintf(e.err, "%s. Nothing was sent.\n", plural(len(fs), "error"))
	code := exitUsage // when all of them are on the command line
	for _, f := range fs {
		if !strings.HasPrefix(f.File, "--") {
			code = exitData
		}
	}
	return &fault{code: code, said: fs.Error()}
}

// letterFaults gives faults of a letter the form of the campaign's.
func letterFaults(fs letter.Faults) campaign.Faults {
	var out campaign.Faults
	for _, f := range fs {
		var g campaign.Fault
		g.File, g.Line, g.Column = f.File, f.Line, f.Column
		g.Text, g.Hint, g.Excerpt, g.Width = f.Text, f.Hint, f.Excerpt, 1
		out = append(out, g)
	}
	return out
}

// loadLetter compiles the campaign's letter for a list with these columns. note is told of what somebody may want to look at
// while letters are made; nil: nobody.
func (e *env) loadLetter(c *campaign.Campaign, root *os.Root, cols []composer.Column, temp string, note func(string)) (*letter.Letter, error) {
	o := letter.Options{
		Root: root, Template: c.Template, Locale: c.Locale, Text: c.Text, Layout: c.Layout,
		Subject: c.Subject, Preheader: c.Preheader, From: c.From, To: c.To, CC: c.CC, BCC: c.BCC, ReplyTo: c.ReplyTo, ReturnPath: c.ReturnPath,
		Vars: c.Vars, OnNull: letter.Null(c.OnNull.Default), OnNulls: map[string]letter.Null{}, Unsubscribe: letter.Unsubscribe{URL: c.Unsubscribe.URL, Mailto: c.Unsubscribe.Mailto},
		Images: c.Images, Campaign: c.Name, MaxMessage: c.MaxMessage, TempDir: temp, Pos: c.Pos, Front: frontMatter, Note: note,
		Nested: map[string]bool{},
	}
	for _, col := range cols {
		o.Columns = append(o.Columns, col.Name)
		o.Nested[col.Name] = mayNest(col.Type)
	}
	for name, rule := range c.OnNull.Columns {
		o.OnNulls[name] = letter.Null(rule)
	}
	for _, h := range c.Headers {
		o.Headers = append(o.Headers, letter.Header(h))
	}
	for _, a := range c.Attachments {
		o.Attachments = append(o.Attachments, letter.Attachment(a))
	}
	l, err := letter.Load(o)
	var faults letter.Faults
	if errors.As(err, &faults) {
		return nil, e.faults(letterFaults(faults))
	}
	return l, err
}

// mayNest tells whether values of a type may be lists and mappings: JSON, and PostgreSQL's arrays.
func mayNest(typ string) bool {
	return strings.HasPrefix(typ, "json") || strings.HasPrefix(typ, "_") || strings.HasSuffix(typ, "[]")
}

// frontMatter reads what a template says of its letter itself.
func frontMatter(file, yaml string) (letter.Front, letter.Faults) {
	f, err := campaign.ParseFront(file, yaml)
	var faults campaign.Faults
	if errors.As(err, &faults) {
		var out letter.Faults
		for _, f := range faults {
			out = append(out, letter.Fault{File: f.File, Line: f.Line, Column: f.Column, Text: f.Text, Hint: f.Hint, Excerpt: f.Excerpt})
		}
		return letter.Front{}, out
	}
	front := letter.Front{Subject: f.Subject, Preheader: f.Preheader, Layout: f.Layout, Locale: f.Locale, Pos: f.Pos}
	for _, a := range f.Attachments {
		front.Attachments = append(front.Attachments, letter.Attachment(a))
	}
	return front, nil
}

// source says where a campaign's rows come from.
func (e *env) source(c *campaign.Campaign) (rows.Source, error) {
	r := c.Recipients
	src := rows.Source{Path: r.File, Charset: r.Charset, Delimiter: r.Delimiter, Sheet: r.Sheet,
		DSN: r.DSN.Reveal(), Query: r.Query, Params: r.Params, Base: c.Dir}
	if r.File != campaign.Stdin {
		return src, nil
	}
	if e.inTTY {
		return src, failf(exitUsage, "recipients are read from standard input, which is a terminal here").hinted("%s < customers.csv", e.onFile("send"))
	}
	src.Path, src.Stdin = "", e.in
	return src, nil
}

// readRows reads a campaign's rows.
func (e *env) readRows(ctx context.Context, c *campaign.Campaign, o rows.Options) (*rows.Store, error) {
	src, err := e.source(c)
	if err != nil {
		return nil, err
	}
	s, err := rows.Read(ctx, src, o)
	if err != nil {
		return nil, rowsFault(err)
	}
	return s, nil
}

// rowsFault gives trouble with a list its exit code.
func rowsFault(err error) *fault {
	var r *rows.Error
	if !errors.As(err, &r) {
		return judge(err)
	}
	code := map[rows.Kind]int{rows.Invalid: exitData, rows.Missing: exitNoInput, rows.Unreachable: exitUnavailable,
		rows.Denied: exitDenied, rows.Full: exitIO}[r.Kind]
	f := &fault{code: code, err: r, hint: r.Hint}
	if r.Excerpt != "" {
		f.err = fmt.Errorf("%w\n    %s", r, r.Excerpt)
	}
	return f
}

// columnFault points at the key of the campaign that names a column the list does not have.
func (e *env) columnFault(c *campaign.Campaign, err error) error {
	var col *composer.ColumnError
	if !errors.As(err, &col) {
		return err
	}
	var f campaign.Fault
	f.File, f.Line, f.Column = c.Pos(col.Option)
	f.Text, f.Hint = col.Error(), fmt.Sprintf("it has %q", col.Have)
	return e.faults(campaign.Faults{f})
}
