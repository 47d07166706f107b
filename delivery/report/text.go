package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// TextOptions say how a report is laid out for a person.
type TextOptions struct {
	Width  int    // cells of a line; 0 is 80
	Color  bool   // ANSI colours for what is wrong
	People int    // failed and unknown people to list by name; 0 is 20
	Send   string // the command that goes on with the run; empty is "mailblast send"
}

// Text writes the summary of a run and those who did not get their mail; its last line is the next command.
func (r *Report) Text(w io.Writer, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	if o.People <= 0 {
		o.People = 20
	}
	if o.Send == "" {
		o.Send = "mailblast send"
	}
	lines := []string{r.heading()}
	lines = append(lines, r.table(o)...)
	if r.Rows != r.Total {
		lines = append(lines, fmt.Sprintf("  %s deliveries and skipped rows, from %s rows", number(r.Total), number(r.Rows)))
	}
	for _, status := range []string{"failed", "unknown"} {
		if why := r.why(status); why != "" {
			lines = append(lines, wrap("  why "+status+": "+why, " · ", o.Width)...)
		}
	}
	lines = append(lines, r.bounces(o)...)
	lines = append(lines, r.next(o))
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func (r *Report) heading() string {
	if r.Finished == nil {
		return fmt.Sprintf("%s not finished, %s so far", safe(r.Run), span(r.Seconds))
	}
	return fmt.Sprintf("%s finished in %s", safe(r.Run), span(r.Seconds))
}

// table sets the counts and the domains side by side, or one below the other on narrow screens.
func (r *Report) table(o TextOptions) []string {
	left, right := r.counts(o), r.domainLines()
	gap := 40
	for _, line := range left {
		gap = max(gap, cells(line)+3)
	}
	if len(right) == 0 {
		return left
	}
	if o.Width < gap+cells(right[0]) {
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
	row := func(name, sent, failed, deferred, p95 string) string {
		return "  " + pad(name, 14) + fmt.Sprintf(" %8s %7s %12s %7s", sent, failed, deferred, p95)
	}
	lines := []string{row("by domain", "sent", "failed", "deferred→ok", "p95")}
	add := func(name string, d Domain) {
		lines = append(lines, row(name, number(d.Sent), number(d.Failed), number(d.DeferredOK), p95(d)))
	}
	shown := r.Domains[:min(shownDomains, len(r.Domains))]
	for _, d := range shown {
		add(safe(d.Name), d)
	}
	if rest, n := r.rest(len(shown)); n > 0 {
		add(fmt.Sprintf("(%s more)", number(n)), rest)
	}
	return lines
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

func (r *Report) why(status string) string {
	var parts []string
	for i := range r.Reasons {
		if r.Reasons[i].Status == status {
			parts = append(parts, fmt.Sprintf("%s× %s", number(r.Reasons[i].Count), r.Reasons[i].title()))
		}
	}
	return strings.Join(parts, " · ")
}

// bounces lists people under their reason.
func (r *Report) bounces(o TextOptions) []string {
	var lines []string
	left := o.People
	for i := range r.Reasons {
		reason := &r.Reasons[i]
		if left <= 0 {
			break
		}
		lines = append(lines, fmt.Sprintf("  %s: %s (%s)", reason.Status, reason.title(), number(reason.Count)))
		for _, p := range reason.People[:min(left, len(reason.People))] {
			left--
			line := "    " + safe(p.To)
			if said := strings.TrimSpace(p.Text); said != "" && said != reason.Meaning {
				line = pad(line, 36) + "  " + safe(said)
			}
			lines = append(lines, line)
		}
	}
	if more := r.Failed + r.Unknown - (o.People - left); more > 0 {
		only := "failed"
		if r.Failed == 0 {
			only = "unknown"
		}
		lines = append(lines, fmt.Sprintf("  and %s more: mailblast report %s --only %s", number(more), safe(r.Run), only))
	}
	return lines
}

// next is what to do now.
func (r *Report) next(o TextOptions) string {
	switch {
	case r.Pending > 0:
		return "  Go on: " + o.Send
	case r.Failed > 0:
		return "  Fix and retry: mailblast report " + safe(r.Run) + " --only failed -o csv --out failed.csv   ·   " + o.Send + " --retry failed"
	case r.Unknown > 0:
		return "  May or may not have arrived: mailblast report " + safe(r.Run) + " --only unknown   ·   " + o.Send + " --retry unknown"
	}
	return "  All of it again: mailblast report " + safe(r.Run)
}

// Receipt is the run in one line, for cron.
func (r *Report) Receipt() string {
	var rest []string
	for _, c := range []struct {
		name string
		n    int
	}{{"failed", r.Failed}, {"unknown", r.Unknown}, {"suppressed", r.Suppressed}, {"skipped", r.Skipped}, {"pending", r.Pending}} {
		if c.n > 0 {
			rest = append(rest, c.name+" "+number(c.n))
		}
	}
	s := fmt.Sprintf("%s: sent %s of %s in %s", safe(r.Run), number(r.Sent), number(r.Total), short(r.Seconds))
	if len(rest) > 0 {
		s += " (" + strings.Join(rest, ", ") + ")"
	}
	return s + "; report: mailblast report " + safe(r.Run)
}

// span is a duration as "41m 08s", and short only its largest unit.
func span(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case h > 0:
		return fmt.Sprintf("%dh %02dm", h, m)
	case m > 0:
		return fmt.Sprintf("%dm %02ds", m, s)
	}
	return fmt.Sprintf("%ds", s)
}

func short(seconds float64) string {
	s, _, _ := strings.Cut(span(seconds), " ")
	return s
}

// percent never rounds up to all.
func percent(n, of int) string {
	p := float64(n) * 100 / float64(of)
	if n < of {
		p = min(p, 99.9)
	}
	return fmt.Sprintf("%.1f%%", p)
}

// number groups thousands: 48,210.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-cells(s)))
}

// cells counts characters without the colour codes of counts.
func cells(s string) int {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\x1b[31m", ""), "\x1b[0m", "")
	return utf8.RuneCountInString(s)
}

// wrap breaks a line at separators.
func wrap(s, sep string, width int) []string {
	parts := strings.Split(s, sep)
	lines := []string{parts[0]}
	for _, p := range parts[1:] {
		if last := &lines[len(lines)-1]; cells(*last)+cells(sep)+cells(p) <= width {
			*last += sep + p
		} else {
			lines = append(lines, "    "+p)
		}
	}
	return lines
}

// safe escapes what a terminal could take for a command, and what reorders text.
func safe(s string) string {
	if strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) || c == utf8.RuneError }) < 0 {
		return s
	}
	q := strconv.Quote(s)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(q[1 : len(q)-1])
}
