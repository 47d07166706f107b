package pulse

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dialled is a connection as pq has it after the log-in, its other end, and who listens there.
func dialled(t *testing.T, o Options) (c, peer net.Conn, l net.Listener) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if c, err = NewDialer(o).DialTimeout("tcp", l.Addr().String(), time.Minute); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if peer, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	if err := c.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	return c, peer, l
}

// answers has who listens treat each new connection.
func answers(l net.Listener, f func(nth int, c net.Conn)) {
	go func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			f(n, c)
		}
	}()
}

func say(n int, c net.Conn) {
	b := make([]byte, 8)
	if _, err := c.Read(b); err == nil && string(b) == "\x00\x00\x00\x08\x04\xd2\x16\x2f" {
		_, _ = c.Write([]byte{'N'})
	}
	_ = c.Close()
}

var often = Options{Quiet: 20 * time.Millisecond, Answer: 200 * time.Millisecond}

// Whoever answers in whatever way is there, and what it says late is read; so is what comes where nobody ever answered such a question.
func TestLate(t *testing.T) {
	for name, treat := range map[string]func(net.Listener){
		"answers":        func(l net.Listener) { answers(l, say) },
		"closes":         func(l net.Listener) { answers(l, func(_ int, c net.Conn) { _ = c.Close() }) },
		"refuses":        func(l net.Listener) { _ = l.Close() },
		"never answered": func(net.Listener) {}, // the system takes the connection, and nobody reads from it
		"seldom answers": func(l net.Listener) {
			answers(l, func(n int, c net.Conn) {
				if n%misses == 0 {
					say(n, c)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, peer, l := dialled(t, often)
			treat(l)
			time.AfterFunc(20*often.Quiet, func() { _, _ = peer.Write([]byte("late")) })
			b := make([]byte, 9)
			if n, err := c.Read(b); err != nil || string(b[:n]) != "late" {
				t.Errorf("%q, %v", b[:n], err)
			}
		})
	}
}

// Who answered once and does not any more is gone; and so is who says nothing for longer than it takes for anything.
func TestGone(t *testing.T) {
	c, _, l := dialled(t, often)
	answers(l, func(n int, c net.Conn) {
		if n == 0 {
			say(n, c)
		} else {
			t.Cleanup(func() { _ = c.Close() })
		}
	})
	fails(t, c, "nothing came for")
	c, _, l = dialled(t, Options{Quiet: often.Quiet, Answer: time.Minute, Most: 5 * often.Quiet})
	answers(l, say)
	fails(t, c, "nothing came for")
}

func fails(t *testing.T, c net.Conn, why string) {
	t.Helper()
	begun := time.Now()
	_, err := c.Read(make([]byte, 9))
	var op *net.OpError // by which pq knows that the connection is of no use any more
	if !errors.As(err, &op) || !strings.Contains(err.Error(), why) || time.Since(begun) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	if _, err := c.Read(make([]byte, 9)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read again: %v", err)
	}
}

// Cut ends the waiting, also that for an answer.
func TestCut(t *testing.T) {
	for _, wait := range []time.Duration{time.Millisecond, 10 * often.Quiet} {
		c, _, _ := dialled(t, Options{Quiet: often.Quiet, Answer: time.Minute})
		time.AfterFunc(wait, c.(*conn).d.Cut)
		begun := time.Now()
		if _, err := c.Read(make([]byte, 9)); !errors.Is(err, net.ErrClosed) || time.Since(begun) > 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	}
}
