package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mailblast/mailblast/delivery/journal/disk"
	"github.com/mailblast/mailblast/delivery/journal/mark"
)

// Names of the directory in which a repair has the new journal: finished, with the old one still to be put aside; and with
// nothing left but to move it to its place.
const (
	Repaired = "journal.repaired"
	Ready    = "journal.ready"
)

// Halfway tells that a repair was cut short after it had the new journal.
func Halfway(dir string) (bool, error) {
	for _, name := range []string{Repaired, Ready} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return err == nil, err
		}
	}
	return false, nil
}

func private(path string) (*os.File, error) { return disk.Private(path) }

// aside moves what is left of a journal that is gone into a directory of its own, so that nothing is taken for a part of
// the new one. SQLite would throw a write-ahead log without its file away.
func aside(dir string) error {
	to := filepath.Join(dir, "journal.damaged-"+time.Now().Format("20060102-150405"))
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, name := range []string{Name, Name + "-wal", Name + "-shm", mark.Name} {
		err := os.Rename(filepath.Join(dir, name), filepath.Join(to, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.Join(disk.Sync(to), disk.Sync(dir))
}
