package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery"
)

// outMark tells a folder of ours, whose letters may be replaced.
const outMark = ".mailblast-preview"

// ownName is what letterName makes.
var ownName = regexp.MustCompile(`^[0-9]{5,}-[A-Za-z0-9._@+=-]{1,80}\.eml$`)

// letterName gives a letter's file: its row, which makes it the only one, and who it goes to. What is more than a letter
// or digit to some file system becomes _.
func letterName(number int, to string) string {
	safe := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune(".@+=-", r)) {
			return r
		}
		return '_'
	}, to)
	return fmt.Sprintf("%05d-%s.eml", number, safe[:min(len(safe), 80)])
}

// openOut opens a folder for letters: a new or empty one, or one of ours, from which the letters of an earlier run go.
func openOut(dir string) (root *os.Root, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, failf(exitIO, "--out: %w", err)
	}
	if root, err = os.OpenRoot(dir); err != nil {
		return nil, failf(exitIO, "--out: %w", err)
	}
	_, err = root.Lstat(outMark)
	ours := err == nil
	err = entries(root, func(name string) error {
		if ours && (strings.HasPrefix(name, ".") || ownName.MatchString(name)) {
			return nil
		}
		return failf(exitIO, "--out %s: it holds %s, which preview did not write", dir, screen.Printable(name)).hinted("choose a new or empty folder")
	})
	if err == nil && ours {
		err = removeLetters(root)
	} else if err == nil {
		err = root.WriteFile(outMark, []byte("The letters in this folder are replaced by the next: mailblast preview --out\n"), 0o600)
	}
	if err != nil {
		return nil, errors.Join(outFault(dir, err), root.Close())
	}
	return root, nil
}

// removeLetters removes what an earlier run wrote. It looks again until there is nothing left: some file systems leave out
// entries of a folder that is being emptied.
func removeLetters(root *os.Root) error {
	for removed := true; removed; {
		removed = false
		err := entries(root, func(name string) error {
			if !ownName.MatchString(name) {
				return nil
			}
			removed = true
			return root.Remove(name)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// outFault gives trouble with the folder its exit code.
func outFault(dir string, err error) error {
	if errors.As(err, new(*fault)) || errors.As(err, new(*delivery.Unfit)) {
		return err
	}
	return failf(exitIO, "--out %s: %w", dir, err)
}

// entries calls f with the name of every file in a folder, some at a time.
func entries(root *os.Root, f func(name string) error) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	for {
		list, err := d.ReadDir(1024)
		for _, entry := range list {
			if err := f(entry.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
