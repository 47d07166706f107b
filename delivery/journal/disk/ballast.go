package disk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const ballast, probe = "journal.ballast", "journal.probe"

// Ballast makes sure that a directory has a file that takes at least size octets of room: what is in it cannot be
// compressed, and is on disk. The error is ENOSPC or EDQUOT when there is no room for it, and it takes none then.
func Ballast(dir string, size int64) (err error) {
	f, err := Private(filepath.Join(dir, ballast))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || end >= size {
		return err
	}
	if _, err = io.CopyN(f, rand.Reader, size-end); err == nil {
		err = f.Sync()
	}
	if err == nil {
		return Sync(dir)
	}
	err = fmt.Errorf("%s: %w", ballast, err)
	return errors.Join(err, DropBallast(dir))
}

// DropBallast gives its room back. There being none is no error: another process may have needed it.
func DropBallast(dir string) error {
	if err := os.Remove(filepath.Join(dir, ballast)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Probe asks whether there is room in a directory for as much as a commit may take. A nil error says that there was.
func Probe(dir string) (err error) {
	const some = 64 << 10
	f, err := Private(filepath.Join(dir, probe))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	_, err = io.CopyN(f, rand.Reader, some) // what no file system can compress
	return err
}
