package cmd

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func (e *env) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  mailblast version --json",
		Args:    usage(cobra.NoArgs),
		RunE:    func(*cobra.Command, []string) error { return e.printVersion(asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func (e *env) printVersion(asJSON bool) error {
	v := struct {
		Version string `json:"version"`
		Go      string `json:"go"`
		OS      string `json:"os"`
		Arch    string `json:"arch"`
	}{e.version, runtime.Version(), runtime.GOOS, runtime.GOARCH}
	if asJSON {
		return e.json(v)
	}
	_, err := fmt.Fprintf(e.out, "mailblast %s (%s, %s/%s)\n", v.Version, v.Go, v.OS, v.Arch)
	return err
}
