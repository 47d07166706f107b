package repair

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailblast/mailblast/delivery/journal/disk"
	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/register"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
	"github.com/mailblast/mailblast/delivery/journal/store"
)

// where is the file beside the new journal that says where the damaged one goes.
const where = "aside"

// old are the files that are put aside; fresh those that take their place, the journal itself last.
var (
	old   = []string{store.Name, store.Name + "-wal", store.Name + "-shm", store.Name + "-journal", mark.Name, register.Name}
	fresh = []string{mark.Name, register.Name, store.Name}
)

// nameAside says where the damaged files will be.
func nameAside(dir string, now time.Time) error {
	top := filepath.Dir(dir)
	name := "journal.damaged-" + now.Format("20060102-150405")
	for n := 2; ; n++ {
		_, err := os.Lstat(filepath.Join(top, name))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		name = "journal.damaged-" + now.Format("20060102-150405") + "-" + strconv.Itoa(n)
	}
	f, err := disk.Private(filepath.Join(dir, where))
	if err != nil {
		return err
	}
	_, err = f.WriteString(name + "\n")
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), disk.Sync(dir))
}

// Resume goes on with a repair that was cut short after it had the new journal; halfway tells that there was one. Nobody else
// may be at the directory.
func Resume(at salvage.Place) (aside string, halfway bool, err error) {
	dir := at.Dir
	if at.Server != "" { // there it is done at once, or not at all
		return "", false, nil
	}
	if halfway, err = store.Halfway(dir); err == nil && halfway {
		aside, err = finish(dir, func(string) error { return nil })
	}
	if err != nil {
		return "", halfway, fmt.Errorf("repair: %w", err)
	}
	return aside, halfway, nil
}

// finish puts the damaged files aside and the new ones in their place, as far as that is not done, and gives the directory of
// the damaged ones. When these are not still what they were, once they are there, they are put back.
func finish(dir string, still func(aside string) error) (aside string, err error) {
	repaired, ready := filepath.Join(dir, store.Repaired), filepath.Join(dir, store.Ready)
	switch _, err := os.Lstat(ready); {
	case errors.Is(err, fs.ErrNotExist):
		if aside, err = putAside(dir, repaired); err != nil {
			return "", err
		}
		if err := still(aside); err != nil {
			return "", errors.Join(err, putBack(dir, aside, repaired))
		}
		if err := errors.Join(os.Rename(repaired, ready), disk.Sync(dir)); err != nil {
			return "", err
		}
	case err != nil:
		return "", err
	default:
		if aside, err = asideOf(dir, ready); err != nil {
			return "", err
		}
	}
	for _, name := range fresh {
		if err := move(ready, dir, name); err != nil {
			return "", err
		}
	}
	if err := errors.Join(disk.Sync(ready), disk.Sync(dir), os.RemoveAll(ready), disk.Sync(dir)); err != nil {
		return "", err
	}
	return aside, nil
}

func putAside(dir, repaired string) (aside string, err error) {
	if err := disk.Sync(dir); err != nil {
		return "", err
	}
	if aside, err = asideOf(dir, repaired); err != nil {
		return "", err
	}
	if err := os.Mkdir(aside, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	for _, name := range old {
		if err := move(dir, aside, name); err != nil {
			return "", err
		}
	}
	return aside, errors.Join(disk.Sync(aside), disk.Sync(dir))
}

// putBack undoes putAside, and does away with the new journal. Until the old one is whole again the new one keeps it refused.
func putBack(dir, aside, repaired string) error {
	for _, name := range slices.Backward(old) {
		if err := move(aside, dir, name); err != nil {
			return err
		}
	}
	return errors.Join(disk.Sync(dir), os.Remove(aside), os.RemoveAll(repaired), disk.Sync(dir))
}

// asideOf reads where the damaged files go. Once all else is moved a cut removal may have left nothing to read.
func asideOf(dir, from string) (string, error) {
	text, err := os.ReadFile(filepath.Join(from, where))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	name := strings.TrimSpace(string(text))
	if err == nil && (name == "" || name != filepath.Base(name)) {
		err = fmt.Errorf("%s: %q is no name", filepath.Join(from, where), name)
	}
	return filepath.Join(dir, name), err
}

// move moves a file that is there.
func move(from, to, name string) error {
	err := os.Rename(filepath.Join(from, name), filepath.Join(to, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
