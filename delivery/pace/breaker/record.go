package breaker

import "time"

// record is what is known of one scope.
type record struct {
	marks []mark // the refusals among the last outcomes, oldest first
	seen  uint32 // outcomes since the first of them
	row   uint32 // refused senders in a row, each for the reason of the last mark
	pause *pause // nil: as usual
}

// mark is one refusal.
type mark struct {
	at     uint32 // which outcome it was
	reason uint32 // equal for the same refusal
	from   uint32 // which of the narrower scopes it is from
}

// pause is a scope's way back: paused until then, then in trial.
type pause struct {
	until time.Time
	times int // how often it was paused
	trial bool
	out   int // trials under way
	taken int // trials that were taken
}

// trying tells that the scope is in trial.
func (r *record) trying() bool { return r != nil && r.pause != nil && r.pause.trial }

// begin starts the pause, or starts it again.
func (p *pause) begin(now time.Time) {
	*p = pause{until: now.Add(min(firstPause<<min(p.times, 8), longestPause)), times: p.times + 1}
}

// add counts one outcome.
func (r *record) add(said *Said, from uint32) {
	switch {
	case said.Word == RefusedSender && r.row > 0 && len(r.marks) > 0 && r.last().reason == said.reason():
		r.row++
	case said.Word == RefusedSender:
		r.row = 1
	default:
		r.row = 0
	}
	if said.Word == Known {
		return // not decided yet
	}
	r.seen++
	for len(r.marks) > 0 && r.seen-r.marks[0].at >= window {
		r.marks = r.marks[1:]
	}
	if said.Word >= Refused {
		r.marks = append(r.marks, mark{at: r.seen, reason: said.reason(), from: from})
	}
}

func (r *record) last() *mark { return &r.marks[len(r.marks)-1] }

// clean tells that there is nothing to remember.
func (r *record) clean() bool { return r.pause == nil && len(r.marks) == 0 && r.row == 0 }

// judge tells whether the latest refusal was one too many.
func (r *record) judge(k Kind) (n News, tripped bool) {
	if r.pause != nil {
		return n, false
	}
	of := min(int(r.seen-r.marks[0].at)+1, window)
	same, heard := r.same(r.last().reason, k)
	switch {
	case k != Domain && int(r.row) > sender.Over:
		return News{Rule: sender, Refused: int(r.row)}, true
	case heard > policy.Over:
		return News{Rule: policy, Refused: same, Of: of}, true
	case len(r.marks) > mixed.Over:
		return News{Rule: mixed, Refused: len(r.marks), Of: of}, true
	}
	return n, false
}

// same counts the refusals for one reason. Of those, heard are what speaks for the scope: in a wide one no narrower
// scope is heard more than its part of the limit.
func (r *record) same(reason uint32, k Kind) (same, heard int) {
	for i := range r.marks {
		if r.marks[i].reason == reason {
			same++
		}
	}
	if k == Domain || same <= policy.Over {
		return same, same
	}
	by := map[uint32]int{}
	for i := range r.marks {
		if m := &r.marks[i]; m.reason == reason && by[m.from] < policy.Over/spread {
			by[m.from]++
			heard++
		}
	}
	return same, heard
}

// reason is equal for the same refusal: text apart, since servers put queue numbers, addresses and times into it.
func (s *Said) reason() uint32 {
	h := (start ^ uint32(s.Code)) * prime
	return hash((h^uint32(s.Class))*prime, s.Enhanced)
}

// FNV-1a.
const start, prime = 2166136261, 16777619

func hash(h uint32, s string) uint32 {
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * prime
	}
	return h
}
