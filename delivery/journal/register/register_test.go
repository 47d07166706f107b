package register

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, dir string) List {
	t.Helper()
	l, err := Read(dir)
	check(t, err)
	return l
}

// What was appended is read back, the latest line of each run, whatever is in a key.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		var want []Run
		for range rapid.IntRange(0, 6).Draw(rt, "lines") {
			r := Run{
				Begun: time.UnixMicro(rapid.Int64Range(0, 1<<50).Draw(rt, "begun")).UTC(), Campaign: rapid.SampledFrom([]string{"spring", "autumn"}).Draw(rt, "campaign"),
				Key: rapid.SampledFrom([]string{"", "w1", "a\n\"\\\x00ä", "x y #2"}).Draw(rt, "key"), Generation: rapid.IntRange(0, 1).Draw(rt, "generation"),
				ID: rapid.Uint64().Draw(rt, "id"), Journal: "00ff", Commit: rapid.Uint64().Draw(rt, "commit"), Retried: rapid.IntRange(0, 9).Draw(rt, "retried"),
			}
			check(t, Append(dir, r))
			known := false
			for i := range want {
				if want[i].Campaign == r.Campaign && want[i].Key == r.Key && want[i].Generation == r.Generation {
					want[i], known = r, true
				}
			}
			if !known {
				want = append(want, r)
			}
		}
		l := read(t, dir)
		if l.Damaged != 0 || len(l.Runs) != len(want) || len(want) > 0 && !reflect.DeepEqual(l.Runs, want) {
			rt.Fatalf("got %+v\nwant %+v", l, want)
		}
		for _, r := range want {
			if got, ok := l.Find(r); !ok || got != r {
				rt.Fatalf("find %+v: %+v, %v", r, got, ok)
			}
			if got, ok := l.Latest(r.Campaign, r.Key); !ok || got.Generation < r.Generation {
				rt.Fatalf("latest of %+v: %+v, %v", r, got, ok)
			}
		}
		if _, ok := l.Latest("winter", ""); ok {
			rt.Fatal("a run that never was")
		}
	})
}

// A crash while a line is written costs that line alone.
func TestCutLine(t *testing.T) {
	dir := t.TempDir()
	first, second, third := Run{Campaign: "a"}, Run{Campaign: "b"}, Run{Campaign: "c", Key: "\xff\xfe"}
	check(t, Append(dir, first, second))
	path := filepath.Join(dir, Name)
	whole, err := os.ReadFile(path)
	check(t, err)
	start := bytes.IndexByte(whole, '\n') + 1
	for cut := start; cut < len(whole); cut++ {
		check(t, os.WriteFile(path, whole[:cut], 0o600))
		check(t, Append(dir, third))
		l := read(t, dir)
		runs := 2
		damaged := 1
		if cut == start {
			damaged = 0
		}
		if cut == len(whole)-1 { // only its end was missing
			runs, damaged = 3, 0
		}
		if len(l.Runs) != runs || l.Damaged != damaged || !l.Runs[0].Is("a", "") || !l.Runs[runs-1].Is("c", "\xff\xfe") {
			t.Errorf("cut at %d: %+v", cut, l)
		}
	}
}

// A flipped bit is never another run.
func TestFlipped(t *testing.T) {
	dir := t.TempDir()
	check(t, Append(dir, Run{Campaign: "spring", Key: "w1", ID: 7}))
	path := filepath.Join(dir, Name)
	whole, err := os.ReadFile(path)
	check(t, err)
	for at := range len(whole) - 1 {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[at] ^= 1 << bit
			check(t, os.WriteFile(path, b, 0o600))
			l := read(t, dir)
			if len(l.Runs) > 0 && (l.Runs[0].ID != 7 || !l.Runs[0].Is("spring", "w1")) || len(l.Runs)+l.Damaged == 0 {
				t.Errorf("octet %d bit %d: %+v", at, bit, l)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for want, r := range map[string]Run{"a": {Campaign: "a"}, "a/k": {Campaign: "a", Key: "k"}, "a/k#2": {Campaign: "a", Key: "k", Generation: 1}} {
		if r.Name() != want {
			t.Errorf("%q, want %q", r.Name(), want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("{} 00000000\n\n\n"))
	f.Add([]byte(strings.Repeat("x", 1<<17) + "\nshort\n"))
	dir := f.TempDir()
	check(f, Append(dir, Run{Campaign: "a"}, Run{Campaign: "b", Key: "\n"}))
	good, err := os.ReadFile(filepath.Join(dir, Name))
	check(f, err)
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		check(t, os.WriteFile(filepath.Join(dir, Name), b, 0o600))
		before := read(t, dir)
		check(t, Append(dir, Run{Campaign: "new", Journal: "here"}))
		after := read(t, dir)
		if _, ok := after.Find(Run{Campaign: "new", Journal: "here"}); !ok || len(after.Runs) < len(before.Runs) {
			t.Errorf("%+v, then %+v", before, after)
		}
	})
}
