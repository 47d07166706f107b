package cmd

import (
	"context"
	"errors"
	"os"

	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/lock"
)

// state looks at where a send would remember.
func (k *checkup) state(ctx context.Context) error {
	if at := stateOf(k.c); at.shared() {
		return k.sharedState(ctx, at)
	}
	if _, _, err := secret(k.c, true); err != nil {
		if err := k.found(err); err != nil {
			return err
		}
	}
	switch info, err := os.Stat(k.c.State); {
	case errors.Is(err, os.ErrNotExist):
		k.ok("state: %s (made by the first send)", k.c.State)
	case err != nil:
		return k.found(failf(exitIO, "state: %w", err))
	case !info.IsDir():
		return k.found(failf(exitIO, "state: %s is not a directory", k.c.State))
	default:
		if err := ours(k.c.State); err != nil {
			return k.found(err)
		}
		k.ok("state: %s", k.c.State)
		if kind := lock.Network(k.c.State); kind != "" {
			k.warn("state: %s", farAway(k.c.State, kind))
		}
	}
	return nil
}

// sharedState looks at a journal on a server.
func (k *checkup) sharedState(ctx context.Context, at stateAt) error {
	switch is, err := journal.Exists(ctx, at.options()); {
	case err != nil:
		return k.found(stateFault(err))
	case !is:
		k.ok("state: %s (made by the first send)", at)
		return nil
	}
	book, err := journal.Look(ctx, at.options())
	if err == nil {
		err = book.Close()
	}
	if err != nil {
		return k.found(stateFault(err))
	}
	k.ok("state: %s", at)
	return nil
}
