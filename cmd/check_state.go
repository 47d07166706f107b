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
		if err := k.journal(ctx, stateOf(k.c)); err != nil {
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
	if err := k.journal(ctx, at); err != nil {
		return k.found(err)
	}
	k.ok("state: %s", at)
	return nil
}

// journal looks at the journal as the start of a send does, and is the error that this would end with. Where there is none, none is
// made.
func (k *checkup) journal(ctx context.Context, at stateAt) (err error) {
	if is, err := journal.Exists(ctx, at.options()); err != nil {
		return stateFault(err)
	} else if !is {
		return nil
	}
	book, err := journal.Look(ctx, at.options())
	if err != nil {
		return stateFault(err)
	}
	defer func() { err = errors.Join(err, stateFaultOrNil(book.Close())) }()
	s := journal.Spec{Campaign: k.c.Name}
	last, err := book.Latest(ctx, k.c.Name)
	if k.letter == nil || err == nil && k.c.Repeat == "always" && last.Finished.IsZero() { // one that was cut is continued first
		s.Key = last.Key
	} else {
		s.Key = k.runKey()
	}
	if err := book.Verify(ctx, s); err != nil {
		return stateFault(err)
	}
	return nil
}
