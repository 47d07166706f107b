package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/class"
)

func built(t *testing.T, s Source) (*Report, string) {
	t.Helper()
	r, err := Build(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Text(&b, TextOptions{Width: 300}); err != nil {
		t.Fatal(err)
	}
	return r, b.String()
}

// A send that went on with a run has its own time, beside that of the whole run; one that began it has the time that it sent, without
// that in which it was asked.
func TestTimeOfThisProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		process        *Process
		head, receipts string
	}{
		{nil, "finished in 41m 08s\n", "sent 2,400 of 2,409 in 41m (failed 4"},
		{&Process{Seconds: 9, Sent: 2400}, "finished in 9s\n", "sent 2,400 of 2,409 in 9s (failed 4"},
		{&Process{Seconds: 9, Sent: 300, Resumed: true}, "finished in 9s (300 sent this time), 41m 08s after it was begun\n",
			"sent 2,400 of 2,409 in 41m, 300 of them now in 9s (failed 4"},
	} {
		s := spring()
		s.Process = c.process
		r, text := built(t, s)
		if got := r.Receipt(TextOptions{}); !strings.Contains(got, c.receipts) || !strings.Contains(text, c.head) {
			t.Errorf("%+v: %s\n%s", c.process, got, text)
		}
	}
}

// What a person may have to decide about is told in a line each, and no longer than there is anything to decide.
func TestRemarks(t *testing.T) {
	t.Parallel()
	unknown := []delivery.Outcome{outcome(1, delivery.Unknown, "ana@x.test"), outcome(2, delivery.Unknown, "bob@x.test")}
	barred := func(who ...string) func(string) (bool, error) {
		return func(to string) (bool, error) { return slices.Contains(who, to), nil }
	}
	const lost = "in doubt since 2026-11-23 09:00: the journal was repaired, and had lost what became of some: they are unknown"
	const do = ". Leave them, or write to them once more: mailblast send --retry unknown"
	for name, c := range map[string]struct {
		s         Source
		want      []string
		undecided int
	}{
		"nothing":           {Source{Outcomes: seq(unknown)}, nil, 2},
		"suppressed":        {Source{Outcomes: seq(unknown), Barred: barred("ana@x.test")}, []string{"1 of the unknown was suppressed since: will not be written to"}, 1},
		"all suppressed":    {Source{Outcomes: seq(unknown), Barred: barred("ana@x.test", "bob@x.test")}, []string{"2 of the unknown were suppressed since: will not be written to"}, 0},
		"sent, suppressed":  {Source{Outcomes: seq([]delivery.Outcome{outcome(1, delivery.Sent, "ana@x.test")}), Barred: barred("ana@x.test")}, nil, 0},
		"one on the wire":   {Source{Outcomes: seq(unknown), OnWire: 1}, []string{"1 was on the wire when it was cut off: the next send takes it for unknown"}, 2},
		"on the wire":       {Source{Outcomes: seq(unknown), OnWire: 1200}, []string{"1,200 were on the wire when it was cut off: the next send takes them for unknown"}, 2},
		"in doubt":          {Source{Outcomes: seq(unknown), Deliveries: 2, Doubt: start}, []string{lost + do}, 2},
		"in doubt, pending": {Source{Outcomes: seq(unknown), Deliveries: 9, Doubt: start, OnWire: 2}, []string{lost + ", and 7 more will be at the next send" + do, "2 were begun and have no outcome: unknown at the next send"}, 2},
		"put off since":     {Source{Outcomes: seq([]delivery.Outcome{outcome(1, delivery.Deferred, "ana@x.test")}), Deliveries: 1, Doubt: start}, nil, 0},
	} {
		r, text := built(t, c.s)
		got := r.Remarks("mailblast send")
		if minute(start) != "2026-11-23 09:00" { // told in the time of this place
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], minute(start), "2026-11-23 09:00")
			}
		}
		if !slices.Equal(got, c.want) || r.Undecided() != c.undecided {
			t.Errorf("%s: %d undecided, %q", name, r.Undecided(), got)
		}
		if r.Doubt != nil && r.Doubt.Text == "" || len(c.want) > 0 && !strings.Contains(text, "  "+r.Remarks("mailblast send")[0]+"\n") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// After a purge those are known by name again who were found on the list since. Why they are unknown is not, and no class makes up
// a reason.
func TestPurgedReason(t *testing.T) {
	t.Parallel()
	known := outcome(1, delivery.Unknown, "ana@x.test")
	nameless := outcome(2, delivery.Failed, "")
	nameless.Class = delivery.ClassSoft
	coded := outcome(3, delivery.Failed, "")
	coded.Code, coded.Enhanced, coded.Class = 550, "5.1.1", delivery.ClassHard
	later := outcome(9, delivery.Unknown, "bob@x.test")
	later.Text = "interrupted before the reply"
	s := Source{Outcomes: seq([]delivery.Outcome{known, nameless, coded, later}), Purged: start.Add(5 * time.Second), Meaning: class.Meaning}
	_, text := built(t, s)
	for _, want := range []string{"why failed: 1× 550 5.1.1 ", "1× the reason was purged", "  unknown: the reason was purged (1)\n    ana@x.test\n", "bob@x.test"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "no reason given") || strings.Contains(text, "trouble at") {
		t.Errorf("a reason that nobody gave:\n%s", text)
	}
}
