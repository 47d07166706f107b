// Package pace is the arithmetic of our own limits. It is pure: no goroutine, no clock, time is passed in.
//
//  1. a Limiter says how many messages may go now, and when the next may (rate);
//  2. Retry says how long a deferred message waits (backoff);
//  3. Share says how many threads each queue gets of the common budget (depth).
package pace

import "time"

// Rate is so many messages per unit of time. The zero Rate is no limit.
type Rate struct {
	N   float64
	Per time.Duration
}

// IsZero tells that r limits nothing.
func (r Rate) IsZero() bool { return r.N <= 0 || r.Per <= 0 }

// burst is how much time's worth of messages may go at once. Timers are coarse, so a fast rate is kept in small
// bursts; up to 20 a second there is none.
const burst = 50 * time.Millisecond

// Limiter keeps a Rate, by the generic cell rate algorithm (ITU-T I.371): it stores one time, at which all that went
// so far is paid for. A nil Limiter allows everything.
type Limiter struct {
	interval time.Duration // between two messages
	slack    time.Duration // how far the next may come before its time
	paid     time.Time     // the theoretical arrival time of the next message
}

// NewLimiter gives a limiter for r, nil when r is zero.
func NewLimiter(r Rate) *Limiter {
	if r.IsZero() {
		return nil
	}
	interval := max(time.Duration(float64(r.Per)/r.N), 1)
	return &Limiter{interval: interval, slack: max(burst-interval, 0) / interval * interval}
}

// Allow says how many of n messages may go now.
func (l *Limiter) Allow(now time.Time, n int) int {
	if l == nil {
		return n
	}
	early := max(l.paid.Sub(now), 0)
	if early > l.slack {
		return 0
	}
	return int(min(int64((l.slack-early)/l.interval)+1, int64(n)))
}

// Take notes that n messages go now.
func (l *Limiter) Take(now time.Time, n int) {
	if l == nil {
		return
	}
	if l.paid.Before(now) {
		l.paid = now
	}
	l.paid = l.paid.Add(time.Duration(n) * l.interval)
}

// Return gives back what was taken for n messages that did not go after all. Time that has passed is not given back.
func (l *Limiter) Return(now time.Time, n int) {
	if l == nil || !l.paid.After(now) {
		return
	}
	if l.paid = l.paid.Add(-time.Duration(n) * l.interval); l.paid.Before(now) {
		l.paid = now
	}
}

// Next is when at least one more message may go; not after now when one may go at once.
func (l *Limiter) Next(now time.Time) time.Time {
	if l == nil {
		return now
	}
	return l.paid.Add(-l.slack)
}

// Idle tells that nothing is owed any more: a new limiter would do the same.
func (l *Limiter) Idle(now time.Time) bool { return l == nil || !l.paid.After(now) }
