//go:build !unix

package campaign

import "io/fs"

// foreign cannot be told here.
func foreign(fs.FileInfo) bool { return false }
