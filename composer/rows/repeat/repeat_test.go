package repeat

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/composer"
)

// mac spreads a small number as a keyed hash would.
func mac(n uint64) (m [16]byte) {
	s := rand.NewPCG(n, 7)
	binary.BigEndian.PutUint64(m[:], s.Uint64())
	binary.BigEndian.PutUint64(m[8:], s.Uint64())
	return m
}

func collect(t interface{ Fatal(...any) }, f *Finder) (all []composer.Repeat) {
	for r, err := range f.Repeats(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestAgainstMap(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		f := New(dir)
		defer func() { _ = f.Close() }()
		people := rapid.Uint64Range(1, 300).Draw(t, "people")
		number := 0
		first := map[uint64]int{}
		var want []composer.Repeat
		for _, gap := range rapid.SliceOfN(rapid.IntRange(1, 3), 0, 2000).Draw(t, "gaps") {
			number += gap // faulty rows between them are not added
			who := uint64(number*7919) % people
			if err := f.Add(number, mac(who)); err != nil {
				t.Fatal(err)
			}
			if n, ok := first[who]; ok {
				want = append(want, composer.Repeat{Number: number, First: n})
			} else {
				first[who] = number
			}
		}
		for range 2 {
			if got := collect(t, f); !slices.Equal(got, want) {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
	})
}

// What does not fit into memory goes through the file, and the file is nobody's business.
func TestThroughFile(t *testing.T) {
	dir := t.TempDir()
	f := New(dir)
	const people, rows = 70_000, 200_000
	for n := 1; n <= rows; n++ {
		if err := f.Add(n, mac(uint64(n%people))); err != nil {
			t.Fatal(err)
		}
	}
	if f.rows.f == nil || f.rows.end < rows*rowSize/2 {
		t.Fatalf("%d octets are in the file: the rows were kept in memory", f.rows.end)
	}
	if info, err := f.rows.f.Stat(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	at := people
	for r, err := range f.Repeats(t.Context()) {
		want := composer.Repeat{Number: at, First: at % people}
		if at++; at%people == 1 {
			want.First = people
		}
		if want.Number == people { // the first row with the MAC of 0
			want = composer.Repeat{Number: people + 1, First: 1}
			at++
		}
		if err != nil || r != want {
			t.Fatalf("%v, %v; want %v", r, err, want)
		}
	}
	if at != rows+1 {
		t.Errorf("the last repeat is before row %d", at)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v are left", left, err)
	}
}

// A known row is the first of its kind wherever it is, and the others follow in the list's order.
func TestKnownGoFirst(t *testing.T) {
	f := New(t.TempDir())
	defer func() { _ = f.Close() }()
	for n, who := range []uint64{1, 2, 1, 2, 3, 1, 3} {
		add := f.Add
		if n+1 == 3 || n+1 == 6 || n+1 == 2 {
			add = f.AddKnown
		}
		if err := add(n+1, mac(who)); err != nil {
			t.Fatal(err)
		}
	}
	want := []composer.Repeat{{Number: 1, First: 3}, {Number: 4, First: 2}, {Number: 6, First: 3}, {Number: 7, First: 5}}
	if got := collect(t, f); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMisuse(t *testing.T) {
	f := New(t.TempDir())
	defer func() { _ = f.Close() }()
	for n, ok := range map[int]bool{0: false} {
		if err := f.Add(n, mac(1)); (err == nil) != ok {
			t.Errorf("row %d: %v", n, err)
		}
	}
	if err := f.Add(5, mac(1)); err != nil {
		t.Fatal(err)
	}
	if f.Add(5, mac(2)) == nil {
		t.Error("numbers need not ascend")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range f.Repeats(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cut: %v", err)
		}
	}
	if got := collect(t, f); got != nil {
		t.Errorf("%v", got)
	}
	if f.Add(6, mac(1)) == nil {
		t.Error("a row can be added after the repeats were given")
	}
}

func BenchmarkAdd(b *testing.B) {
	f := New(b.TempDir())
	defer func() { _ = f.Close() }()
	for n := 1; b.Loop(); n++ {
		if err := f.Add(n, mac(uint64(n))); err != nil {
			b.Fatal(err)
		}
	}
}
