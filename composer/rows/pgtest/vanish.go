package pgtest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Behind gives another way to the server of a DSN. After vanish it is as if its host had died without a word: the server's sessions are
// over, and whoever has one hears nothing; nor does who comes anew. After back the host knows of none of these, and ends them.
func Behind(t testing.TB, dsn string) (way string, vanish, back func()) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &passage{to: u.Host, ends: map[net.Conn]bool{}}
	w.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed below
			}
			w.work.Go(func() { w.pass(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.mu.Lock()
		for c := range w.ends {
			_ = c.Close()
		}
		w.over = true
		w.mu.Unlock()
		w.work.Wait()
	})
	u.Host = l.Addr().String()
	return u.String(), func() { w.set(true) }, func() { w.set(false) }
}

type passage struct {
	to   string
	work sync.WaitGroup

	mu     sync.Mutex
	silent bool
	over   bool
	ends   map[net.Conn]bool // of all connections; true: the server's
}

func (w *passage) set(silent bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent = silent
	for c, server := range w.ends {
		if server == silent {
			_ = c.Close()
			delete(w.ends, c)
		}
	}
}

// keep remembers an end; false: it has come too late.
func (w *passage) keep(c net.Conn, server bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over || w.silent && server {
		_ = c.Close()
		return false
	}
	w.ends[c] = server
	return true
}

// there tells whether a server's end has not vanished.
func (w *passage) there(server net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ends[server]
}

// pass hands on what comes from either side until one has ended. A client whose server vanished is left in silence.
func (w *passage) pass(client net.Conn) {
	if !w.keep(client, false) {
		return
	}
	server, err := net.Dial("tcp", w.to)
	if err != nil {
		_ = client.Close()
		return
	}
	if !w.keep(server, true) {
		return
	}
	w.work.Go(func() {
		_, _ = io.Copy(server, client) // ends with either
		_ = server.Close()
	})
	_, _ = io.Copy(client, server)
	if w.there(server) {
		_ = client.Close()
	}
}
