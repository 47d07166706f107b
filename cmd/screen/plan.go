package screen

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Plan is what a run is about to do. It is shown as a block and written as the plan event.
type Plan struct {
	Run          string        `json:"run"`
	From         string        `json:"from"`
	Via          string        `json:"via"`  // relay as host:port, or "the recipients' mail exchangers"
	List         string        `json:"list"` // file or database of the recipients
	Rehearsal    bool          `json:"rehearsal,omitempty"`
	Limits       []string      `json:"limits,omitempty"` // such as "20/s", "4 connections"
	Rows         int           `json:"rows"`
	Already      int           `json:"already_sent"`
	Suppressed   int           `json:"suppressed"`
	Duplicate    int           `json:"duplicate"`
	Invalid      int           `json:"invalid"`
	Null         int           `json:"null,omitempty"`        // rows left out because a field they print is empty
	Ended        int           `json:"ended,omitempty"`       // failed or unknown before, and not asked to be tried again
	Beyond       int           `json:"beyond,omitempty"`      // left for later by --limit
	ToSend       int           `json:"to_send"`               // rows
	Doubtful     int           `json:"may_have_it,omitempty"` // of to_send, those that were unknown and are tried again
	Deliveries   int           `json:"deliveries"`            // what these rows come to, with their cc and bcc; equal to ToSend without
	InDoubt      int           `json:"in_doubt"`              // at most so many could be unknown after a crash
	About        time.Duration `json:"-"`                     // expected length; 0 is not known
	FirstTo      string        `json:"first_to,omitempty"`
	FirstSubject string        `json:"first_subject,omitempty"`
	LastTest     string        `json:"last_test,omitempty"` // such as "today 09:12 to ana@acme.example"
	CanTest      bool          `json:"-"`                   // the question offers a test letter
	Notes        []string      `json:"notes,omitempty"`     // what else to know before saying yes
	Width        int           `json:"-"`                   // of the terminal in cells; 0 is without end
}

// Headline is a rehearsal in one line.
func (p *Plan) Headline() string {
	return fmt.Sprintf("%s: %s %s in %s → %s\n", Printable(p.Run), Comma(p.ToSend), plural(p.ToSend, "person", "people"),
		Printable(p.List), Printable(p.Via))
}

// Write shows the plan; of a rehearsal, what its headline leaves open.
func (p *Plan) Write(w io.Writer) error {
	if p.Rehearsal {
		return p.writeRehearsal(w)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  from %s via %s", Printable(p.Run), Printable(p.From), Printable(p.Via))
	if len(p.Limits) > 0 {
		fmt.Fprintf(&b, " (%s)", Printable(strings.Join(p.Limits, ", ")))
	}
	b.WriteString("\n  " + p.sum() + "\n" + p.first())
	if p.InDoubt > 0 && p.ToSend > 0 {
		fmt.Fprintf(&b, "  at most %s on the wire at once: a crash leaves no more than %s in doubt\n", Comma(p.InDoubt), plural(p.InDoubt, "this one", "these"))
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "  %s\n", Printable(n))
	}
	return write(w, b.String())
}

// writeRehearsal shows the rows only where some of them get no letter.
func (p *Plan) writeRehearsal(w io.Writer) error {
	if p.ToSend == p.Rows && p.Deliveries == p.ToSend {
		return write(w, p.first())
	}
	return write(w, "  "+p.sum()+"\n"+p.first())
}

// first is the line of the first letter.
func (p *Plan) first() string {
	if p.FirstTo == "" {
		return ""
	}
	line := fmt.Sprintf("  first: %s \"%s\"", Printable(p.FirstTo), Printable(p.FirstSubject))
	if p.LastTest != "" {
		line += "     last test: " + Printable(p.LastTest)
	}
	return line + "\n"
}

func write(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return nil
}

// sum is the line that accounts for every row. A narrow terminal makes it several.
func (p *Plan) sum() string {
	parts := []string{Comma(p.Rows) + " " + plural(p.Rows, "row", "rows"), "− " + Comma(p.Already) + " already sent"}
	for _, c := range []struct {
		n    int
		name string
	}{{p.Suppressed, "suppressed"}, {p.Duplicate, "duplicate"}, {p.Invalid, "invalid"}, {p.Null, "with an empty field"},
		{p.Ended, "failed or unknown before"}, {p.Beyond, "beyond the limit"}} {
		if c.n > 0 {
			parts = append(parts, "− "+Comma(c.n)+" "+c.name)
		}
	}
	result := "=  " + Comma(p.ToSend) + " to send"
	if p.Deliveries != p.ToSend && p.Deliveries > 0 {
		result += fmt.Sprintf(" (%s with cc and bcc)", Comma(p.Deliveries))
	}
	if p.About > 0 && p.ToSend > 0 {
		result += ", about " + roughly(p.About)
	}
	var b strings.Builder
	at := 0
	for i, part := range append(parts, result) {
		switch n := cells(part); {
		case i == 0:
			at = n + len("  ")
		case p.Width > 0 && at+3+n > p.Width:
			b.WriteString("\n    ")
			at = n + len("    ")
		default:
			b.WriteString("   ")
			at += 3 + n
		}
		b.WriteString(part)
	}
	return b.String()
}

// Question is what the plan asks.
func (p *Plan) Question() string {
	doubt := ""
	switch {
	case p.Doubtful > 0 && p.Doubtful == p.ToSend:
		doubt = ", who may have the letter already"
	case p.Doubtful > 0:
		doubt = fmt.Sprintf(", %s of whom may have the letter already", Comma(p.Doubtful))
	}
	q := fmt.Sprintf("Send to %s %s%s? Type yes", Comma(p.ToSend), plural(p.ToSend, "person", "people"), doubt)
	if p.CanTest {
		q += ", or t to send yourself a test first"
	}
	return q + ": "
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func roughly(d time.Duration) string {
	if d < time.Minute {
		return "a minute"
	}
	if d < time.Hour {
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	}
	return short(d)
}
