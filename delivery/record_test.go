package delivery

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A message that waits as a record comes back as it was, but for what its content tells.
func TestRecord(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		at := func(name string) (when time.Time) {
			if n := rapid.Int64Range(0, 1<<60).Draw(rt, name); n > 0 {
				when = time.Unix(0, n)
			}
			return when
		}
		m := Message{
			ID: ID{Run: rapid.Uint64().Draw(rt, "run"), Copy: rapid.Uint16().Draw(rt, "copy")}, Content: spilled(rapid.StringN(0, 20, 64).Draw(rt, "ref")),
			Domain: rapid.SampledFrom([]string{"x.test", "y.test"}).Draw(rt, "domain"), Via: rapid.IntRange(0, 1).Draw(rt, "via"),
			Attempts: rapid.IntRange(0, 1<<20).Draw(rt, "attempts"), Tries: rapid.IntRange(0, 1<<20).Draw(rt, "tries"),
			First: at("first"), Next: at("next"), Print: rapid.Uint64().Draw(rt, "print"),
			mishaps: rapid.Uint8().Draw(rt, "mishaps"),
		}
		copy(m.ID.Key[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "key"))
		rec := records{}.Append(nil, "x.test", &m)
		got, err := records{}.Decode(rec, "x.test")
		if err != nil || !got.First.Equal(m.First) || !got.Next.Equal(m.Next) {
			rt.Fatalf("got %+v, %v\nwant %+v", got, err, m)
		}
		got.First, got.Next = m.First, m.Next
		if *got != m {
			rt.Fatalf("got %+v\nwant %+v", *got, m)
		}
		for n := range rec {
			if _, err := (records{}).Decode(rec[:n], "x.test"); err == nil {
				rt.Fatalf("a record cut at %d of %d is taken", n, len(rec))
			}
		}
	})
}
