package store

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/composer"
)

// Every row comes back as it was kept, in order and by its reference, from several goroutines at once.
func TestStoreRoundTrip(t *testing.T) {
	dir := t.TempDir()
	single := rapid.OneOf(rapid.Just[any](nil), rapid.String().AsAny(), rapid.Int64().AsAny(), rapid.Bool().AsAny(),
		rapid.Custom(func(t *rapid.T) float64 { return math.Float64frombits(rapid.Uint64().Draw(t, "bits")) }).AsAny(),
		rapid.Custom(func(t *rapid.T) string { return strings.Repeat("long ", rapid.IntRange(0, 3000).Draw(t, "n")) }).AsAny(),
		rapid.Custom(func(t *rapid.T) Moment {
			at := time.Unix(rapid.Int64Range(-1e11, 1e11).Draw(t, "sec"), rapid.Int64Range(0, 999999999).Draw(t, "nsec")).UTC()
			if off := rapid.IntRange(-50000, 50000).Draw(t, "zone"); off != 0 {
				at = at.In(time.FixedZone("", off))
			}
			return Moment{Time: at, Form: Form(rapid.IntRange(0, int(forms)-1).Draw(t, "form"))}
		}).AsAny())
	value := rapid.OneOf(single, rapid.SliceOf(single).AsAny(), rapid.MapOf(rapid.String(), single).AsAny(),
		rapid.MapOf(rapid.String(), rapid.SliceOfN(single, 0, 3).AsAny()).AsAny())
	rapid.Check(t, func(t *rapid.T) {
		w, err := New(Options{Dir: dir, Max: 1 << 40})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.s.Close() }()
		w.s.cols = make([]composer.Column, 5)
		var want []string
		for i, vs := range rapid.SliceOfN(rapid.SliceOfN(value, 0, 5), 0, 40).Draw(t, "rows") {
			fault := rapid.SampledFrom([]string{"", "faulty"}).Draw(t, "fault")
			if err := w.Add(i*3, vs, fault); err != nil {
				t.Fatal(err)
			}
			for fault == "" && len(vs) < 5 { // what a row does not have is NULL
				vs = append(vs, nil)
			}
			want = append(want, fmt.Sprintf("%d %d %q %v", i+1, i*3, fault, vs))
		}
		if _, err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		var refs []int64
		err = w.s.Each(context.Background(), func(r *composer.Row) error {
			if got := sprint(r); got != want[r.Number-1] {
				t.Fatalf("row %s, want %s", got, want[r.Number-1])
			}
			refs = append(refs, r.Ref)
			return nil
		})
		if err != nil || len(refs) != len(want) || w.s.Len() != len(want) {
			t.Fatalf("%d rows, Len %d, want %d: %v", len(refs), w.s.Len(), len(want), err)
		}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for i, ref := range refs {
					if r, err := w.s.At(ref); err != nil || sprint(r) != want[i] || r.Ref != ref {
						t.Errorf("At(%d): %v, want %s", ref, err, want[i])
					}
				}
			})
		}
		all.Wait()
	})
}

func sprint(r *composer.Row) string {
	return fmt.Sprintf("%d %d %q %v", r.Number, r.Line, r.Fault, r.Values)
}

func TestTooLargeRow(t *testing.T) {
	w, err := New(Options{Dir: t.TempDir(), Max: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.s.Close() }()
	w.s.cols = make([]composer.Column, 2)
	big := strings.Repeat("x", maxRecord/2+1)
	if err := w.Add(1, []any{big, big}, ""); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(2, []any{big, "y"}, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	first, err := w.s.At(0)
	if err != nil || first.Fault != "the row is larger than 16 MiB" || len(first.Values) != 0 {
		t.Errorf("%q, %v", first.Fault, err)
	}
	n := 0
	if err := w.s.Each(t.Context(), func(r *composer.Row) error { n += len(r.Values); return nil }); err != nil || n != 2 {
		t.Errorf("%d values, %v", n, err)
	}
}

// A damaged store gives an error, never a panic, and no value out of thin air: what decodes is what was encoded.
func FuzzDecodeRow(f *testing.F) {
	body, err := appendRow(nil, &composer.Row{Number: 7, Line: 9, Fault: "x", Values: []any{nil, "s", int64(-1), 0.5, true, false,
		Moment{Time: time.Unix(1, 2).In(time.FixedZone("", 3600)), Form: TimestampTZ},
		[]any{nil, "x", []any{}}, map[string]any{"k": int64(1), "": map[string]any{}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte{})
	f.Add([]byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again composer.Row
		if decodeRow(string(b), &r, 0) != nil {
			return
		}
		body, err := appendRow(nil, &r)
		if err != nil {
			t.Fatal(err)
		}
		if err := decodeRow(string(body), &again, 0); err != nil || sprint(&again) != sprint(&r) {
			t.Fatalf("%s became %s, %v", sprint(&r), sprint(&again), err)
		}
	})
}

// A value that nests deeper than a store reads back is not taken, and a damaged store cannot exhaust the stack.
func TestDeep(t *testing.T) {
	var v any
	for range maxDepth {
		v = []any{v}
	}
	body, err := appendRow(nil, &composer.Row{Values: []any{v}})
	var r composer.Row
	if err != nil || decodeRow(string(body), &r, 0) != nil {
		t.Errorf("%d deep: %v", maxDepth, err)
	}
	if _, err := appendRow(nil, &composer.Row{Values: []any{[]any{v}}}); err == nil {
		t.Errorf("%d deep is taken", maxDepth+1)
	}
	if decodeRow("\x00\x00\x00\x01"+strings.Repeat("\x07\x01", 1<<20)+"\x00", &r, 0) == nil {
		t.Error("a million lists within each other are decoded")
	}
}

func TestText(t *testing.T) {
	at := time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, ""}, {"a<b", "a<b"}, {int64(-7), "-7"}, {1e21, "1000000000000000000000"}, {0.1, "0.1"}, {math.NaN(), "NaN"}, {true, "true"},
		{Moment{Time: at, Form: Date}, "2026-11-24"},
		{[]any{}, "[]"}, {map[string]any{}, "{}"},
		{[]any{nil, "a<b & \"c\"", int64(1) << 62, 1e21, math.Inf(1), false}, `[null,"a<b & \"c\"",4611686018427387904,1000000000000000000000,"+Inf",false]`},
		{map[string]any{"b": []any{Moment{Time: at, Form: Time}}, "a": map[string]any{"x": 0.5}}, `{"a":{"x":0.5},"b":["08:30:00"]}`},
	} {
		if got := Text(c.v); got != c.want {
			t.Errorf("%#v: %s, want %s", c.v, got, c.want)
		}
	}
}

func BenchmarkStore(b *testing.B) {
	const n = 1_000_000
	w, err := New(Options{Dir: b.TempDir(), Max: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = w.s.Close() }()
	w.s.cols = make([]composer.Column, 4)
	refs := make([]int64, 0, n)
	for i := range n {
		refs = append(refs, w.s.size)
		if err := w.Add(i, []any{"somebody@example.com", "Somebody", int64(i), true}, ""); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		b.Fatal(err)
	}
	b.Run("Each", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := w.s.Each(b.Context(), func(*composer.Row) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("At", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i += 7919 {
			if _, err := w.s.At(refs[i%n]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
