package lock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// common is the file that every holder shares, and that who wants to be alone has to himself. No run's file is called so.
const common = "_all"

// Alone takes a state directory as a whole: no run of any campaign is under way and nobody has a Share of it, nor will until it is
// released. It does not wait; the error is *HeldError when somebody is at it.
func Alone(ctx context.Context, dir string, me Holder) (*Held, error) {
	f, err := openLock(dir, filepath.Join(dir, "locks", common+".lock"))
	if err != nil {
		return nil, err
	}
	if err := patiently(ctx, f, true); err != nil {
		if !errors.Is(err, errHeld) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
		}
		h, held, other := Any(dir)
		switch {
		case other != nil || held:
		case errors.Is(flock(f, false), errHeld):
			h, _ = readHolder(f) // another that is alone
		default:
			h.Doing = "written to" // sharers write no names
		}
		return nil, errors.Join(&HeldError{h}, other, f.Close())
	}
	text, err := json.Marshal(me)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(text, '\n'), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return &Held{file: f}, nil
}

// Any tells who carries any run of a state directory on, without taking part.
func Any(dir string) (Holder, bool, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "locks"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Holder{}, false, fmt.Errorf("lock: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".lock")
		if !ok || name == common {
			continue
		}
		if h, held, err := peek(filepath.Join(dir, "locks", e.Name())); held || err != nil {
			return h, held, err
		}
	}
	return Holder{}, false, nil
}

// Used tells whether the lock of any run was ever taken in a state directory: its file stays.
func Used(dir string) (bool, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "locks"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("lock: %w", err)
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".lock"); ok && name != common {
			return true, nil
		}
	}
	return false, nil
}
