//go:build unix

package disk

import (
	"errors"
	"os"
)

// Sync brings the entries of a directory to disk.
func Sync(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
