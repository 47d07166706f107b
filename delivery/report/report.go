// Package report tells what became of a campaign run.
//
//  1. Build walks the run's outcomes once, with memory that does not grow with the list, into one Report value;
//  2. Text, JSON and Receipt print that value, for a person, a program and a cron mail;
//  3. CSV walks the outcomes again and writes the people of one state with the columns of their row, to be corrected
//     and fed back.
package report

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mailblast/mailblast/delivery"
)

// Source is what a report is made from. Outcomes has one deciding outcome for each delivery: Deferred and NotTried ones
// are pending. It and Skipped may be walked more than once.
type Source struct {
	Run        string // its name, such as "spring-offer/2026-W48"
	Campaign   string
	Started    time.Time
	Finished   time.Time // zero: not finished
	Purged     time.Time // when the recipients' data was deleted: outcomes from before are without addresses; zero: never
	Doubt      time.Time // when a repair of the journal could not tell what became of deliveries without outcome; zero: never
	OnWire     int       // messages that were on the wire when the last process was cut off, and that nobody settled yet
	Process    *Process  // what the process that reports did itself; nil: nothing
	Rows       int       // of the list; 0: not known
	Deliveries int       // that the run is to end with, skipped rows apart; 0: not known
	Outcomes   iter.Seq2[delivery.Outcome, error]
	Skipped    iter.Seq2[Skipped, error]                                   // nil: none
	Barred     func(to string) (bool, error)                               // whether nobody may write to an address now; nil: nobody is barred
	Pauses     []delivery.Pause                                            // of a run that is not finished
	Meaning    func(c delivery.Class, code int, enhanced string) string    // a reply in plain words; nil: its text
	Columns    []string                                                    // of the list, for CSV; may be empty
	Notes      []string                                                    // what else is to be known of the run, in the order it happened
	Fields     func(ctx context.Context, id delivery.ID) ([]string, error) // a delivery's row, one a column; may give none
}

// Skipped is a row of the list that is no delivery.
type Skipped struct {
	Number, Line int
	To           string
	Class        delivery.Class
	Text         string
}

// Report is what became of a run. The five counts and Pending add up to Total. Its JSON names are stable.
type Report struct {
	V        int        `json:"v"`
	Run      string     `json:"run"`
	Campaign string     `json:"campaign"`
	Started  time.Time  `json:"started"`
	Finished *time.Time `json:"finished,omitempty"` // nil: not finished
	Purged   *time.Time `json:"purged,omitempty"`   // when the recipients' data was deleted; nil: never
	Doubt    *Doubt     `json:"doubt,omitempty"`    // nil: the journal lost nothing that matters now
	Seconds  float64    `json:"seconds"`            // until it finished, or until the latest outcome
	Process  *Process   `json:"process,omitempty"`  // nil: nothing was sent by the process that reports

	Rows       int `json:"rows"`
	Total      int `json:"total"` // deliveries and skipped rows
	Sent       int `json:"sent"`
	Failed     int `json:"failed"`
	Unknown    int `json:"unknown"`
	Suppressed int `json:"suppressed"`
	Skipped    int `json:"skipped"`
	Pending    int `json:"pending"`
	Deferred   int `json:"deferred"`    // of Pending: tried, and to be tried again
	DeferredOK int `json:"deferred_ok"` // of Sent: not at the first try

	UnknownSuppressed int `json:"unknown_suppressed,omitempty"` // of Unknown: suppressed since, so that nobody has to decide about them
	OnWire            int `json:"on_the_wire,omitempty"`        // when the last process was cut off: the next one takes them for unknown

	SkippedBy   map[string]int `json:"skipped_by,omitempty"` // by class
	Domains     []Domain       `json:"domains"`              // the largest first
	MoreDomains *Domain        `json:"more_domains,omitempty"`
	Reasons     []Reason       `json:"reasons"` // of what failed or is unknown, the most frequent first
	More        int            `json:"more"`    // failed and unknown people that no reason lists
	Notes       []string       `json:"notes,omitempty"`
	Pauses      []Pause        `json:"pauses,omitempty"`

	nameless int // failed and unknown people whose address was deleted, among More
}

// Process is what one process did of a run.
type Process struct {
	Seconds float64 `json:"seconds"` // that it sent
	Sent    int     `json:"sent"`
	Resumed bool    `json:"resumed"` // an earlier process began the run
}

