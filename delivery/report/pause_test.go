package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery"
)

// What is paused is told with its reason, in one line that no server can break, and the next command follows from it.
func TestPausesAreTold(t *testing.T) {
	s := Source{Run: "lab", Deliveries: 5000, Outcomes: seq([]delivery.Outcome{outcome(1, delivery.Sent, "a@b.test"), outcome(2, delivery.Failed, "b@b.test")}),
		Pauses: []delivery.Pause{
			{Breaker: "sender", Kind: "route", Name: "smtp.test", Refused: 51, Code: 550, Enhanced: "5.1.8", Text: "who\x1b[2J?"},
			{Breaker: "policy", Kind: "domain", Name: "b.test", Refused: 61, Of: 180, Code: 554, Text: "no", Waiting: 4120},
			{Breaker: "mixed", Kind: "site", Name: "mx.test", Refused: 200, Of: 200, Code: 554},
			{Breaker: "login", Kind: "route", Name: "smtp.test", Refused: 1, Of: 1, Code: 535, Enhanced: "5.7.8", Text: "bad"},
		}}
	r, err := Build(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Text(&b, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`  paused: smtp.test refuses our sender: 550 5.1.8 who\x1b[2J?, 51 in a row; 4,998 people stay pending`,
		"  paused: b.test refuses our mail: 554 no, 61 of the last 180; 4,120 people stay pending",
		"  paused: mx.test refuses all our mail: 554, 200 of the last 200",
		"  paused: smtp.test refuses the login: 535 5.7.8 bad; 4,998 people stay pending",
		"  When the cause is mended: mailblast send",
		"    those refused before it paused: mailblast send --retry failed",
	} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
	b.Reset()
	if err := r.JSON(&b); err != nil || !strings.Contains(b.String(), `"reason": "554 no"`) {
		t.Errorf("%v: %s", err, b.String())
	}
}
