package report

import (
	"strings"
	"testing"
	"time"
)

// A retry that was cut is gone on with by its own command, whether somebody is pending or not; one that ended is not.
func TestGoOn(t *testing.T) {
	const plain, retry = "Go on: mailblast send\n", "Go on: mailblast send --retry unknown\n"
	now := time.Now()
	for _, c := range []struct {
		r    Report
		goOn string
		want string
	}{
		{Report{Unknown: 3}, "mailblast send --retry unknown", retry},
		{Report{Unknown: 3, Pending: 1}, "mailblast send --retry unknown", retry},
		{Report{Unknown: 3, Pending: 1}, "", plain},
		{Report{Unknown: 3, Finished: &now}, "mailblast send --retry unknown", "mailblast send --retry unknown\n"},
	} {
		var b strings.Builder
		if err := c.r.Text(&b, TextOptions{GoOn: c.goOn}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(b.String(), c.want) || c.r.Finished != nil && strings.Contains(b.String(), "Go on") {
			t.Errorf("%+v ends with\n%s", c.r, b.String())
		}
	}
}
