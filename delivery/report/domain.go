package report

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mailblast/mailblast/delivery"
)

const mostDomains = 20000 // counted one by one; those met later are counted together

// domains counts by domain with bounded memory.
type domains struct {
	by   map[string]*domain
	rest domain // all domains past the bound
}

type domain struct {
	name                              string
	sent, failed, unknown, deferredOK int
	took                              *histogram // made with the first sent one
}

func newDomains() *domains { return &domains{by: map[string]*domain{}} }

func (d *domains) add(o *delivery.Outcome) {
	_, name, ok := strings.Cut(o.To, "@")
	if at := strings.LastIndexByte(o.To, '@'); ok {
		name = strings.ToLower(o.To[at+1:])
	}
	if o.Status != delivery.Sent && o.Status != delivery.Failed && o.Status != delivery.Unknown {
		return
	}
	c := d.by[name]
	if c == nil {
		if c = &d.rest; len(d.by) < mostDomains {
			c = &domain{name: strings.Clone(name)}
			d.by[c.name] = c
		}
	}
	switch o.Status {
	case delivery.Failed:
		c.failed++
		return
	case delivery.Unknown:
		c.unknown++
		return
	}
	c.sent++
	if o.Try > 1 {
		c.deferredOK++
	}
	if c.took == nil {
		c.took = new(histogram)
	}
	c.took.add(o.Took)
}

func (c *domain) merge(o *domain) {
	c.sent, c.failed, c.unknown, c.deferredOK = c.sent+o.sent, c.failed+o.failed, c.unknown+o.unknown, c.deferredOK+o.deferredOK
	if o.took == nil {
		return
	}
	if c.took == nil {
		c.took = new(histogram)
	}
	for i, n := range o.took {
		c.took[i] += n
	}
}

func (c *domain) total() int { return c.sent + c.failed + c.unknown }

func (c *domain) report() Domain {
	r := Domain{Name: c.name, Sent: c.sent, Failed: c.failed, Unknown: c.unknown, DeferredOK: c.deferredOK}
	if c.took != nil {
		r.P95 = c.took.p95().Seconds()
	}
	return r
}

// top gives the n largest domains, and all others as one; nil when there are no others.
func (d *domains) top(n int) ([]Domain, *Domain) {
	all := make([]*domain, 0, len(d.by))
	for _, c := range d.by {
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y *domain) int {
		if a, b := x.total(), y.total(); a != b {
			return b - a
		}
		return strings.Compare(x.name, y.name)
	})
	top := make([]Domain, 0, min(n, len(all)))
	rest := domain{}
	rest.merge(&d.rest)
	for i, c := range all {
		if i < n {
			top = append(top, c.report())
		} else {
			rest.merge(c)
		}
	}
	if rest.total() == 0 {
		return top, nil
	}
	more := rest.report()
	more.Domains = max(len(all)-n, 0)
	return top, &more
}

// histogram counts durations in buckets that grow by a quarter of a doubling, from a millisecond to a quarter of an hour.
type histogram [80]uint32

func (h *histogram) add(d time.Duration) {
	i := 0
	if ms := float64(d) / float64(time.Millisecond); ms > 1 {
		i = min(int(math.Ceil(4*math.Log2(ms))), len(h)-1)
	}
	h[i]++
}

// p95 is the upper bound of the bucket that 95 of 100 durations do not pass.
func (h *histogram) p95() time.Duration {
	var total, seen uint64
	for _, n := range h {
		total += uint64(n)
	}
	need := (total*95 + 99) / 100
	for i, n := range h {
		if seen += uint64(n); seen >= need && total > 0 {
			return time.Duration(math.Exp2(float64(i)/4) * float64(time.Millisecond))
		}
	}
	return 0
}
