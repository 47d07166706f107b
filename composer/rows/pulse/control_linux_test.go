package pulse

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The system is told to give a host up that acknowledges nothing, and asks one from which nothing comes.
func TestSystemProbes(t *testing.T) {
	c, _, _ := dialled(t, Options{})
	raw, err := c.(*conn).Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[int]int{unix.TCP_USER_TIMEOUT: 40_000, unix.TCP_KEEPIDLE: 20, unix.TCP_KEEPINTVL: 5, unix.TCP_KEEPCNT: 4} {
		var got int
		var optErr error
		if err := raw.Control(func(fd uintptr) { got, optErr = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, name) }); err != nil || optErr != nil || got != want {
			t.Errorf("option %d is %d, want %d; %v, %v", name, got, want, err, optErr)
		}
	}
}
