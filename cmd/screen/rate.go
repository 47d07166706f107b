package screen

import "time"

const (
	sampleEvery = time.Second
	samples     = 60
)

// window remembers the last minute, or the last two samples where they are farther apart, for rates that follow what
// is going on now.
type window struct {
	list []sample
	last sample
}

type sample struct {
	at     time.Time
	done   int
	queues map[string]int
}

func (w *window) add(now time.Time, s Snapshot) {
	w.last = sample{at: now, done: s.done(), queues: make(map[string]int, len(s.Queues))}
	for _, q := range s.Queues {
		w.last.queues[q.Name] = q.Done
	}
	if n := len(w.list); n > 0 && now.Sub(w.list[n-1].at) < sampleEvery {
		return
	}
	w.list = append(w.list, w.last)
	if len(w.list) > samples {
		w.list = w.list[1:]
	}
	for len(w.list) > 2 && now.Sub(w.list[0].at) > samples*sampleEvery {
		w.list = w.list[1:]
	}
}

// total is the deliveries that come to an end in a second.
func (w *window) total() float64 {
	return w.rate(func(s sample) int { return s.done })
}

func (w *window) queue(name string) float64 {
	return w.rate(func(s sample) int { return s.queues[name] })
}

func (w *window) rate(of func(sample) int) float64 {
	if len(w.list) == 0 {
		return 0
	}
	first := w.list[0]
	took := w.last.at.Sub(first.at).Seconds()
	if took <= 0 {
		return 0
	}
	return max(0, float64(of(w.last)-of(first))/took)
}

// left is how long the rest will take at the present rate; 0 when that cannot be said.
func (s *Screen) left(snap Snapshot) time.Duration {
	rate, rest := s.rates.total(), snap.Total-snap.done()
	if rate <= 0 || rest <= 0 {
		return 0
	}
	seconds := float64(rest) / rate
	if seconds > 365*24*3600 {
		return 0
	}
	return max(time.Second, time.Duration(seconds*float64(time.Second)))
}
