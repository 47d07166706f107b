package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/mailblast/mailblast/delivery/journal/mark"
)

// errReplaced says that a repair, or a person, put another file into the place of the journal while it was opened.
var errReplaced = errors.New("it was replaced while it was being opened")

// identify notes which file is about to be opened, where it was not there to be examined.
func (s *Store) identify() (err error) {
	if s.first != nil && s.first.Size() > 1 {
		return nil
	}
	if s.first, err = os.Stat(s.file); errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: %w", Name, errReplaced)
	}
	return err
}

// same makes sure that the file which was opened is the one that is there still: what is next to it is of that one. With err, it tells
// whether this is why.
func (s *Store) same(err error) error {
	if s.first == nil || err != nil && errors.Is(err, errReplaced) {
		return err
	}
	now, gone := os.Stat(s.file)
	if errors.Is(err, mark.ErrOther) || gone != nil || !os.SameFile(now, s.first) {
		return errors.Join(fmt.Errorf("%s: %w", Name, errReplaced), err)
	}
	return err
}
