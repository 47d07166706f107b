package report

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mailblast/mailblast/delivery"
)

// Reason groups people by why they did not get their mail.
type Reason struct {
	Status   string   `json:"status"`
	Code     int      `json:"code,omitempty"`
	Enhanced string   `json:"enhanced,omitempty"`
	Meaning  string   `json:"meaning"`
	Count    int      `json:"count"`
	People   []Person `json:"people"`
}

// Person is somebody who did not get their mail.
type Person struct {
	To   string    `json:"to"`
	Host string    `json:"host,omitempty"`
	Text string    `json:"text,omitempty"`
	At   time.Time `json:"at"`

	Suppressed bool `json:"suppressed,omitempty"` // unknown, and suppressed since
}

type reasonKey struct {
	status         delivery.Status
	code           int
	enhanced, text string
}

// deleted tells that nobody knows any more whom an outcome is about.
func (b *builder) deleted(o *delivery.Outcome) bool { return o.To == "" && b.Purged != nil }

func (b *builder) explain(o *delivery.Outcome, barred bool) {
	words := o.Text
	switch {
	case purgedReason(o, b.Purged):
		words = reasonPurged
	case b.meaning != nil && (o.Code != 0 || o.Enhanced != "" || words == ""):
		words = b.meaning(o.Class, o.Code, o.Enhanced)
	}
	k := reasonKey{o.Status, o.Code, o.Enhanced, words}
	r := b.reasons[k]
	if r == nil && len(b.reasons) >= mostReasons {
		k = reasonKey{status: o.Status, text: "other reasons"}
		r = b.reasons[k]
	}
	if r == nil {
		r = &Reason{Status: k.status.String(), Code: k.code, Enhanced: k.enhanced, Meaning: k.text, People: []Person{}}
		b.reasons[k] = r
	}
	r.Count++
	if b.deleted(o) {
		b.nameless++
		return
	}
	if b.people[o.Status] < mostPeople {
		b.people[o.Status]++
		r.People = append(r.People, Person{o.To, o.Host, o.Text, o.At, barred})
	}
}

// title is the reason in one line: "550 5.1.1 no such user".
func (r *Reason) title() string {
	var parts []string
	if r.Code != 0 {
		parts = append(parts, fmt.Sprint(r.Code))
	}
	if r.Enhanced != "" {
		parts = append(parts, r.Enhanced)
	}
	return safe(strings.Join(append(parts, r.Meaning), " "))
}

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
		if state(o.Status) != only {
			continue
		}
		reason := why(&o, s)
		switch barred, err := since(&o, s.Barred); {
		case err != nil:
			return fmt.Errorf("report: %w", err)
		case barred:
			reason = with(reason, suppressedSince)
		}
		line(o.To, reason)
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
	if !s.Purged.IsZero() && purgedReason(o, &s.Purged) {
		return reasonPurged
	}
	if text == "" && s.Meaning != nil && o.Status.Final() {
		text = s.Meaning(o.Class, o.Code, o.Enhanced)
	}
	r := Reason{Code: o.Code, Enhanced: o.Enhanced, Meaning: text}
	if o.Enhanced != "" && strings.HasPrefix(text, o.Enhanced) { // many servers begin with it
		r.Enhanced = ""
	}
	return r.title()
}
