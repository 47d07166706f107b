package cmd

import "github.com/spf13/cobra"

// helpCommand is cobra's, but it says so when there is no such command.
func (e *env) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Tell about a command",
		Example: "  mailblast help send\n  mailblast help journal repair",
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			about, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range about.Commands() {
				if offered(sub) {
					names = append(names, sub.Name()+"\t"+sub.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			c, misused := about(c.Root(), args)
			if misused != nil {
				return misused
			}
			return c.Help()
		},
	}
}

// about is the command below c that words name.
func about(c *cobra.Command, words []string) (*cobra.Command, *fault) {
	c, rest, err := c.Find(words)
	switch {
	case err != nil:
		return nil, failf(exitUsage, "%w", err).hinted("%s --help", c.Root().Name())
	case len(rest) > 0:
		return nil, unknown(c, rest[0])
	}
	c.InitDefaultHelpFlag()
	return c, nil
}

// helpTemplate leads with examples and ends with exit codes.
const helpTemplate = `{{.Short}}.

{{if .HasExample}}Examples:
{{.Example}}

{{end}}{{with .Long}}{{. | trimTrailingWhitespaces}}

{{end}}Usage: {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}
{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{range $group := .Groups}}
{{.Title}}{{range $cmds}}{{if and (eq .GroupID $group.ID) .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}{{if not .AllChildCommandsHaveGroup}}
Other:{{range $cmds}}{{if and (eq .GroupID "") (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}{{end}}{{if .HasAvailableLocalFlags}}
Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}{{if .HasAvailableInheritedFlags}}
Global flags:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}
Exit codes:
{{index .Annotations "exit codes"}}{{if not .HasParent}}
Every flag can be given as a variable too: --max-connections 5 is MAILBLAST_MAX_CONNECTIONS=5.
{{end}}`
