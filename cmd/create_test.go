package cmd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Of many that create a file at once one makes it, and all find the same whole file; nothing is left beside it.
func TestCreateIsWholeOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "secret")
	var made atomic.Int64
	var g sync.WaitGroup
	for i := range 20 {
		g.Go(func() {
			ok, err := create(path, []byte(strings.Repeat(string(rune('a'+i)), 1000)), 0o600)
			if err != nil {
				t.Error(err)
			}
			if ok {
				made.Add(1)
			}
			if b, err := os.ReadFile(path); err != nil || len(b) != 1000 || strings.Trim(string(b), string(b[0])) != "" {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
	g.Wait()
	if made.Load() != 1 {
		t.Errorf("%d have made it", made.Load())
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

// What cannot be written is told by the name that a person knows.
func TestCreateTellsOfTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("x", 250)) // too long with anything behind it
	_, err := create(path, nil, 0o600)
	if at := (*fs.PathError)(nil); !errors.As(err, &at) || at.Path != path {
		t.Errorf("%v", err)
	}
}
