package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Copy copies files of one directory into another, as they are at one moment: what changes meanwhile is copied again, a few times.
// One that is missing is left out. They are not synced.
func Copy(from, to string, names ...string) error {
	for try := 0; ; try++ {
		before, err := look(from, names)
		for _, name := range names {
			err = errors.Join(err, clone(from, to, name))
		}
		after, again := look(from, names)
		if err = errors.Join(err, again); err != nil || before == after {
			return err
		}
		if try == 9 {
			return fmt.Errorf("%s: it changes while it is copied", from)
		}
	}
}

// look tells how large files are and when they were changed.
func look(dir string, names []string) (seen string, err error) {
	for _, name := range names {
		info, err := os.Stat(filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			seen += "-;"
		case err != nil:
			return "", err
		default:
			seen += fmt.Sprintf("%d %d;", info.Size(), info.ModTime().UnixNano())
		}
	}
	return seen, nil
}

func clone(from, to, name string) (err error) {
	in, err := os.Open(filepath.Join(from, name))
	if errors.Is(err, fs.ErrNotExist) {
		err = os.Remove(filepath.Join(to, name)) // of an earlier try
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	}
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := Private(filepath.Join(to, name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := out.Truncate(0); err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}
