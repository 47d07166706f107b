package cmd

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// watchPeak notes the most memory the process has resident until it has ended, where /proc tells. What wait4 says of it
// is no use: a child counts with the memory of the test that started it until it becomes the program.
func (r *child) watchPeak() {
	path := fmt.Sprintf("/proc/%d/status", r.Process.Pid)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err := os.ReadFile(path)
		if err != nil {
			return
		}
		var kib int64
		if _, line, ok := bytes.Cut(b, []byte("VmHWM:")); ok {
			if _, err := fmt.Sscan(string(line), &kib); err == nil {
				r.peakKiB.Store(kib)
			}
		}
		select {
		case <-r.done:
			return
		case <-tick.C:
		}
	}
}

// peak is the most memory the process had resident, in MiB; 0 where that is not known.
func (r *child) peak() float64 { return float64(r.peakKiB.Load()) / 1024 }
