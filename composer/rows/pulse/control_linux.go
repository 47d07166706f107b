package pulse

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// control bounds how long what was sent may stay unacknowledged. Without it that is a quarter of an hour.
func control(network, _ string, raw syscall.RawConn) (err error) {
	if network == "unix" {
		return nil
	}
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, gone*1000)
	}); e != nil {
		return e
	}
	return err
}
