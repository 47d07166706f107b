package mark

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMark(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("none: %v", err)
	}
	m := Mark{Journal: [16]byte{7}, Commits: 3}
	f, err := Open(dir, m)
	check(t, err)
	check(t, f.Write(Mark{m.Journal, 5}))
	check(t, f.Write(Mark{m.Journal, 4})) // another process was quicker
	check(t, f.Close())
	for _, to := range []Mark{{m.Journal, 2}, {m.Journal, 5}} { // opening takes nothing back
		f, err = Open(dir, to)
		check(t, err)
		check(t, f.Close())
		if got, err := Read(dir); err != nil || got != (Mark{m.Journal, 5}) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if _, err = Open(dir, Mark{[16]byte{8}, 9}); !errors.Is(err, ErrOther) {
		t.Errorf("another journal: %v", err)
	}
	if got, err := Read(dir); err != nil || got != (Mark{m.Journal, 5}) {
		t.Errorf("another journal: %+v, %v", got, err)
	}
	check(t, os.WriteFile(filepath.Join(dir, Name), Mark{m.Journal, 1}.octets(), 0o600)) // of one that was never used
	f, err = Open(dir, Mark{[16]byte{8}, 1})
	check(t, err)
	check(t, f.Close())
	if got, err := Read(dir); err != nil || got != (Mark{[16]byte{8}, 1}) {
		t.Errorf("another journal: %+v, %v", got, err)
	}
	info, err := os.Stat(filepath.Join(dir, Name))
	check(t, err)
	if info.Mode().Perm() != 0o600 || info.Size() > 64 {
		t.Errorf("%v, %d octets", info.Mode(), info.Size())
	}
}

// However it is cut or flipped, a mark is as it was written, or damaged.
func TestDamagedMark(t *testing.T) {
	good := Mark{Journal: [16]byte{7, 1}, Commits: 1 << 40}.octets()
	for n := range good {
		if m, err := parse(good[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut at %d: %+v, %v", n, m, err)
		}
		for bit := range 8 {
			b := append([]byte(nil), good...)
			b[n] ^= 1 << bit
			if m, err := parse(b); !errors.Is(err, ErrDamaged) {
				t.Errorf("bit %d of octet %d: %+v, %v", bit, n, m, err)
			}
		}
	}
}

// A damaged mark is made anew, with no rights for others.
func TestMadeAnew(t *testing.T) {
	for _, b := range []string{"", "mbmark", string(append(Mark{Commits: 1}.octets(), 0))} {
		dir := t.TempDir()
		check(t, os.WriteFile(filepath.Join(dir, Name), []byte(b), 0o644))
		if m, err := Read(dir); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %+v, %v", b, m, err)
		}
		f, err := Open(dir, Mark{Commits: 9})
		check(t, err)
		check(t, f.Close())
		if m, err := Read(dir); err != nil || m.Commits != 9 {
			t.Errorf("%q: anew: %+v, %v", b, m, err)
		}
		if info, err := os.Stat(filepath.Join(dir, Name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
}

// A reader never takes what is being written for damage, and several writers never take the mark back for long.
func TestTogether(t *testing.T) {
	dir := t.TempDir()
	id := [16]byte{1}
	var g sync.WaitGroup
	for writer := range 2 {
		f, err := Open(dir, Mark{id, 1})
		check(t, err)
		g.Go(func() {
			for n := uint64(2); n < 3000; n++ {
				if err := f.Write(Mark{id, 2*n + uint64(writer)}); err != nil {
					t.Error(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for range 3000 {
		if m, err := Read(dir); err != nil || m.Journal != id {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	g.Wait()
	if m, err := Read(dir); err != nil || m.Commits < 2*2999 {
		t.Errorf("%+v, %v", m, err)
	}
}

func FuzzMark(f *testing.F) {
	f.Add(Mark{Commits: 4}.octets())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err == nil && string(m.octets()) != string(b) {
			t.Errorf("%x is read as %+v", b, m)
		}
	})
}
