package cmd

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// create writes a new file and its folders; an existing one stays as it is. However the process or the machine ends, the file
// is there as a whole or not at all: a secret that was cut, or lost with the power, makes strangers of all who have their
// letter.
func create(path string, b []byte, mode os.FileMode) (made bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	if _, err := os.Lstat(path); err == nil {
		return false, nil
	}
	draft := path + "." + rand.Text() + ".new"
	defer func() { _ = os.Remove(draft) }()
	if _, err = write(draft, b, mode); err != nil {
		if at := (*fs.PathError)(nil); errors.As(err, &at) {
			at.Path = path // whoever reads this knows of no draft
		}
		return false, err
	}
	err = os.Link(draft, path)
	switch {
	case errors.Is(err, fs.ErrExist): // another process was quicker
		return false, nil
	case err != nil: // a file system without hard links, such as exFAT
		made, err = write(path, b, mode)
	default:
		made = true
	}
	return made, errors.Join(err, syncDir(filepath.Dir(path)))
}

// write makes a file and brings it to disk. One that is there already stays as it is.
func write(path string, b []byte, mode os.FileMode) (made bool, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return false, errors.Join(err, os.Remove(path)) // half of it is worse than none
	}
	return true, nil
}

// syncDir brings the names in a directory to disk. Some file systems refuse that; they are left to their own ways. A disk that fails
// is not: what hangs on such a name may be gone with the power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = d.Close() }()
	if err = d.Sync(); errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return err
	}
	return nil
}
