package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ sig os.Signal }

func (i *interrupted) Error() string {
	switch i.sig {
	case syscall.SIGHUP:
		return "the terminal hung up"
	case syscall.SIGTERM:
		return "terminated"
	}
	return "interrupted"
}

// code is 128 and the signal's number, as shells have it.
func (i *interrupted) code() int {
	switch i.sig {
	case syscall.SIGHUP:
		return exitHangUp
	case syscall.SIGTERM:
		return exitTerminated
	}
	return exitInterrupted
}

// grace is how long mail on the wire gets after TERM or hang-up. After Ctrl-C a person decides, by a second one.
const grace = 30 * time.Second

// watch waits for signals until ctx ends. The first calls drain, the second one (or the end of the grace period) cut.
func (e *env) watch(ctx context.Context, drain func(*interrupted), cut context.CancelCauseFunc) {
	var first *interrupted
	var late <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-late:
			cut(first)
			return
		case sig := <-e.signals:
			if first != nil {
				cut(first)
				return
			}
			first = &interrupted{sig}
			drain(first)
			if sig != os.Interrupt {
				t := time.NewTimer(grace)
				defer t.Stop()
				late = t.C
			}
		}
	}
}

// interruptible gives a context that the first signal ends, for commands that have nothing to finish. After stop, signals are
// another's to take; one that was taken before is the context's cause.
func (e *env) interruptible(ctx context.Context) (_ context.Context, stop context.CancelFunc) {
	ctx, cut := context.WithCancelCause(ctx)
	watching, end := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		e.watch(watching, func(i *interrupted) { cut(i) }, cut)
	}()
	return ctx, func() {
		end()
		<-over
		cut(context.Canceled)
	}
}

// cause gives the signal that ended a context, if one did.
func cause(ctx context.Context) (*interrupted, bool) {
	var i *interrupted
	ok := errors.As(context.Cause(ctx), &i)
	return i, ok
}

// stopped replaces the error of something that a signal cut short.
func stopped(ctx context.Context, err error) error {
	var told *fault
	if i, ok := cause(ctx); ok && err != nil && !(errors.As(err, &told) && told.code == i.code()) {
		return &fault{code: i.code(), err: i}
	}
	return err
}

// untouched is stopped for what has changed nothing yet.
func untouched(ctx context.Context, err error) error {
	if i, ok := cause(ctx); ok && err != nil {
		return &fault{code: i.code(), err: fmt.Errorf("%w: nothing was changed", i)}
	}
	return err
}
