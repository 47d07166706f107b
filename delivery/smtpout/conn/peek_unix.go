//go:build unix

package conn

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stirred tells, without waiting, that the peer has sent something or closed. It looks at TCP sockets only and takes
// nothing from them.
func stirred(nc net.Conn) bool {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	if err = nc.SetReadDeadline(time.Time{}); err != nil {
		return true
	}
	stirs := false
	err = rc.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, e := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		stirs = e != unix.EAGAIN && e != unix.EINTR
		return true
	})
	return stirs || err != nil
}
