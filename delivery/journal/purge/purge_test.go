package purge

import (
	"bytes"
	"testing"

	"github.com/mailblast/mailblast/delivery/journal/entry"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

func entries(all ...entry.Entry) (b []byte) {
	for i := range all {
		b = all[i].Append(b)
	}
	return b
}

func TestNameless(t *testing.T) {
	full := entry.Entry{Key: [16]byte{1, 2}, Copy: 3, After: 4, Via: 1, Attempts: 5, Tries: 6, First: 1764000000000000, Print: 7, To: "jo@x.test"}
	bare := full
	bare.To, bare.Print = "", 0
	printed := bare
	printed.Print = 7
	for _, c := range []struct {
		name     string
		in, want []byte
		had, bad bool
	}{
		{"none", nil, []byte{}, false, false},
		{"address", entries(full), entries(bare), true, false},
		{"fingerprint", entries(printed), entries(bare), true, false},
		{"purged before", entries(bare, bare), entries(bare, bare), false, false},
		{"one of several", entries(bare, full, bare), entries(bare, bare, bare), true, false},
		{"cut", entries(full)[:20], nil, false, true},
		{"cut behind a whole one", append(entries(full), 1, 2, 3), nil, false, true},
	} {
		got, had, err := nameless(c.in)
		if !bytes.Equal(got, c.want) || had != c.had || (err != nil) != c.bad {
			t.Errorf("%s: %x, %v, %v; want %x, %v", c.name, got, had, err, c.want, c.had)
		}
	}
}

// The places of columns that change are those of the schema.
func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		t    table.Table
		at   int
		name string
	}{
		{table.Outcomes, outcomeRun, "run"}, {table.Outcomes, outcomePrint, "print"}, {table.Outcomes, outcomeTo, "rcpt"},
		{table.Outcomes, outcomeText, "text"}, {table.Outcomes, outcomeHost, "host"}, {table.Outcomes, outcomeQueue, "queue"},
		{table.Intents, intentRun, "run"}, {table.Intents, intentEntries, "entries"},
		{table.Skipped, skippedNumber, "number"}, {table.Skipped, skippedChanged, "changed"}, {table.Skipped, skippedTo, "rcpt"}, {table.Skipped, skippedText, "text"},
		{table.Pauses, pauseChanged, "changed"}, {table.Pauses, pauseText, "text"}, {table.Pauses, pauseHost, "host"},
	} {
		if got := c.t.Columns[c.at]; got != c.name {
			t.Errorf("%s: column %d is %s, not %s", c.t.Name, c.at, got, c.name)
		}
	}
}

func TestTold(t *testing.T) {
	blank := func() table.Row {
		r := make(table.Row, len(table.Outcomes.Columns))
		for i := range r {
			r[i] = int64(0)
		}
		for _, i := range []int{outcomeTo, 19, outcomeText, outcomeHost, 22, outcomeQueue} {
			r[i] = ""
		}
		return r
	}
	for at, want := range map[int]bool{outcomeTo: true, outcomeText: true, outcomeHost: true, outcomeQueue: true, 19: false, 22: false} {
		r := blank()
		r[at] = "x"
		if told(r) != want {
			t.Errorf("%s: %v", table.Outcomes.Columns[at], !want)
		}
	}
	r := blank()
	r[outcomePrint] = int64(-5)
	if told(blank()) || !told(r) {
		t.Error("a fingerprint counts, and nothing else does")
	}
}
