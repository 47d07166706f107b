package salvage

import (
	"cmp"
	"fmt"
	"slices"
)

// places is a set of numbers as ranges: rows that were appended one after the other take one.
type places []span

type span struct{ from, to int64 }

func (p *places) add(n int64) {
	if l := len(*p); l > 0 && (*p)[l-1].to == n-1 {
		(*p)[l-1].to = n
		return
	}
	*p = append(*p, span{n, n})
	if l := len(*p); l > 1024 && l&(l-1) == 0 {
		p.merge()
	}
}

func (p *places) merge() {
	slices.SortFunc(*p, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	merged := (*p)[:0]
	for _, s := range *p {
		if l := len(merged); l > 0 && s.from <= merged[l-1].to+1 {
			merged[l-1].to = max(merged[l-1].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	*p = merged
}

// gaps gives what is missing between two numbers, both of them included. The set must be merged.
func (p places) gaps(from, to int64) (missing places) {
	for _, s := range p {
		if s.from > to {
			break
		}
		if s.from > from {
			missing = append(missing, span{from, s.from - 1})
		}
		from = max(from, s.to+1)
	}
	if from <= to {
		missing = append(missing, span{from, to})
	}
	return missing
}

func (p places) count() (n int64) {
	for _, s := range p {
		n += s.to - s.from + 1
	}
	return n
}

// last is the highest number; 0 in an empty set.
func (p places) last() int64 {
	if len(p) == 0 {
		return 0
	}
	return p[len(p)-1].to
}

// first is the lowest number; 1 in an empty set.
func (p places) first() int64 {
	if len(p) == 0 {
		return 1
	}
	return p[0].from
}

// String names the first and the last of them.
func (p places) String() string {
	switch {
	case len(p) == 0:
		return "none"
	case p.count() == 1:
		return fmt.Sprintf("place %d", p[0].from)
	}
	return fmt.Sprintf("places %d to %d", p[0].from, p.last())
}
