package plain

import (
	"time"

	"golang.org/x/sys/unix"
)

// spent is how long the processor has worked for this thread.
func spent() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}
