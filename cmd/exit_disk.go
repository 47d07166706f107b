package cmd

import (
	"errors"
	"io/fs"
	"syscall"
)

// onDisk are faults of the place that is written to, and what to do about each. The first that fits is told.
var onDisk = []struct {
	is   error
	hint string
}{
	{syscall.EDQUOT, "your quota is used up (quota -s shows it): make room, then run the same command again"},
	{syscall.ENOSPC, "make room on that disk (df -h shows how much it has, df -i how many files), then run the same command again"},
	{syscall.EROFS, "that disk is mounted read-only (mount shows it): mount it writable, or take another place"},
	{syscall.EFBIG, "no file there may be that large: look at ulimit -f and at the kind of file system"},
	{syscall.ENAMETOOLONG, "take a shorter name"},
	{syscall.ENOTDIR, "a part of that path is a file: take another place"},
	{syscall.EISDIR, "that is a folder: name a file"},
	{syscall.EMFILE, "too many files are open at once: raise ulimit -n"},
	{syscall.ENFILE, "too many files are open on this machine"},
	{syscall.ESTALE, "the network disk has gone: mount it anew, then run the same command again"},
	{syscall.ENXIO, "the disk has gone: look at it (dmesg tells more), then run the same command again"},
	{syscall.EIO, "look at the disk (dmesg tells more, df -h how much room it has); once it is good, run the same command again"},
	{fs.ErrPermission, "look at who may write there: ls -ld"},
}

// diskFault finds a fault of the disk in an error of any room; nil: there is none.
func diskFault(err error) *fault {
	for _, d := range onDisk {
		if errors.Is(err, d.is) {
			return &fault{code: exitIO, err: err, hint: d.hint}
		}
	}
	return nil
}

// onDiskToo gives a fault that says nothing of what to do the hint of what the disk said.
func onDiskToo(f *fault) *fault {
	if f.code != exitIO || f.hint != "" || f.err == nil {
		return f
	}
	if d := diskFault(f.err); d != nil {
		f = &fault{code: f.code, err: f.err, hint: d.hint, said: f.said, summed: f.summed}
	}
	return f
}
