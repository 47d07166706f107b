package report

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const reportCommand = "mailblast report"

// TextOptions say how a report is laid out for a person.
type TextOptions struct {
	Width    int    // cells of a line; 0 is 100
	Color    bool   // ANSI colours for what is wrong
	People   int    // failed and unknown people to list by name; 0 is 20
	Send     string // the command that sends the campaign; empty is "mailblast send"
	GoOn     string // the command that goes on with what was begun, where the run is not finished; empty is Send
	About    string // what is to be known of these commands, told before them; empty: nothing
	Report   string // the command that tells of a run later on, without the run's name; empty is "mailblast report"
	Rehearse string // what to do after a run that nobody remembers, in place of these commands; empty: it is remembered
}

// Text writes the summary of a run and those who did not get their mail; its last line is the next command.
func (r *Report) Text(w io.Writer, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = 100
	}
	if o.People <= 0 {
		o.People = 20
	}
	o.Send = cmp.Or(o.Send, "mailblast send")
	o.GoOn = cmp.Or(o.GoOn, o.Send)
	if o.Report == "" {
		o.Report = reportCommand
	}
	lines := []string{r.heading()}
	lines = append(lines, r.table(o)...)
	if r.Total > r.Rows || r.Total < r.Rows && r.Finished != nil { // a list that was not read to its end has no sum yet
		lines = append(lines, fmt.Sprintf("  %s and skipped rows, from %s", count(r.Total, "delivery", "deliveries"), count(r.Rows, "row", "rows")))
	}
	for _, remark := range r.Remarks(o.Send) {
		lines = append(lines, wrap("  "+remark, " ", o.Width)...)
	}
	for i := range r.Pauses {
		lines = append(lines, "  "+r.Pauses[i].String())
	}
	for _, status := range []string{"failed", "unknown"} {
		if why := r.why(status); why != "" {
			lines = append(lines, wrap("  why "+status+": "+why, " · ", o.Width)...)
		}
	}
	lines = append(lines, r.bounces(o)...)
	if r.Purged != nil {
		lines = append(lines, "  recipients' data was purged at "+minute(*r.Purged)+": domains, names and the words of servers are of what came later only")
	}
	for _, n := range r.Notes {
		lines = append(lines, wrap("  note: "+safe(n), " ", o.Width)...)
	}
	lines = append(lines, r.next(o)...)
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// heading has the time of the process that sent, and that of the whole run where there were others before.
func (r *Report) heading() string {
	took, whole := r.Seconds, ""
	if p := r.Process; p != nil {
		took = p.Seconds
		if p.Resumed {
			whole = fmt.Sprintf(" (%s sent this time), %s after it was begun", number(p.Sent), span(r.Seconds))
		}
	}
	if r.Finished == nil {
		return fmt.Sprintf("%s not finished, %s so far%s", safe(r.Run), span(took), whole)
	}
	return fmt.Sprintf("%s finished in %s%s", safe(r.Run), span(took), whole)
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

// bounces lists people under their reason. A single reason stands on the line above already.
func (r *Report) bounces(o TextOptions) []string {
	var lines []string
	left := o.People
	for i := range r.Reasons {
		reason := &r.Reasons[i]
		if left <= 0 {
			break
		}
		if len(r.Reasons) > 1 && len(reason.People) > 0 {
			lines = append(lines, fmt.Sprintf("  %s: %s (%s)", reason.Status, reason.title(), number(reason.Count)))
		}
		for _, p := range reason.People[:min(left, len(reason.People))] {
			left--
			line := "    " + safe(p.To)
			said := strings.TrimSpace(p.Text)
			if said == reason.Meaning {
				said = ""
			}
			if p.Suppressed {
				said = with(said, suppressedSince)
			}
			if said != "" {
				line = pad(line, 36) + "  " + safe(said)
			}
			lines = append(lines, line)
		}
	}
	more := r.Failed + r.Unknown - (o.People - left) - r.nameless
	if more <= 0 {
		return lines
	}
	line := fmt.Sprintf("  and %s more", number(more))
	if o.Rehearse == "" {
		only := "failed"
		if o.People >= r.Failed { // they come first
			only = "unknown"
		}
		line += fmt.Sprintf(": %s %s --only %s -o csv", o.Report, safe(r.Run), only)
	}
	return append(lines, line)
}

// next is what to do now; the lines with commands come last.
func (r *Report) next(o TextOptions) []string {
	tell := o.Report + " " + safe(r.Run)
	switch {
	case o.Rehearse != "":
		return []string{"  " + o.Rehearse}
	case r.Pending == 0 && r.Failed+r.Undecided() == 0:
		return []string{"  Read this again: " + tell}
	case o.About != "":
		about := "  " + o.About
		o.About = ""
		return append([]string{about}, r.next(o)...)
	case r.Pending > 0 && len(r.Pauses) > 0 && r.Failed > 0:
		return wrap("  When the cause is mended: "+o.GoOn+between+"those refused before it paused: "+o.Send+" --retry failed", between, o.Width)
	case r.Pending > 0, r.Finished == nil && o.GoOn != o.Send:
		return []string{"  Go on: " + o.GoOn}
	}
	if r.nameless == r.Failed+r.Unknown {
		return r.onceMore(o)
	}
	var lines []string
	if r.Undecided() > 0 {
		lines = wrap("  May or may not have arrived: "+tell+" --only unknown -o csv"+between+o.Send+" --retry unknown", between, o.Width)
	}
	if r.Failed > 0 {
		fix := "  Fix and retry: " + tell + " --only failed -o csv --out failed.csv" + between + o.Send + " --retry failed"
		lines = append(lines, wrap(fix, between, o.Width)...)
	}
	return lines
}

// onceMore is next where there are no addresses any more to be looked at.
func (r *Report) onceMore(o TextOptions) []string {
	var again []string
	if r.Undecided() > 0 {
		again = append(again, o.Send+" --retry unknown")
	}
	if r.Failed > 0 {
		again = append(again, o.Send+" --retry failed")
	}
	return wrap("  Once more to those who are still on the list: "+strings.Join(again, between), between, o.Width)
}

const between = "   ·   " // two commands

// Receipt is the run in one line, for cron. It ends with the command that tells more, which is Report of the options.
func (r *Report) Receipt(o TextOptions) string {
	if o.Report == "" {
		o.Report = reportCommand
	}
	var rest []string
	for _, c := range []struct {
		name string
		n    int
	}{{"failed", r.Failed}, {"unknown", r.Unknown}, {"suppressed", r.Suppressed}, {"skipped", r.Skipped}, {"pending", r.Pending}} {
		if c.n > 0 {
			rest = append(rest, c.name+" "+number(c.n))
		}
	}
	took, now := r.Seconds, ""
	if p := r.Process; p != nil && p.Resumed {
		now = fmt.Sprintf(", %s of them now in %s", number(p.Sent), short(p.Seconds))
	} else if p != nil {
		took = p.Seconds
	}
	s := fmt.Sprintf("%s: sent %s of %s in %s%s", safe(r.Run), number(r.Sent), number(r.Total), short(took), now)
	if len(rest) > 0 {
		s += " (" + strings.Join(rest, ", ") + ")"
	}
	return s + "; report: " + o.Report + " " + safe(r.Run)
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

// count is a number with the word that goes with it: 1 row, 12 rows.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
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
