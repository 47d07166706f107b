//go:build unix

package source

import (
	"io/fs"
	"os"
	"syscall"
)

// Foreign tells that somebody else could have written a file that we did not ask for by name: a mailblast.yaml in a
// folder above may name a command to run.
func Foreign(info fs.FileInfo) bool {
	if info.Mode().Perm()&0o002 != 0 {
		return true
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) != os.Getuid() && st.Uid != 0
}
