package text

import (
	"math"
	"testing"
	"time"
)

type day struct{ time.Time }

func (d day) String() string { return d.Format(time.DateOnly) }

func TestOf(t *testing.T) {
	d := day{time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)}
	for want, v := range map[string]any{"": nil, "x": "x", "-7": int64(-7), "0.1": 0.1, "1000000000000000000000": 1e21, "true": true, "2026-03-04": d,
		`["2026-03-04"]`: []any{d}, `{"a":null,"b":[1.5,"<x>",1000000000000000000000]}`: map[string]any{"b": []any{1.5, "<x>", 1e21}, "a": nil}, `["NaN"]`: []any{math.NaN()}} {
		if got := Of(v); got != want {
			t.Errorf("%#v: %s, want %s", v, got, want)
		}
	}
}
