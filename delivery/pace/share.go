package pace

// Claim is what one queue asks of the common budget of threads.
type Claim struct {
	Depth int // messages posted to the queue: the weight of its claim
	Need  int // threads it could use now, its own maximum included
}

// Share divides total threads among queues. Each gets one, needed or not; the rest is shared in proportion to depth,
// nobody gets more than its need, and what one cannot use goes to the others. The result is written to out, which has
// the length of claims.
func Share(total int, claims []Claim, out []int) {
	left := total - len(claims)
	for i := range out {
		out[i] = 1
	}
	for left > 0 {
		weight := 0
		for i, c := range claims {
			if out[i] < c.Need {
				weight += max(c.Depth, 1)
			}
		}
		if weight == 0 {
			return
		}
		if given := proportional(left, weight, claims, out); given > 0 {
			left -= given
			continue
		}
		out[hungriest(claims, out)]++
		left--
	}
}

// proportional gives each unsatisfied queue the whole part of its share of left.
func proportional(left, weight int, claims []Claim, out []int) (given int) {
	for i, c := range claims {
		if room := c.Need - out[i]; room > 0 {
			n := min(int(int64(left)*int64(max(c.Depth, 1))/int64(weight)), room)
			out[i] += n
			given += n
		}
	}
	return given
}

// hungriest is the unsatisfied queue with the most messages a thread.
func hungriest(claims []Claim, out []int) int {
	best, most := -1, -1.0
	for i, c := range claims {
		if out[i] >= c.Need {
			continue
		}
		if per := float64(max(c.Depth, 1)) / float64(out[i]); per > most {
			best, most = i, per
		}
	}
	return best
}
