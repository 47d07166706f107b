package cmd

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// outFile is a file that somebody asked for, while it is written.
type outFile struct {
	file *os.File
	path string // where it goes
	live bool   // it is there already; else it lies beside it until it is whole
}

// writeOut has fill write a file that nobody else can read: it may hold everybody's address. It is whole, or what was there before is
// as it was: half a report looks like one of fewer people. Whoever has the old one open, and could read it, sees nothing of what is
// written now.
func writeOut(path string, fill func(io.Writer) error) error {
	f, err := openOutFile(path)
	if err != nil {
		return err
	}
	if err := fill(f); err != nil {
		return errors.Join(err, f.discard())
	}
	return f.keep()
}

// openOutFile makes the file beside its place. What is no regular file, such as a pipe, is written to itself, and so is one in a
// folder that takes no other.
func openOutFile(path string) (*outFile, error) {
	info, err := os.Stat(path)
	regular := err == nil && info.Mode().IsRegular()
	if regular {
		if to, err := filepath.EvalSymlinks(path); err == nil {
			path = to
		}
	}
	if _, linked := os.Lstat(path); regular || errors.Is(linked, fs.ErrNotExist) {
		f, err := os.OpenFile(filepath.Join(filepath.Dir(path), ".mailblast."+rand.Text()+".new"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil || !regular || !errors.Is(err, fs.ErrPermission) {
			return &outFile{file: f, path: path}, at(path, err)
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil && regular { // it may have other rights
		if err = f.Chmod(0o600); err != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return &outFile{file: f, path: path, live: true}, err
}

func (f *outFile) Write(b []byte) (int, error) {
	n, err := f.file.Write(b)
	return n, at(f.path, err)
}

// keep puts the file into its place.
func (f *outFile) keep() error {
	if f.live {
		return f.file.Close()
	}
	err := f.file.Sync()
	if err == nil {
		err = f.file.Close()
	}
	if err == nil {
		err = os.Rename(f.file.Name(), f.path)
	}
	if err != nil {
		return errors.Join(at(f.path, err), f.discard())
	}
	return syncDir(filepath.Dir(f.path))
}

// discard does away with what was written.
func (f *outFile) discard() error {
	err := f.file.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	if f.live {
		return err
	}
	return errors.Join(err, os.Remove(f.file.Name()))
}

// at names the place of a file in its error: whoever reads it knows of none beside it.
func at(path string, err error) error {
	var link *os.LinkError
	if errors.As(err, &link) {
		return &fs.PathError{Op: link.Op, Path: path, Err: link.Err}
	}
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		return &fs.PathError{Op: file.Op, Path: path, Err: file.Err}
	}
	return err
}

// ofOutFile gives trouble with a file that a flag names its exit code; what went wrong before it knows its own.
func ofOutFile(flag string, err error) error {
	if err == nil || errors.As(err, new(*fault)) {
		return err
	}
	return failf(exitIO, "%s: %w", flag, err)
}