// Domain counts the deliveries to one domain.
type Domain struct {
	Name       string  `json:"domain,omitempty"`
	Domains    int     `json:"domains,omitempty"` // how many, in MoreDomains
	Sent       int     `json:"sent"`
	Failed     int     `json:"failed"`
	Unknown    int     `json:"unknown,omitempty"`
	DeferredOK int     `json:"deferred_ok"`
	P95        float64 `json:"p95_seconds"` // 95 of 100 sent ones took less
}

const (
	mostPeople  = 1000 // of one status listed by name, so that failed ones never crowd out those in doubt; the rest are counted
	mostReasons = 200  // told apart; the rest are "other reasons"
	mostShown   = 25   // domains of a Report
)

// Build makes the report of a run.
func Build(ctx context.Context, s Source) (*Report, error) {
	r := &Report{V: 1, Run: s.Run, Campaign: s.Campaign, Started: s.Started, Rows: s.Rows, Notes: s.Notes, SkippedBy: map[string]int{},
		Domains: []Domain{}, Reasons: []Reason{}}
	if !s.Purged.IsZero() {
		r.Purged = &s.Purged
	}
	r.OnWire, r.Process = s.OnWire, s.Process
	b := builder{Report: r, meaning: s.Meaning, barred: s.Barred, domains: newDomains(), reasons: map[reasonKey]*Reason{}, people: map[delivery.Status]int{}}
	for o, err := range s.Outcomes {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
		if err := b.count(&o); err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
	}
	final := r.Sent + r.Failed + r.Unknown + r.Suppressed + r.Skipped
	r.Pending = max(b.open, s.Deliveries-final)
	if err := b.skipped(s); err != nil {
		return nil, err
	}
	r.pauses(s.Pauses)
	b.doubt(s.Doubt)
	r.Total = r.Sent + r.Failed + r.Unknown + r.Suppressed + r.Skipped + r.Pending
	if r.Rows == 0 {
		r.Rows = r.Total
	}
	b.finish(s)
	return r, nil
}

// builder is a Report in the making.
type builder struct {
	*Report
	meaning func(delivery.Class, int, string) string
	barred  func(string) (bool, error)
	domains *domains
	reasons map[reasonKey]*Reason
	people  map[delivery.Status]int // listed by name
	open    int
	last    time.Time
}

func (b *builder) count(o *delivery.Outcome) error {
	if o.At.After(b.last) {
		b.last = o.At
	}
	barred, err := since(o, b.barred)
	if err != nil {
		return err
	}
	switch o.Status {
	case delivery.Sent:
		b.Sent++
		if o.Try > 1 {
			b.DeferredOK++
		}
	case delivery.Failed:
		b.Failed++
		b.explain(o, false)
	case delivery.Unknown:
		b.Unknown++
		b.explain(o, barred)
		if barred {
			b.UnknownSuppressed++
		}
	case delivery.Suppressed:
		b.Suppressed++
	case delivery.Skipped:
		b.Report.Skipped++
		b.SkippedBy[o.Class.String()]++
	case delivery.Deferred:
		b.Deferred++
		b.open++
	case delivery.NotTried:
		b.open++
	}
	if !b.deleted(o) {
		b.domains.add(o)
	}
	return nil
}

func (b *builder) skipped(s Source) error {
	if s.Skipped == nil {
		return nil
	}
	for row, err := range s.Skipped {
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		b.Report.Skipped++
		b.SkippedBy[row.Class.String()]++
	}
	return nil
}

func (b *builder) finish(s Source) {
	end := b.last
	if !s.Finished.IsZero() {
		end = s.Finished
		b.Finished = &s.Finished
	}
	if end.After(s.Started) {
		b.Seconds = end.Sub(s.Started).Seconds()
	}
	b.Domains, b.MoreDomains = b.domains.top(mostShown)
	for _, r := range b.reasons {
		b.Reasons = append(b.Reasons, *r)
	}
	slices.SortFunc(b.Reasons, func(x, y Reason) int {
		if x.Status != y.Status {
			return strings.Compare(x.Status, y.Status) // failed, unknown
		}
		if x.Count != y.Count {
			return y.Count - x.Count
		}
		return strings.Compare(x.title(), y.title())
	})
	b.More = b.Failed + b.Unknown - b.people[delivery.Failed] - b.people[delivery.Unknown]
}

// JSON writes the report as one JSON document.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
