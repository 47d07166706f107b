package cmd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailblast/mailblast/cmd/campaign"
)

// usage makes a check of arguments end with the exit code for a wrong command line, and with what would be right.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case check(c, args) == nil:
			return nil
		case c.HasSubCommands():
			return unknown(c, args[0])
		}
		return miscounted(c, len(args))
	}
}

// miscounted says how many arguments a command takes, in the words of its usage.
func miscounted(c *cobra.Command, n int) *fault {
	_, takes, _ := strings.Cut(c.Use, " ")
	var err error
	switch what := strings.Trim(takes, "[]"); {
	case takes == "":
		err = fmt.Errorf("%s takes no arguments, but was given %d", c.CommandPath(), n)
	case n == 0:
		err = fmt.Errorf("%s needs an argument: %s", c.CommandPath(), what)
	default:
		err = fmt.Errorf("%s takes one %s, but was given %d arguments", c.CommandPath(), what, n)
	}
	return failf(exitUsage, "%w", err).hinted("%s --help", c.CommandPath())
}

// unknown says of a word that it is none of the commands below c, and which may have been meant.
func unknown(c *cobra.Command, word string) *fault {
	f := failf(exitUsage, "unknown command %q", strings.TrimPrefix(c.CommandPath()+" "+word, c.Root().Name()+" "))
	all := c.CommandPath() + " --help"
	if near := likeliest(c, word); near != "" {
		return f.hinted("did you mean %s? All commands: %s", near, all)
	}
	return f.hinted("%s", all)
}

// likeliest is the command that a word below c was probably meant to be, with its path: one that is called alike, or one elsewhere that is
// called so.
func likeliest(c *cobra.Command, word string) string {
	var names []string
	for _, sub := range c.Commands() {
		if offered(sub) {
			names = append(names, sub.Name())
		}
	}
	if near := campaign.Nearest(word, names); near != "" {
		return c.CommandPath() + " " + near
	}
	for _, sub := range append(c.Root().Commands(), subcommands(c.Root())...) {
		if offered(sub) && sub.Name() == word {
			return sub.CommandPath()
		}
	}
	return ""
}

func offered(c *cobra.Command) bool { return c.IsAvailableCommand() || c.Name() == "help" }

// subcommands are the commands of commands.
func subcommands(root *cobra.Command) (all []*cobra.Command) {
	for _, c := range root.Commands() {
		all = append(all, c.Commands()...)
	}
	return all
}

// flagFault puts into our words what is wrong with a flag.
func flagFault(c *cobra.Command, err error) error {
	var (
		none  *pflag.NotExistError
		empty *pflag.ValueRequiredError
		form  *pflag.InvalidSyntaxError
	)
	hint := c.CommandPath() + " --help"
	switch {
	case errors.As(err, &none):
		name, group := "--"+none.GetSpecifiedName(), none.GetSpecifiedShortnames()
		if group != "" {
			name = "-" + string([]rune(group)[:1])
		}
		err = fmt.Errorf("unknown flag: %s", name)
		if near := meantFlag(c, none); near != "" {
			hint = fmt.Sprintf("did you mean --%s? All flags: %s", near, hint)
		}
	case errors.As(err, &empty):
		kind, _ := pflag.UnquoteUsage(empty.GetFlag())
		err = fmt.Errorf("--%s needs a value: --%s %s", empty.GetFlag().Name, empty.GetFlag().Name, kind)
	case errors.As(err, &form):
		err = fmt.Errorf("%s: not a flag", form.GetSpecifiedFlag())
	default:
		err = valueFault(err)
	}
	return failf(exitUsage, "%w", err).hinted("%s", hint)
}

// meantFlag is the flag that was probably meant. A long one with a single dash is read as many short ones.
func meantFlag(c *cobra.Command, e *pflag.NotExistError) string {
	word, group := e.GetSpecifiedName(), e.GetSpecifiedShortnames()
	if len(group) > 1 {
		word, _, _ = strings.Cut(group, "=")
	} else if group != "" {
		return ""
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	slices.Sort(names)
	return campaign.Nearest(word, names)
}

// kinds are the types of flags, and what their values look like.
var kinds = map[string]string{"bool": "true or false", "int": "a whole number", "duration": "a duration such as 90s or 5m"}

// valueFault puts into our words that a flag cannot have a value.
func valueFault(err error) error {
	var value *pflag.InvalidValueError
	if !errors.As(err, &value) {
		return err
	}
	f := value.GetFlag()
	if kind := kinds[f.Value.Type()]; kind != "" {
		return fmt.Errorf("--%s %q: not %s", f.Name, value.GetValue(), kind)
	}
	return fmt.Errorf("--%s %q: %w", f.Name, value.GetValue(), errors.Unwrap(value))
}
