package capture

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Stats counts what came since the start, kept or not.
type Stats struct {
	Messages   int64    `json:"messages"`   // accepted
	Recipients int64    `json:"recipients"` // of accepted messages
	Refused    int64    `json:"refused"`    // recipients that a fail rule refused, at either stage
	Bytes      int64    `json:"bytes"`      // of accepted messages
	Stored     int      `json:"stored"`     // messages that can be read now
	Domains    []Domain `json:"domains"`    // most mail first
}

// Domain counts recipients of one domain.
type Domain struct {
	Name     string `json:"domain"`
	Accepted int64  `json:"accepted"`
	Refused  int64  `json:"refused"`
}

// maxDomains bounds the tally's memory; domains beyond it are counted together.
const (
	maxDomains   = 100_000
	otherDomains = "(other)"
)

type tally struct {
	mu      sync.Mutex
	total   Stats
	domains map[string]*Domain
}

func newTally() *tally { return &tally{domains: make(map[string]*Domain)} }

func (t *tally) accept(to []string, size int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total.Messages++
	t.total.Recipients += int64(len(to))
	t.total.Bytes += int64(size)
	for _, a := range to {
		t.domain(a).Accepted++
	}
}

func (t *tally) refuse(to ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total.Refused += int64(len(to))
	for _, a := range to {
		t.domain(a).Refused++
	}
}

func (t *tally) domain(addr string) *Domain {
	name := domainOf(addr)
	d := t.domains[name]
	if d == nil && len(t.domains) >= maxDomains {
		name = otherDomains
		d = t.domains[name]
	}
	if d == nil {
		name = strings.Clone(name)
		d = &Domain{Name: name}
		t.domains[name] = d
	}
	return d
}

// Stats gives the counts so far, with every domain.
func (s *Server) Stats() Stats {
	st := s.tally.snapshot()
	st.Stored = s.store.Len()
	return st
}

func (t *tally) snapshot() Stats {
	t.mu.Lock()
	st := t.total
	st.Domains = make([]Domain, 0, len(t.domains))
	for _, d := range t.domains {
		st.Domains = append(st.Domains, *d)
	}
	t.mu.Unlock()
	slices.SortFunc(st.Domains, func(a, b Domain) int {
		return cmp.Or(cmp.Compare(b.Accepted+b.Refused, a.Accepted+a.Refused), cmp.Compare(a.Name, b.Name))
	})
	return st
}

func domainOf(addr string) string {
	return strings.ToLower(addr[strings.LastIndexByte(addr, '@')+1:])
}
