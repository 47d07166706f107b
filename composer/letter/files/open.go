package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mailblast/mailblast/composer/letter/mime"
)

// Open opens a regular file of the folder root. It looks before it opens, since opening a device may do something, and
// again after, in case the file was changed meanwhile.
func Open(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	info, err := regular(root, name)
	if err != nil {
		return nil, nil, err
	}
	f, err := open(root, name, info)
	return f, info, err
}

func regular(root *os.Root, name string) (fs.FileInfo, error) {
	info, err := root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	return info, err
}

// open opens what was looked at before. It does not wait for the other end of a pipe that came in its place.
func open(root *os.Root, name string, before fs.FileInfo) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	after, err := f.Stat()
	if err == nil && !same(before, after) {
		err = errors.New("it changed while it was opened")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// same tells that a file is the one that was looked at before, and was not written to since.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// checkPath refuses what the folder would refuse as well, in words, and what some systems take for something else.
func checkPath(name string) error {
	if err := mime.CheckValue(name); err != nil {
		return err
	}
	switch {
	case strings.Contains(name, `\`):
		return errors.New(`it holds a \: folders are told apart by /`)
	case name == ".":
		return errors.New("it names no file")
	case !filepath.IsLocal(name):
		return errors.New("it leads out of the campaign's folder")
	}
	return nil
}
