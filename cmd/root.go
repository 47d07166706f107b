// Package cmd is the command line: one file a verb, each with its options, its flags and its run.
//
// env.go is the process's state; exit.go turns errors into words and exit codes; wire.go builds the pipeline of a campaign.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailblast/mailblast/delivery/panicked"
)

// Main runs the command line of this process and gives its exit code.
func Main() int { return process().main() }

func (e *env) main() int {
	root := e.root()
	root.SetArgs(e.args)
	var c *cobra.Command
	err := contained(func() (err error) {
		c, err = root.ExecuteContextC(context.Background())
		return err
	})
	if c != nil && c.Name() != "send" && unheard(err) {
		err = nil
	}
	if f := diskFault(e.unsaid); f != nil && err == nil { // a reader that has gone has heard enough
		err = f
	}
	if e.misused != nil {
		return e.explain(e.misused)
	}
	return e.explain(err)
}

// unheard tells that an error is only that the reader of our output has gone, as head does. It has heard enough.
func unheard(err error) bool {
	if !errors.Is(err, syscall.EPIPE) {
		return false
	}
	f := judge(err)
	return errors.Is(f, syscall.EPIPE) && (f.code == exitIO || f.code == exitBug)
}

// contained calls f on a goroutine that is ours to end well: a panic is an error there.
func contained(f func() error) (err error) {
	defer panicked.Contain(&err)
	return f()
}

func (e *env) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "mailblast",
		Short:         "Send mail-merge campaigns from your own database, and know what became of every person",
		SilenceErrors: true,
		SilenceUsage:  true,
		Example: `  mailblast init hello && cd hello    a campaign to begin with
  mailblast check                     is it all right?
  mailblast send -n                   rehearse: into a capture server, no mail leaves this machine
  mailblast send                      send it; run it again to continue, nobody gets two copies`,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return e.prepare(c) },
		Args:              usage(cobra.NoArgs),
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetIn(e.in)
	root.SetOut(e.out)
	root.SetErr(e.err)
	root.SetHelpTemplate(helpTemplate)
	help := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) { // cobra would print a fault of standard output, and call that success
		if words := c.Flags().Args(); c.HasSubCommands() && len(words) > 0 { // --help journal repair
			var misused *fault
			if c, misused = about(c, words); misused != nil {
				e.misused = misused
				return
			}
		}
		var text strings.Builder
		c.SetOut(&text)
		help(c, args)
		if _, err := io.WriteString(e.out, text.String()); err != nil {
			e.unsaid = err
		}
	})
	root.SetFlagErrorFunc(flagFault)
	root.SetHelpCommand(e.helpCommand())
	f := root.PersistentFlags()
	f.BoolVarP(&e.quiet, "quiet", "q", false, "print errors only")
	f.BoolVarP(&e.verbose, "verbose", "v", false, "say more: a line a minute without a terminal, one event a person with --json")
	f.BoolVar(&e.noColor, "no-color", false, "no colours (also NO_COLOR)")
	f.StringVar(&e.envFile, "env-file", "", "read variables from `FILE` instead of .env beside the campaign")
	f.StringVar(&e.stateIn, "state", "", "keep state in `DIR`, or in postgres://user@host/database (default: nearest .mailblast upward from the campaign)")
	f.StringVarP(&e.dir, "chdir", "C", "", "run as if started in `DIR`")
	root.AddGroup(&cobra.Group{ID: "campaign", Title: "Campaign:"}, &cobra.Group{ID: "results", Title: "Results:"}, &cobra.Group{ID: "servers", Title: "Servers:"})
	root.AddCommand(e.initCommand(), e.checkCommand(), e.previewCommand(), e.sendCommand(), e.statusCommand(), e.reportCommand(),
		e.suppressCommand(), e.purgeCommand(), e.journalCommand(), e.captureCommand(), e.versionCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	annotate(root)
	return root
}

// prepare applies what holds for every command: environment twins of flags, and the directory.
func (e *env) prepare(c *cobra.Command) error {
	if c.Name() == cobra.ShellCompRequestCmd { // the command that is completed asks for it
		return nil
	}
	if c.Parent() != c.Root() || !slices.Contains([]string{"version", "help", "completion"}, c.Name()) {
		if err := e.scarce(leastFiles); err != nil {
			return err
		}
	}
	e.verb = strings.Fields(c.CommandPath())[1:]
	var faults []error
	c.Flags().VisitAll(func(f *pflag.Flag) {
		name := "MAILBLAST_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		v, ok := e.lookup(name)
		if !ok || v == "" || f.Changed || f.Name == "help" {
			return
		}
		if err := c.Flags().Set(f.Name, v); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, valueFault(err)))
		}
	})
	if len(faults) > 0 {
		return failf(exitUsage, "%w", errors.Join(faults...))
	}
	if e.dir != "" {
		if err := os.Chdir(e.dir); err != nil {
			return failf(exitNoInput, "%w", err)
		}
	}
	return e.stateGiven() // which may name files from there
}

const exits = "exit codes"

// codes lists the exit codes a command can end with, for its help.
func codes(cs ...int) map[string]string {
	var b strings.Builder
	for _, c := range slices.Sorted(slices.Values(cs)) {
		fmt.Fprintf(&b, "  %-4d %s\n", c, exitText[c])
	}
	return map[string]string{exits: b.String()}
}

// annotate gives cobra's own commands the annotations that the help template asks for, and our words for wrong arguments.
func annotate(c *cobra.Command) {
	if c.Annotations == nil {
		c.Annotations = codes(exitOK, exitUsage)
		if c.Args != nil {
			c.Args = usage(c.Args)
		}
		if !c.Runnable() {
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
	for _, sub := range c.Commands() {
		annotate(sub)
	}
}
