package file

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// Finding the charset reads all of a text, so it ends when it is told to.
func TestCharsetEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte("email\na@example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(Source{Path: path, Max: 1 << 20, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.charset(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// Standard input that goes on after the end reaches no file any more.
func TestStdinLeftBehind(t *testing.T) {
	in, out := io.Pipe()
	f, err := Open(Source{In: in, Dir: t.TempDir(), Max: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begun := make(chan struct{})
	go func() { // the copy may be in its read already, or never begin it
		defer close(begun)
		_, _ = out.Write([]byte("email\n"))
	}()
	if _, err := f.begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	<-begun
}

// A file that came in the place of the one that was looked at is not read.
func TestOpenSame(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv")
	for _, name := range []string{path, other} {
		if err := os.WriteFile(name, []byte("email\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := openSame(path, before)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	var e *Error
	if _, err := openSame(other, before); !errors.As(err, &e) || e.Kind != Changed {
		t.Errorf("another file: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := fifo(path); errors.Is(err, errors.ErrUnsupported) {
		return
	} else if err != nil {
		t.Fatal(err)
	}
	if _, err := openSame(path, before); !errors.As(err, &e) || e.Kind != Changed {
		t.Errorf("a pipe: %v", err)
	}
}
