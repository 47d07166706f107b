package cmd

import (
	"errors"
	"fmt"
	"io"
	"syscall"
)

// listener is standard output of a command that goes on when its reader has gone, as `| head` does. That is said once, and makes no
// difference to the exit code; a file that takes no more is another matter.
type listener struct {
	w    io.Writer
	gone func(error) // is told of it
	left bool
}

// listen puts a listener in the place of standard output.
func (e *env) listen() {
	e.out = &listener{w: e.out, gone: func(err error) {
		fmt.Fprintf(e.err, "mailblast: %s: nobody reads what is printed; sending goes on\n", err)
	}}
}

// Write is called by one goroutine at a time, the events' lock seeing to that while there are several.
func (l *listener) Write(b []byte) (int, error) {
	if l.left {
		return len(b), nil
	}
	n, err := l.w.Write(b)
	if !errors.Is(err, syscall.EPIPE) {
		return n, err
	}
	l.left = true
	l.gone(err)
	return len(b), nil
}
