package smtpwire

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// Whatever a server goes on to say, it costs the memory of one reply.
func TestFaultMemory(t *testing.T) {
	const most = 256 << 10
	t.Attr("fault", "S15 memory for what a server says without end")
	t.Attr("expected", fmt.Sprintf("at most %d KiB a reply", most>>10))
	worst := uint64(0)
	for name, in := range map[string]io.Reader{
		"line of 1 MiB":      again("250-", "x", 1<<20),
		"line of 100 MiB":    again("250-", "x", 100<<20),
		"5000 lines":         again("", "250-a\r\n", 5000),
		"a million lines":    again("", "250-a\r\n", 1_000_000),
		"long lines":         again("", "250-"+strings.Repeat("x", 4000)+"\r\n", 100_000),
		"lines that are cut": again("", "250-"+strings.Repeat("x", 9000)+"\r\n", 100_000),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := NewReader(in)
		for range 10 {
			_, _ = r.Read()
		}
		runtime.ReadMemStats(&after)
		each := (after.TotalAlloc - before.TotalAlloc) / 10
		if worst = max(worst, each); each > most {
			t.Errorf("%s: %d KiB a reply", name, each>>10)
		}
	}
	t.Attr("seen", fmt.Sprintf("%d KiB at most", worst>>10))
}

// repeated gives one text over and over, without holding it all.
type repeated struct {
	text string
	left int
	rest string
}

func again(head, text string, n int) io.Reader { return &repeated{text, n, head} }

func (r *repeated) Read(b []byte) (n int, err error) {
	for n < len(b) {
		if r.rest == "" {
			if r.left == 0 {
				break
			}
			r.left--
			r.rest = r.text
		}
		k := copy(b[n:], r.rest)
		r.rest = r.rest[k:]
		n += k
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
