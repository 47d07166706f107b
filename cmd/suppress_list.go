package cmd

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/suppress"
)

func (e *env) suppressListCommand() *cobra.Command {
	var check, scope string
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "Show the list, or ask about one address",
		Example: `  mailblast suppress list
  mailblast suppress list --check ana@acme.example    0: suppressed, 1: not`,
		Long:        "Show who is suppressed, since when and why, or ask about one address: the exit code is the answer.",
		Args:        usage(cobra.NoArgs),
		Annotations: listCodes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if check != "" {
				return e.askSuppressed(c.Context(), check, scope)
			}
			return e.eachSuppressed(c.Context(), scope, func(x journal.Suppression) error { return e.showSuppressed(x, asJSON) })
		},
	}
	f := c.Flags()
	f.StringVar(&check, "check", "", "is `ADDRESS` suppressed? 0: yes, 1: no")
	f.StringVar(&scope, "scope", "", "as it is for this `CAMPAIGN`; default: every entry")
	f.BoolVar(&asJSON, "json", false, "as JSON lines")
	return c
}

// listCodes words the code of the answer no.
func listCodes() map[string]string {
	m := codes(exitOK, exitUsage, exitNoInput, exitIO, exitRefused)
	m[exits] = strings.Replace(m[exits], "\n", fmt.Sprintf("\n  %-4d with --check: not suppressed\n", exitNo), 1)
	return m
}

func (e *env) suppressExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:         "export",
		Short:       "Write the list as CSV",
		Example:     `  mailblast suppress export > suppressed.csv`,
		Long:        "Write the list to standard output as CSV, in the form that import reads.",
		Args:        usage(cobra.NoArgs),
		Annotations: codes(exitOK, exitUsage, exitNoInput, exitIO, exitRefused),
		RunE:        func(c *cobra.Command, _ []string) error { return e.exportSuppressed(c.Context()) },
	}
}

func (e *env) exportSuppressed(ctx context.Context) error {
	w := csv.NewWriter(e.out)
	_ = w.Write([]string{"email", "reason", "scope", "until", "added"}) // the writer keeps its first error
	err := e.eachSuppressed(ctx, "", func(x journal.Suppression) error {
		scope, until := "all", ""
		if x.Scope != "" {
			scope = x.Scope
		}
		if !x.Until.IsZero() {
			until = x.Until.Format(time.RFC3339)
		}
		return w.Write([]string{unformula(x.Whom), unformula(x.Reason), unformula(scope), until, x.At.UTC().Format(time.RFC3339)})
	})
	w.Flush()
	return errors.Join(err, ioFault(w.Error()))
}

// unformula keeps spreadsheet programs from reading a text as a formula.
func unformula(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0 {
		return "'" + s
	}
	return s
}

// eachSuppressed gives the entries that hold now in the order of their addresses; of one campaign, or all.
func (e *env) eachSuppressed(ctx context.Context, campaign string, f func(journal.Suppression) error) (err error) {
	at, _ := e.whereabouts()
	book, err := e.oldBook(ctx, at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	have, err := standing(ctx, book)
	if err != nil {
		return err
	}
	var all []journal.Suppression
	for _, x := range have {
		if holds(x, e.now()) && (campaign == "" || x.Scope == "" || x.Scope == campaign) {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(a, b journal.Suppression) int {
		return strings.Compare(a.Whom+"\x00"+a.Scope, b.Whom+"\x00"+b.Scope)
	})
	for _, x := range all {
		if err := f(x); err != nil {
			return ioFault(err)
		}
	}
	return nil
}

func (e *env) showSuppressed(x journal.Suppression, asJSON bool) error {
	if asJSON {
		var until *time.Time
		if !x.Until.IsZero() {
			until = &x.Until
		}
		return json.NewEncoder(e.out).Encode(struct {
			V      int        `json:"v"`
			Type   string     `json:"type"`
			Whom   string     `json:"whom"`
			Reason string     `json:"reason,omitempty"`
			Scope  string     `json:"scope,omitempty"`
			Until  *time.Time `json:"until,omitempty"`
			At     time.Time  `json:"at"`
		}{1, "suppressed", x.Whom, x.Reason, x.Scope, until, x.At})
	}
	line := fmt.Sprintf("%-40s since %s", screen.Printable(x.Whom), x.At.Local().Format(time.DateOnly))
	if !x.Until.IsZero() {
		line += "  until " + x.Until.Add(-1).Local().Format(time.DateOnly)
	}
	if x.Scope != "" {
		line += "  for " + screen.Printable(x.Scope)
	}
	if x.Reason != "" {
		line += "  " + screen.Printable(x.Reason)
	}
	_, err := fmt.Fprintln(e.out, line)
	return err
}

// askSuppressed answers with the exit code, for a campaign or, without one, for any.
func (e *env) askSuppressed(ctx context.Context, who, campaign string) error {
	whom, err := suppress.Parse(who)
	if err != nil {
		return failf(exitUsage, "--check %s: %w", who, err)
	}
	_, domain, _ := strings.Cut(whom, "@")
	found := false
	err = e.eachSuppressed(ctx, campaign, func(x journal.Suppression) error {
		if x.Whom != whom && x.Whom != "@"+domain {
			return nil
		}
		found = true
		return e.showSuppressed(x, false)
	})
	switch {
	case err != nil:
		return err
	case !found:
		return &fault{code: exitNo, said: who + " is not suppressed"}
	}
	return nil
}
