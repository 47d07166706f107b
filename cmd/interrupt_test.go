package cmd

import (
	"os"
	"runtime"
	"syscall"
	"testing"
)

// A signal that comes while one stops to listen and another begins is taken by one of them.
func TestSignalIsNotLost(t *testing.T) {
	signals := make(chan os.Signal, 4)
	e := &env{signals: signals}
	for range 2000 {
		ctx, stop := e.interruptible(t.Context())
		runtime.Gosched() // so that somebody listens, mostly
		signals <- syscall.SIGTERM
		stop()
		left := len(signals)
		if _, taken := cause(ctx); taken != (left == 0) {
			t.Fatalf("taken: %v, left: %d", taken, left)
		}
		for range left {
			<-signals
		}
	}
}
