//go:build !unix

package source

import "io/fs"

// Foreign cannot be told here.
func Foreign(fs.FileInfo) bool { return false }
