//go:build !unix

package letter_test

import "errors"

func mkfifo(string) error { return errors.ErrUnsupported }
