package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/report"
)

// goOn is the command that goes on with a run of the state in dir. Where the campaign's file is not known for certain, the command has FILE in
// its place, which sends nothing, and about says so: another campaign's people must not get mail by it.
func (e *env) goOn(dir, name, key string) (send, about string) {
	words := []string{"send"}
	switch path := e.fileOf(dir, name); path {
	case defaultFile:
	case "":
		words, about = append(words, "FILE"), fmt.Sprintf("FILE is the file of the campaign %s, which was not found here", name)
	default:
		words = append(words, path)
	}
	if key != "" {
		words = append(words, "--run", key)
	}
	return e.typed(words...), about
}

// mostFiles is how many files are read in search of a campaign's.
const mostFiles = 100

// fileOf finds the file of a campaign, here or beside its state; empty: none, or which of them is not certain. A file that keeps
// its state elsewhere has another run of that name.
func (e *env) fileOf(dir, name string) string {
	is := func(path string) bool {
		c, err := campaign.Load(path, campaign.Options{Env: e.lookup, EnvFile: e.envFile})
		return err == nil && c.Name == name && (e.stateIn != "" || c.State == dir)
	}
	if is(defaultFile) {
		return defaultFile
	}
	var files []string
	here := absolute(".")
	for _, folder := range []string{here, filepath.Dir(dir)} {
		found, _ := os.ReadDir(folder) // what cannot be read is not found
		for _, f := range found {
			if slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(f.Name())) {
				files = append(files, filepath.Join(folder, f.Name()))
			}
		}
	}
	slices.Sort(files)
	files = slices.Compact(files)
	if len(files) > mostFiles {
		return ""
	}
	files = slices.DeleteFunc(files, func(path string) bool { return !is(path) })
	if len(files) != 1 {
		return ""
	}
	if rel, err := filepath.Rel(here, files[0]); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return files[0]
}

// unended is what to do about a run that purge leaves alone because it is not at its end.
func (e *env) unended(dir string, run journal.RunInfo, pending int) string {
	send, _ := e.goOn(dir, run.Campaign, run.Key)
	if pending == 0 { // nobody but those who are unknown
		send += " --retry unknown"
	}
	return fmt.Sprintf("go on with it first: %s; or purge it by its name: %s", send, e.typed("purge", run.Name()))
}

// reading is the form of the report of an earlier run on standard output.
func (e *env) reading(dir string, info journal.RunInfo) report.TextOptions {
	send, about := e.goOn(dir, info.Campaign, info.Key)
	return report.TextOptions{Send: send, About: about, Report: e.typed("report")}
}

// insteadOfRun is for a file or a folder that was given in place of a run: the error that nothing is known of it says then how that
// campaign's run is called.
func (e *env) insteadOfRun(ctx context.Context, at stateAt, args []string, err error) error {
	var missing *fault
	if len(args) == 0 || !errors.As(err, &missing) || missing.code != exitNoInput {
		return err
	}
	info, gone := os.Stat(args[0])
	if args[0] == "" || gone != nil {
		return err
	}
	kind := "file"
	if info.IsDir() {
		kind = "folder"
	}
	if ok, look := journal.Exists(ctx, at.options()); e.stateIn != "" && (look != nil || !ok) {
		return err // the state that was named
	}
	f := failf(exitNoInput, "%s: it is a %s, not the name of a run", args[0], kind)
	c, unread := campaign.Load(e.given(args), campaign.Options{Env: e.lookup, EnvFile: e.envFile})
	switch {
	case unread != nil:
		return f.hinted("a run is called as its campaign is, or CAMPAIGN/KEY; the latest one: %s", e.typed("status"))
	case e.stateIn == "" && stateOf(c) != at:
		if ok, err := journal.Exists(ctx, stateOf(c).options()); err != nil || !ok {
			return f.hinted("nothing was sent yet of its campaign, %s; rehearsals are not remembered", c.Name)
		}
	}
	if stateOf(c).shared() && e.stateIn == "" {
		return f.hinted("its campaign is %s, and the journal is on a server, which the campaign in this folder names", c.Name)
	}
	e.state = c.State
	return f.hinted("its campaign is %s: %s", c.Name, e.onState(append(e.verb, c.Name)...))
}
