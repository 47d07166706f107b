package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/templates"
)

type initOptions struct {
	dir, sample string
	force       bool
}

func (e *env) initCommand() *cobra.Command {
	o := initOptions{dir: "."}
	c := &cobra.Command{
		Use:     "init [DIR]",
		GroupID: "campaign",
		Short:   "Write a starter campaign",
		Example: `  mailblast init hello
  mailblast init --sample postgres offers`,
		Long: "Write a starter campaign into DIR (default: the current one). Its mail goes to a built-in capture server, so that nothing\n" +
			"can leave the machine before you say so. Files that exist are never overwritten.",
		Args:        usage(cobra.MaximumNArgs(1)),
		Annotations: codes(exitOK, exitUsage, exitIO),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.dir = args[0]
			}
			return e.runInit(o)
		},
	}
	c.Flags().StringVar(&o.sample, "sample", "newsletter", "which campaign: "+strings.Join(samples(), ", "))
	c.Flags().BoolVar(&o.force, "force", false, "write beside files that are there already; they still stay as they are")
	must(c.RegisterFlagCompletionFunc("sample", cobra.FixedCompletions(samples(), cobra.ShellCompDirectiveNoFileComp)))
	return c
}

func samples() []string {
	dirs, err := templates.FS.ReadDir(".")
	must(err)
	var names []string
	for _, d := range dirs {
		names = append(names, d.Name())
	}
	return names
}

// must panics about what can only be a mistake in this program.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (e *env) runInit(o initOptions) error {
	if !slices.Contains(samples(), o.sample) {
		return failf(exitUsage, "there is no sample %q", o.sample).hinted("one of %s", strings.Join(samples(), ", "))
	}
	files, err := sampleFiles(o.sample)
	if err != nil {
		return err
	}
	if err := o.free(files); err != nil {
		return err
	}
	var made []string
	for _, name := range files {
		b, err := templates.FS.ReadFile(o.sample + "/" + name)
		must(err)
		ok, err := create(filepath.Join(o.dir, filepath.FromSlash(name)), b, 0o600)
		if err != nil {
			return failf(exitIO, "%w", err)
		}
		if ok {
			made = append(made, name)
		}
	}
	state := campaign.StateDir(absolute(o.dir))
	if err := makeState(state); err != nil {
		return err
	}
	e.say("wrote %s in %s\n\nnext:\n", strings.Join(made, ", "), o.dir)
	if there := e.seen(o.dir); there != "." {
		e.say("  cd %s\n", shellWord(there))
	}
	if slices.Contains(files, "seed.sql") {
		e.say("  echo 'DATABASE_URL=postgres://user:password@host/database' > .env; chmod 600 .env\n" +
			"  psql DATABASE -f seed.sql     a table to try it with\n")
	}
	e.say("  mailblast check       is it all right?\n  mailblast send        send it to the built-in capture server\n")
	return nil
}

func sampleFiles(sample string) (files []string, err error) {
	err = fs.WalkDir(templates.FS, sample, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(path, sample+"/"))
		}
		return err
	})
	return files, err
}

// free refuses a folder that has one of the files, unless told to write beside them.
func (o initOptions) free(files []string) error {
	for _, name := range files {
		path := filepath.Join(o.dir, filepath.FromSlash(name))
		if _, err := os.Lstat(path); err == nil && !o.force {
			return failf(exitIO, "%s: exists already", path).hinted("choose another folder, or --force to add only the files that are missing")
		}
	}
	return nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// makeState makes the state directory, with a .gitignore so that nobody's address gets into a repository, and the schema
// that editors check campaign.yaml with.
func makeState(dir string) error {
	_, err := os.Lstat(dir)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return failf(exitIO, "%w", err)
	}
	if fresh { // what is to survive a power cut lies in it
		if err := syncDir(filepath.Dir(dir)); err != nil {
			return failf(exitIO, "%w", err)
		}
	}
	if err := ours(dir); err != nil {
		return err
	}
	for name, text := range map[string][]byte{".gitignore": []byte("*\n"), "schema.json": campaign.Schema()} {
		if _, err := create(filepath.Join(dir, name), text, 0o600); err != nil {
			return failf(exitIO, "%w", err)
		}
	}
	return nil
}

// say prints to standard output unless told to be quiet.
func (e *env) say(format string, args ...any) {
	if !e.quiet {
		if _, err := fmt.Fprintf(e.out, format, args...); err != nil && e.unsaid == nil {
			e.unsaid = err
		}
	}
}
