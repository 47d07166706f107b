package pace

import "time"

// Retry says when a deferred message is tried again.
type Retry struct {
	For    time.Duration // from its first try; then it is given up. 0 is 4h, as a campaign is stale after that; negative never retries
	First  time.Duration // before the second try, doubled for each further one; five times as long for a greylist. 0 is 1m
	Max    time.Duration // the longest wait between two tries. 0 is 30m
	Wait   time.Duration // how long a run waits for its next message when only deferred ones are left. 0 is as long as it takes
	Jitter bool          // spreads the waits by a fifth, so that what was deferred together does not come back together
}

// Filled gives r with its defaults in place of zeros.
func (r Retry) Filled() Retry {
	if r.For == 0 {
		r.For = 4 * time.Hour
	}
	if r.First <= 0 {
		r.First = time.Minute
	}
	if r.Max <= 0 {
		r.Max = 30 * time.Minute
	}
	r.Max = max(r.First, r.Max)
	return r
}

// greySteps are the waits for a greylist, in Firsts: such lists hold strangers off for five minutes as a rule, some for
// fifteen or thirty, and what comes earlier is put off again.
var greySteps = [...]time.Duration{5, 10, 15}

// GreyDelay is the wait after so many tries, the last of them greylisted: by default the next ones are 5, 15 and 30 minutes
// after the first. Jitter only adds to it.
func (r Retry) GreyDelay(tries int, random float64) time.Duration {
	step := greySteps[min(max(tries, 1), len(greySteps))-1]
	even := Retry{First: r.First, Max: r.Max}
	d := max(min(step*r.First, r.Max), even.Delay(tries, 0))
	if r.Jitter {
		d += time.Duration(float64(d) * 0.2 * random)
	}
	return d
}

// Delay is the wait after so many tries. random is in [0, 1) and decides the jitter.
func (r Retry) Delay(tries int, random float64) time.Duration {
	d := r.First
	for ; tries > 1 && d < r.Max; tries-- {
		d *= 2
	}
	d = min(d, r.Max)
	if r.Jitter {
		d = time.Duration(float64(d) * (0.8 + 0.4*random))
	}
	return d
}
