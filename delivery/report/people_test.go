package report

import (
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
)

// Everybody of a state has a line, and nothing in it commands a terminal.
func TestList(t *testing.T) {
	t.Parallel()
	s := spring()
	s.Deliveries++
	late := outcome(3000, delivery.Deferred, "gil@x.test")
	late.Code, late.Text = 451, "later"
	var all []delivery.Outcome
	for o, err := range s.Outcomes {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	lost := outcome(3001, delivery.Unknown, "")
	lost.Text = "interrupted before the reply"
	s.Outcomes, s.Purged = seq(append(all, late, lost)), time.Now()
	for only, want := range map[string]string{
		"failed": "ana@gmail.com                         550 5.1.1 <ana@gmail.com> user unknown\n" +
			"bob@gmx.de                            550 5.1.1 <bob@gmx.de> user unknown\n" +
			"=cmd@gmail.com                        550 5.1.1 <=cmd@gmail.com> user unknown\n" +
			"dan@gmail.com                         552 5.2.2 \\x1b[2Jquota\\u202e exceeded\n",
		"unknown": "eve@gmx.de                            connection lost after the dot\n" +
			"(its address was purged)              interrupted before the reply\n",
		"suppressed": "fay@x.test\n",
		"pending":    "gil@x.test                            451 later\n",
	} {
		var b strings.Builder
		if err := List(t.Context(), &b, s, only); err != nil || b.String() != want {
			t.Errorf("%s: %v\n%s", only, err, b.String())
		}
	}
	var b strings.Builder
	if err := List(t.Context(), &b, s, "sent"); err != nil || strings.Count(b.String(), "\n") != 2400 || strings.Contains(b.String(), "  ") {
		t.Errorf("sent: %v", err)
	}
	b.Reset()
	if err := List(t.Context(), &b, s, "skipped"); err != nil || !strings.Contains(b.String(), "row 7: invalid: no @") {
		t.Errorf("skipped: %v\n%s", err, b.String())
	}
}
