package cmd

import (
	"context"
	"errors"
	"os"

	"github.com/mailblast/mailblast/delivery/journal/lock"
)

// state looks at where a send would remember.
func (k *checkup) state(context.Context) error {
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
