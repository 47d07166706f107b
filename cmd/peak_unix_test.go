//go:build unix

package cmd

import (
	"runtime"
	"syscall"
)

// peak is the most memory that a process which has ended had resident, in MiB.
func (r *child) peak() float64 {
	size := float64(r.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	if runtime.GOOS == "darwin" { // octets there, KiB elsewhere
		size /= 1024
	}
	return size / 1024
}
