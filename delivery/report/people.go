package report

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/mailblast/mailblast/delivery"
)

// List writes the people of one state for a person to read, one address a line, and why they have their mail or not.
func List(ctx context.Context, w io.Writer, s Source, only string) error {
	b := bufio.NewWriter(w)
	line := func(to, why string) {
		if to == "" {
			to = "(its address was purged)"
		}
		if why != "" {
			to = pad(safe(to), 36) + "  " + safe(why)
		} else {
			to = safe(to)
		}
		_, _ = b.WriteString(to + "\n") // Flush gives the first error
	}
	for o, err := range s.Outcomes {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		if state(o.Status) == only {
			line(o.To, why(&o, s))
		}
	}
	if s.Skipped != nil && only == "skipped" {
		for row, err := range s.Skipped {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return fmt.Errorf("report: %w", err)
			}
			line(row.To, row.why())
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// why is the reply, or our own words where there is none.
func why(o *delivery.Outcome, s Source) string {
	if o.Status == delivery.Sent {
		return ""
	}
	text := strings.TrimSpace(o.Text)
	if text == "" && s.Meaning != nil && o.Status.Final() {
		text = s.Meaning(o.Class, o.Code, o.Enhanced)
	}
	r := Reason{Code: o.Code, Enhanced: o.Enhanced, Meaning: text}
	if o.Enhanced != "" && strings.HasPrefix(text, o.Enhanced) { // many servers begin with it
		r.Enhanced = ""
	}
	return r.title()
}
