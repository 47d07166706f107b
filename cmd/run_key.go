package cmd

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/delivery/journal"
)

// runKey names the run to carry on: that of --run, else the one that is due.
func (p *pipeline) runKey(ctx context.Context) string {
	if p.o.run != "" {
		return p.o.run
	}
	if p.c.Repeat == "always" && p.store != nil { // one that was cut is continued first
		if last, err := p.store.book.Latest(ctx, p.c.Name); err == nil && last.Finished.IsZero() {
			return last.Key
		}
	}
	return p.dueKey()
}

// dueKey names the run that is due. A campaign sent once has a run without key.
func (p *pipeline) dueKey() string {
	if p.c.Repeat == "never" {
		return ""
	}
	return p.c.RunKey(p.now(), p.letterHash)
}

// knownRun refuses a --run that was never begun and is not due, before anything is written: a mistyped key would be a new run,
// in which everybody gets the letter again.
func (p *pipeline) knownRun(ctx context.Context) error {
	if p.o.run == "" || p.o.run == p.dueKey() {
		return nil
	}
	keys, err := p.begunKeys(ctx)
	if err != nil || slices.Contains(keys, p.o.run) {
		return err
	}
	named := slices.DeleteFunc(keys, func(key string) bool { return key == "" })
	has := "it has none with a key"
	if few := named[:min(len(named), 5)]; len(few) > 0 {
		has = "it has " + strings.Join(few, ", ")
		if n := len(named) - len(few); n > 0 {
			has += fmt.Sprintf(" and %d more", n)
		}
	}
	hint := fmt.Sprintf("the run that is due needs no --run; to send to everyone anew, use: --again=%s", p.c.Name)
	if near := campaign.Nearest(strings.TrimPrefix(p.o.run, p.c.Name+"/"), named); near != "" {
		hint = fmt.Sprintf("did you mean %q? To send to everyone anew, use: --again=%s", near, p.c.Name)
	}
	return failf(exitNoInput, "%s has no run %s: %s. Nothing was sent", p.c.Name, p.o.run, has).hinted("%s", hint)
}

// begunKeys are the keys of the campaign's runs, the latest first. It makes no state.
func (p *pipeline) begunKeys(ctx context.Context) ([]string, error) {
	ok, err := journal.Exists(ctx, stateOf(p.c).options())
	if err != nil {
		return nil, stateFault(err)
	}
	if !ok {
		return nil, nil
	}
	if _, err := os.Lstat(p.c.State); err == nil {
		if err := ours(p.c.State); err != nil {
			return nil, err
		}
	}
	keys, err := journal.Keys(ctx, stateOf(p.c).options(), p.c.Name)
	if err != nil {
		return nil, stateFault(err)
	}
	return keys, nil
}
