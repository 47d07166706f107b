package disk

import (
	"os"
	"path/filepath"
	"testing"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestBallast(t *testing.T) {
	dir := t.TempDir()
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, ballast))
		check(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
		return info.Size()
	}
	for _, each := range []struct{ ask, want int64 }{{5000, 5000}, {9000, 9000}, {100, 9000}} {
		if check(t, Ballast(dir, each.ask)); size() != each.want {
			t.Errorf("asked for %d: %d octets", each.ask, size())
		}
	}
	for range 2 {
		check(t, DropBallast(dir))
	}
	check(t, Ballast(dir, 10)) // one that was cut is filled up
	check(t, os.Truncate(filepath.Join(dir, ballast), 3))
	if check(t, Ballast(dir, 10)); size() != 10 {
		t.Errorf("%d octets", size())
	}
}

func TestPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	check(t, os.WriteFile(path, []byte("text"), 0o666))
	f, err := Private(path)
	check(t, err)
	info, err := f.Stat()
	check(t, err)
	if info.Mode().Perm() != 0o600 || info.Size() != 4 {
		t.Errorf("%v, %d octets", info.Mode(), info.Size())
	}
	check(t, f.Close())
}
