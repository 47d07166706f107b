package pace

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// In no window do more messages go than the rate allows in it, and one small burst.
func TestRateIsNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rate{N: float64(rapid.IntRange(1, 3000).Draw(t, "n")), Per: rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour}).Draw(t, "per")}
		l := NewLimiter(r)
		interval := float64(r.Per) / r.N
		var went []time.Time
		now := epoch
		for range 200 {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*interval)).Draw(t, "step")))
			n := l.Allow(now, rapid.IntRange(1, 30).Draw(t, "n"))
			if (n > 0) == l.Next(now).After(now) {
				t.Fatalf("%d may go now, the next at %s, now is %s", n, l.Next(now), now)
			}
			l.Take(now, n)
			if back := rapid.IntRange(0, n).Draw(t, "back"); back > 0 {
				l.Return(now, back)
				n -= back
			}
			for range n {
				went = append(went, now)
			}
		}
		for i := range went {
			for j := i; j < len(went); j++ {
				window := float64(went[j].Sub(went[i]))
				if most := (window+float64(burst))/interval + 1; float64(j-i+1) > most+1e-3*most {
					t.Fatalf("%d in %s at %v", j-i+1, went[j].Sub(went[i]), r)
				}
			}
		}
	})
}

// Whoever waits for Next gets the whole rate.
func TestRateIsReached(t *testing.T) {
	for _, r := range []Rate{{20, time.Second}, {500, time.Hour}, {5000, time.Second}} {
		l, now := NewLimiter(r), epoch
		for range 1000 {
			if at := l.Next(now); at.After(now) {
				now = at
			}
			if l.Allow(now, 1) != 1 {
				t.Fatal("not at its time")
			}
			l.Take(now, 1)
		}
		if got, want := now.Sub(epoch).Seconds(), 999/r.N*r.Per.Seconds(); got > want || got < want-burst.Seconds() {
			t.Errorf("%v: 1000 in %.3fs, want %.3fs", r, got, want)
		}
	}
	var none *Limiter
	if NewLimiter(Rate{}) != nil || none.Allow(epoch, 7) != 7 || none.Next(epoch) != epoch || !none.Idle(epoch) {
		t.Error("no limit limits")
	}
}

func TestDelay(t *testing.T) {
	r := Retry{Max: 10 * time.Minute}.Filled()
	for tries, want := range []time.Duration{1: 1, 2: 2, 3: 4, 4: 8, 5: 10, 60: 10} {
		if want > 0 && r.Delay(tries, 0.9) != want*time.Minute {
			t.Errorf("after %d tries %s", tries, r.Delay(tries, 0.9))
		}
	}
	r.Jitter = true
	for random, want := range map[float64]time.Duration{0: 96 * time.Second, 0.5: 2 * time.Minute, 1: 144 * time.Second} {
		if got := r.Delay(2, random).Round(time.Millisecond); got != want {
			t.Errorf("jitter %g: %s, want %s", random, got, want)
		}
	}
}

// A greylist is given 5, 15 and 30 minutes, and never less.
func TestGreyDelay(t *testing.T) {
	r := Retry{}.Filled()
	for tries, want := range []time.Duration{1: 5, 2: 10, 3: 15, 4: 15, 5: 16, 6: 30, 60: 30} {
		if want > 0 && r.GreyDelay(tries, 0.9) != want*time.Minute {
			t.Errorf("after %d tries %s", tries, r.GreyDelay(tries, 0.9))
		}
	}
	r.Jitter = true
	for random, want := range map[float64]time.Duration{0: 5 * time.Minute, 0.5: 330 * time.Second} {
		if got := r.GreyDelay(1, random); got != want {
			t.Errorf("jitter %g: %s, want %s", random, got, want)
		}
	}
	if got := (Retry{First: time.Second, Max: 3 * time.Second}).GreyDelay(1, 0); got != 3*time.Second {
		t.Errorf("beyond the longest wait: %s", got)
	}
}

// Row 5: the share of each queue in the common budget.
func TestShare(t *testing.T) {
	for _, c := range []struct {
		name   string
		total  int
		claims []Claim
		want   []int
	}{
		{"one queue alone", 20, []Claim{{1000, 20}}, []int{20}},
		{"never past its need", 20, []Claim{{1000, 5}}, []int{5}},
		{"reserved one when idle", 4, []Claim{{0, 0}, {0, 0}, {900, 4}}, []int{1, 1, 2}},
		{"only the reserved ones", 3, []Claim{{10, 3}, {10, 3}, {900, 3}}, []int{1, 1, 1}},
		{"equal depth", 10, []Claim{{500, 10}, {500, 10}}, []int{5, 5}},
		{"by depth", 12, []Claim{{900, 12}, {100, 12}}, []int{10, 2}},
		{"cap of the deep one", 12, []Claim{{9000, 4}, {100, 12}}, []int{4, 8}},
		{"what one cannot use goes to the others", 20, []Claim{{5000, 3}, {10, 20}, {30, 20}}, []int{3, 5, 12}},
		{"less need than threads", 20, []Claim{{2, 2}, {1, 1}}, []int{2, 1}},
	} {
		got := make([]int, len(c.claims))
		Share(c.total, c.claims, got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Nobody gets less than one or more than its need, the budget is kept, and none of it is left while somebody needs it.
func TestShareIsWholeAndFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		claims := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Claim {
			return Claim{Depth: rapid.IntRange(0, 1e6).Draw(t, "depth"), Need: rapid.IntRange(0, 50).Draw(t, "need")}
		}), 1, 18).Draw(t, "claims")
		total := rapid.IntRange(len(claims), 200).Draw(t, "total")
		out := make([]int, len(claims))
		Share(total, claims, out)
		sum, wanting := 0, false
		for i, n := range out {
			sum += n
			wanting = wanting || n < claims[i].Need
			if n < 1 || n > max(claims[i].Need, 1) {
				t.Fatalf("%d of %+v", n, claims[i])
			}
		}
		if sum > total || wanting && sum < total {
			t.Fatalf("%d of %d given", sum, total)
		}
	})
}
