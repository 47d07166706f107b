package sum

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

var mine = [16]byte{1, 2, 3}

func of(t testing.TB, s *Sealer, table string, values ...any) int64 {
	t.Helper()
	seal, ok := Of(s, table, values)
	if !ok {
		t.Fatalf("%v cannot be sealed", values)
	}
	return seal
}

// The seal of a format that is on disk does not change.
func TestStable(t *testing.T) {
	if got := of(t, New(mine), "outcomes", int64(1), "a", []byte{0}, int64(-1)); got != 2652746653 {
		t.Errorf("got %d", got)
	}
}

func TestTellsApart(t *testing.T) {
	s := New(mine)
	seen := map[int64]int{}
	for i, values := range [][]any{
		{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}, {[]byte("ab"), "c"}, {"ab", []byte("c")}, {int64(0), int64(0)}, {int64(0)}, {},
		{""}, {[]byte{}}, {"", ""}, {int64('a')}, {"a"}, {"\x00"}, {int64(1) << 32}, {int64(1)},
	} {
		for _, table := range []string{"runs", "run", ""} {
			seal := of(t, s, table, values...)
			if j, ok := seen[seal]; ok {
				t.Errorf("%d and %d have the same seal", i, j)
			}
			seen[seal] = i
		}
	}
	if of(t, s, "runs", "a") == of(t, New([16]byte{1, 2, 4}), "runs", "a") {
		t.Error("a row of another journal passes")
	}
	for _, v := range []any{nil, 1.5, true, 7} {
		if _, ok := Of(s, "runs", []any{v}); ok {
			t.Errorf("%v (%T) was sealed", v, v)
		}
	}
}

// Whatever one bit is flipped in a row, its seal changes.
func TestEveryBit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := New(mine)
		n := rapid.Int64().Draw(rt, "number")
		text := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "text")
		blob := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "blob")
		want := of(t, s, "x", n, string(text), blob)
		if again := of(t, s, "x", n, string(text), bytes.Clone(blob)); again != want {
			rt.Fatalf("%d, then %d", want, again)
		}
		for bit := range 64 {
			if of(t, s, "x", n^1<<bit, string(text), blob) == want {
				rt.Fatalf("bit %d of the number", bit)
			}
		}
		for at := range len(text) * 8 {
			text[at/8] ^= 1 << (at % 8)
			if of(t, s, "x", n, string(text), blob) == want {
				rt.Fatalf("bit %d of the text", at)
			}
			text[at/8] ^= 1 << (at % 8)
		}
		for at := range len(blob) * 8 {
			blob[at/8] ^= 1 << (at % 8)
			if of(t, s, "x", n, string(text), blob) == want {
				rt.Fatalf("bit %d of the blob", at)
			}
			blob[at/8] ^= 1 << (at % 8)
		}
	})
}

func BenchmarkOf(b *testing.B) {
	s := New(mine)
	values := []any{int64(123456), int64(1), make([]byte, 16), int64(0), int64(2), "somebody@example.test", "Ok: queued as 4XYZ12ABCD", "mx.example.test [192.0.2.1]"}
	for b.Loop() {
		Of(s, "outcomes", values)
	}
}
