package alert

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mailblast/mailblast/delivery/panicked"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func news(t *testing.T, d *Dialer) {
	t.Helper()
	select {
	case <-d.News():
	case <-time.After(10 * time.Second):
		t.Fatal("no news")
	}
}

// pair is a connection of a Dialer, and its other end.
func pair(t *testing.T, d *Dialer) (c, peer net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if c, err = d.DialTimeout("tcp", l.Addr().String(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if peer, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	return c, peer
}

// What comes is told of before anybody reads, and is then read whole; so is the end.
func TestNews(t *testing.T) {
	d := NewDialer()
	c, peer := pair(t, d)
	say := func(text string) {
		if _, err := peer.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(want string) {
		t.Helper()
		b := make([]byte, len(want))
		if _, err := io.ReadFull(c, b); err != nil || string(b) != want {
			t.Fatalf("%q, %v", b, err)
		}
	}
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	say("hello")
	hear("hello")
	select {
	case <-d.News():
		t.Error("news of what was waited for")
	default:
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	say("one two")
	news(t, d)
	hear("one")
	hear(" two")
	if err := peer.Close(); err != nil {
		t.Fatal(err)
	}
	news(t, d)
	if n, err := c.Read(make([]byte, 9)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d, %v", n, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// A connection that nobody reads any more can be closed, and nothing of it stays.
func TestCloseUnread(t *testing.T) {
	d := NewDialer()
	c, peer := pair(t, d)
	if err := c.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := peer.Write([]byte("unread")); err != nil {
		t.Fatal(err)
	}
	news(t, d)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// Cut ends the waiting of whoever reads, and what nobody read is no reason to wait for ever.
func TestCut(t *testing.T) {
	d := NewDialer()
	for _, unread := range []bool{false, true} {
		c, peer := pair(t, d)
		if err := c.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if unread {
			if _, err := peer.Write([]byte("unread")); err != nil {
				t.Fatal(err)
			}
			news(t, d)
			time.Sleep(5 * time.Millisecond) // so that it is handed on, mostly
			d.Cut()
			time.Sleep(5 * time.Millisecond)
		} else {
			time.AfterFunc(5*time.Millisecond, d.Cut)
		}
		failed := make(chan error, 1)
		go func() {
			_, err := io.ReadAll(c)
			failed <- err
		}()
		select {
		case err := <-failed:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("unread %v: %v", unread, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("unread %v: the reader waits for ever", unread)
		}
		if len(d.open) != 0 {
			t.Errorf("%d connections are still known", len(d.open))
		}
		select {
		case <-d.News():
		default:
		}
	}
}

// A connection that comes after the end it was to be cut at is not left open.
func TestDialEnded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := NewDialer()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c, err := d.DialContext(ctx, "tcp", l.Addr().String()); err == nil || len(d.open) != 0 {
		t.Errorf("%v, %v, %d open", c, err, len(d.open))
	}
}

// trap is a connection that panics when it is read.
type trap struct{ net.Conn }

func (trap) Read([]byte) (int, error) { panic("on purpose") }

// A panic of reading ahead breaks the connection, and is why.
func TestFaultPanicOfReading(t *testing.T) {
	c, _ := pair(t, NewDialer())
	ahead := c.(*conn)
	ahead.Conn = trap{ahead.Conn}
	if err := c.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.As(err, new(*panicked.Error)) {
		t.Errorf("%v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	t.Attr("fault", "R21 panic while a session of the campaign's lock is read")
	t.Attr("expected", "the session is broken, and is begun anew")
	t.Attr("seen", "an error of its next read")
}
