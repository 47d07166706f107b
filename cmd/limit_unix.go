//go:build unix

package cmd

import (
	"math"

	"golang.org/x/sys/unix"
)

// openFiles is how many files this process may have open at once, sockets among them, after the Go runtime has raised it as far as it
// may; 0: not known.
func openFiles() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int(min(uint64(l.Cur), math.MaxInt32))
}
