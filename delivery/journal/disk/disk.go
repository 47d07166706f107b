// Package disk is what the files beside the journal ask of a file system:
//
//  1. Sync makes a file that was made, renamed or removed in a directory stay so through a power cut;
//  2. Private makes a file that only its owner can read, whatever the umask says;
//  3. Ballast takes room that is given back when the disk is full, so that what is on the wire can still be recorded;
//  4. Probe finds out whether there is room at all;
//  5. Copy takes files to where there is.
package disk

import (
	"errors"
	"os"
)

// Private opens a file for reading and writing, and makes it if it is missing, with mode 0600 in any case.
func Private(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
