package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// table sets the counts and the domains side by side, or one below the other on narrow screens.
func (r *Report) table(o TextOptions) []string {
	left, right := r.counts(o), r.domainLines()
	if len(right) == 0 {
		return left
	}
	gap := 40
	for _, line := range left[:min(len(left), len(right))] {
		gap = max(gap, cells(line)+3)
	}
	if o.Width < gap+cells(right[0])-2 {
		return append(left, right...)
	}
	var out []string
	for i := range max(len(left), len(right)) {
		line := ""
		if i < len(left) {
			line = left[i]
		}
		if i < len(right) {
			line += strings.Repeat(" ", gap-cells(line)) + strings.TrimLeft(right[i], " ")
		}
		out = append(out, line)
	}
	return out
}

func (r *Report) counts(o TextOptions) []string {
	line := func(name string, n int, note string) string {
		s := fmt.Sprintf("  %-10s %9s", name, number(n))
		if o.Color && n > 0 && (name == "failed" || name == "unknown") {
			s = "\x1b[31m" + s + "\x1b[0m"
		}
		if note != "" {
			s += "   " + note
		}
		return s
	}
	share := ""
	if r.Total > 0 {
		share = fmt.Sprintf("%s of %s", percent(r.Sent, r.Total), number(r.Total))
	}
	var by []string
	for _, class := range slices.Sorted(maps.Keys(r.SkippedBy)) {
		by = append(by, number(r.SkippedBy[class])+" "+class)
	}
	lines := []string{line("sent", r.Sent, share), line("failed", r.Failed, ""), line("unknown", r.Unknown, ""),
		line("suppressed", r.Suppressed, ""), line("skipped", r.Skipped, strings.Join(by, ", "))}
	if r.Pending > 0 || r.Finished == nil {
		note := ""
		if r.Deferred > 0 {
			note = number(r.Deferred) + " deferred"
		}
		lines = append(lines, line("pending", r.Pending, note))
	}
	return lines
}

const shownDomains = 4 // beside the five counts

func (r *Report) domainLines() []string {
	if len(r.Domains) == 0 {
		return nil
	}
	rows := [][]string{{"by domain", "sent", "failed", "deferred→ok", "p95"}}
	add := func(name string, d Domain) {
		rows = append(rows, []string{name, number(d.Sent), number(d.Failed), number(d.DeferredOK), p95(d)})
	}
	shown := r.Domains[:min(shownDomains, len(r.Domains))]
	for _, d := range shown {
		add(clip(safe(d.Name)), d)
	}
	if rest, n := r.rest(len(shown)); n > 0 {
		add(fmt.Sprintf("(%s more)", number(n)), rest)
	}
	return align(rows)
}

// align sets rows in columns as wide as they must be: the first to the left, numbers to the right.
func align(rows [][]string) []string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], cells(cell))
		}
	}
	lines := make([]string, len(rows))
	for n, row := range rows {
		line := "  " + pad(row[0], widths[0])
		for i, cell := range row[1:] {
			line += strings.Repeat(" ", 2+widths[i+1]-cells(cell)) + cell
		}
		lines[n] = line
	}
	return lines
}

// clip keeps a long domain from pushing the numbers off the screen; its end says more than its beginning.
func clip(domain string) string {
	const most = 30
	c := []rune(domain)
	if len(c) <= most {
		return domain
	}
	return "…" + string(c[len(c)-most+1:])
}

// rest adds up the domains after the first n. Its p95 is the slowest of theirs, since quantiles do not add up.
func (r *Report) rest(n int) (sum Domain, count int) {
	others := slices.Clone(r.Domains[n:])
	count = len(others)
	if r.MoreDomains != nil {
		others = append(others, *r.MoreDomains)
		count += max(1, r.MoreDomains.Domains)
	}
	for _, d := range others {
		sum.Sent, sum.Failed, sum.DeferredOK = sum.Sent+d.Sent, sum.Failed+d.Failed, sum.DeferredOK+d.DeferredOK
		sum.P95 = max(sum.P95, d.P95)
	}
	return sum, count
}

func p95(d Domain) string {
	if d.Sent == 0 {
		return "–"
	}
	if d.P95 < 0.1 {
		return fmt.Sprintf("%.0fms", d.P95*1000)
	}
	return fmt.Sprintf("%.1fs", d.P95)
}
