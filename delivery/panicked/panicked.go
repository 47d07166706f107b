// Package panicked makes an error of a panic, which is a fault of ours: whoever owns a goroutine contains it there, and says what
// it means for the messages in hand.
//
// The value of a panic may hold anything, a row of the list too, so nobody is shown it: only its type, where it was, and the
// words of the Go runtime, which name no values but numbers.
package panicked

import (
	"fmt"
	"runtime"
	"strings"
)

// Error is a panic that was caught.
type Error struct {
	What  string // the runtime's words, or the value's type
	Where string // file:line of who panicked
	Stack string // who called whom, in one line, the innermost first; nothing in it is data
}

func (e *Error) Error() string {
	return fmt.Sprintf("a fault of our own at %s (%s)", e.Where, e.What)
}

// Contained is the error of work that went on after panics.
type Contained struct {
	Times int
	First *Error
}

func (e *Contained) Error() string {
	if e.Times == 1 {
		return e.First.Error()
	}
	return fmt.Sprintf("%d faults of our own, the first at %s (%s)", e.Times, e.First.Where, e.First.What)
}

func (e *Contained) Unwrap() error { return e.First }

// Contain, when it is deferred, has a function that panics return an *Error by err instead. An *Error that was panicked with anew, on
// the goroutine that waits for the one it is of, stays itself.
func Contain(err *error) {
	if v := recover(); v != nil {
		p, again := v.(*Error)
		if !again {
			p = caught(v)
		}
		*err = p
	}
}

const (
	depth = 16 // callers that are kept
	own   = "github.com/mailblast/mailblast/"
)

// caught looks at the stack below Contain, down to who panicked.
func caught(v any) *Error {
	e := &Error{What: fmt.Sprintf("panic: %T", v), Where: "an unknown place"}
	if r, ok := v.(runtime.Error); ok {
		e.What = r.Error()
	}
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var calls []string
	for more := true; more && len(calls) < depth; {
		var f runtime.Frame
		f, more = frames.Next()
		if f.Function == "" || strings.HasPrefix(f.Function, "runtime.") {
			continue
		}
		place := fmt.Sprintf("%s:%d", f.File[strings.LastIndexByte(f.File, '/')+1:], f.Line)
		if len(calls) == 0 {
			e.Where = place
		}
		calls = append(calls, strings.TrimPrefix(f.Function, own)+" "+place)
	}
	e.Stack = strings.Join(calls, " < ")
	return e
}
