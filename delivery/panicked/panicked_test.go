package panicked

import (
	"errors"
	"strings"
	"testing"
)

func contained(f func()) (err error) {
	defer Contain(&err)
	f()
	return nil
}

// Of a panic's value nothing is said but its type: it may be a row of the list.
func TestErrorTellsNoData(t *testing.T) {
	const secret = "ana@private.example"
	for name, c := range map[string]struct {
		f    func()
		what string
	}{
		"string":  {func() { panic("cannot write to " + secret) }, "panic: string"},
		"error":   {func() { panic(errors.New(secret)) }, "panic: *errors.errorString"},
		"runtime": {func() { _ = []string{secret}[len(secret)] }, "index out of range [19] with length 1"},
		"map":     {func() { var m map[string]int; m[secret] = 1 }, "assignment to entry in nil map"},
	} {
		err := contained(c.f)
		var p *Error
		if !errors.As(err, &p) {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.Contains(p.What, c.what) || !strings.HasPrefix(p.Where, "panicked_test.go:") {
			t.Errorf("%s: %+v", name, p)
		}
		if !strings.HasPrefix(p.Stack, "delivery/panicked.TestErrorTellsNoData.func") || !strings.Contains(p.Stack, " < delivery/panicked.contained ") {
			t.Errorf("%s: stack %s", name, p.Stack)
		}
		if strings.Contains(p.Stack+p.Error(), secret) {
			t.Errorf("%s tells of a person: %v, %s", name, p, p.Stack)
		}
	}
	if err := contained(func() {}); err != nil {
		t.Error(err)
	}
}
