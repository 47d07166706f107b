package report

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery"
)

// After a purge the counts are the same, nobody is named, and no command is offered that needs addresses. Who got an outcome
// since then is named.
func TestPurged(t *testing.T) {
	full := spring()
	before, err := Build(context.Background(), full)
	if err != nil {
		t.Fatal(err)
	}
	var bare []delivery.Outcome
	for o, err := range full.Outcomes {
		if err != nil {
			t.Fatal(err)
		}
		o.To, o.Text, o.Host, o.Queue = "", "", "", ""
		bare = append(bare, o)
	}
	src := full
	src.Outcomes, src.Purged, src.Columns = seq(bare), start, nil
	r, err := Build(context.Background(), src)
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent != before.Sent || r.Failed != before.Failed || r.Unknown != before.Unknown || r.Total != before.Total || r.More != r.Failed+r.Unknown || len(r.Domains) != 0 {
		t.Errorf("counts %+v", r)
	}
	shown := func() string {
		var b bytes.Buffer
		if err := r.Text(&b, TextOptions{}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	text := shown()
	for _, want := range []string{"recipients' data was purged at 2026-11-23", "why failed: ", "1× the reason was purged\n", "Once more to those who are still on the list: mailblast send --retry unknown\n    mailblast send --retry failed\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	for _, no := range []string{"csv", "  and ", "by domain", "    \n"} {
		if strings.Contains(text, no) {
			t.Errorf("has %q:\n%s", no, text)
		}
	}
	late := outcome(9999, delivery.Failed, "late@gmx.de")
	late.Code, late.Enhanced, late.Class = 550, "5.1.1", delivery.ClassHard
	src.Outcomes = seq(append(bare, late))
	if r, err = Build(context.Background(), src); err != nil {
		t.Fatal(err)
	}
	if text = shown(); !strings.Contains(text, "late@gmx.de") || !strings.Contains(text, "--only failed -o csv --out failed.csv") || len(r.Domains) != 1 {
		t.Errorf("who came later is not named:\n%s", text)
	}
}
