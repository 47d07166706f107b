//go:build !linux

package plain

import "time"

var start = time.Now()

// spent is the time of day where that of a thread cannot be had.
func spent() time.Duration { return time.Since(start) }
