package report

import (
	"time"

	"github.com/mailblast/mailblast/delivery"
)

// Doubt says that the journal lost what became of some, and what that means for them.
type Doubt struct {
	Since time.Time `json:"since"` // when it was repaired
	Text  string    `json:"text"`

	silent int // pending people of whom the journal knows nothing
}

// doubt is for as long as anybody is left whom it may touch.
func (b *builder) doubt(since time.Time) {
	d := &Doubt{Since: since, silent: b.Pending - b.open}
	if !since.IsZero() && b.Unknown+d.silent > 0 {
		d.Text = d.words("mailblast send")
		b.Doubt = d
	}
}

func (d *Doubt) words(send string) string {
	text := "the journal was repaired, and had lost what became of some: they are unknown"
	if d.silent > 0 {
		text += ", and " + number(d.silent) + " more will be at the next send"
	}
	return text + ". Leave them, or write to them once more: " + send + " --retry unknown"
}

// since tells that somebody who is unknown was suppressed later: nobody will write to them, whatever they have got.
func since(o *delivery.Outcome, barred func(string) (bool, error)) (bool, error) {
	if o.Status != delivery.Unknown || o.To == "" || barred == nil {
		return false, nil
	}
	return barred(o.To)
}

// Undecided is how many are unknown and may be written to again: what becomes of them is somebody's to decide.
func (r *Report) Undecided() int { return r.Unknown - r.UnknownSuppressed }

const suppressedSince = "suppressed since: will not be written to"

// with adds to what was said.
func with(said, more string) string {
	if said == "" {
		return more
	}
	return said + "; " + more
}

const reasonPurged = "the reason was purged"

// purgedReason tells that a purge took what was said of an outcome, and left no code that says it: a class alone is no reason, but
// for those that are our own finding. Who the unknown are is known again once the list was read.
func purgedReason(o *delivery.Outcome, purged *time.Time) bool {
	silent := o.Text == "" && o.Enhanced == "" && o.Code == 0 && o.Class < delivery.ClassContent
	return silent && purged != nil && (o.To == "" || o.Status == delivery.Unknown && !o.At.After(*purged))
}

// Remarks are what is to be known of the counts of a run that a person may have to decide about, a line each. Send is the command that sends the campaign.
func (r *Report) Remarks(send string) (lines []string) {
	if r.Doubt != nil {
		lines = append(lines, "in doubt since "+minute(r.Doubt.Since)+": "+r.Doubt.words(send))
	}
	switch n := r.OnWire; {
	case n > 0 && r.Doubt != nil: // or the outcome is among what was lost
		lines = append(lines, count(n, "was begun and has", "were begun and have")+" no outcome: unknown at the next send")
	case n == 1:
		lines = append(lines, "1 was on the wire when it was cut off: the next send takes it for unknown")
	case n > 1:
		lines = append(lines, number(n)+" were on the wire when it was cut off: the next send takes them for unknown")
	}
	if n := r.UnknownSuppressed; n > 0 {
		lines = append(lines, count(n, "of the unknown was ", "of the unknown were ")+suppressedSince)
	}
	return lines
}

func minute(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }
