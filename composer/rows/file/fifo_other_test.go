//go:build !unix

package file

import "errors"

func fifo(string) error { return errors.ErrUnsupported }
