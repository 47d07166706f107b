package cmd

import (
	"encoding/csv"
	"io"
	"strconv"
	"time"

	"github.com/mailblast/mailblast/delivery/journal/record"
	"github.com/mailblast/mailblast/delivery/report"
)

// tries is a CSV file of every outcome, in which no cell is a formula.
type tries struct{ w *csv.Writer }

var triesHead = []string{"run", "seq", "key", "copy", "email", "status", "stage", "class", "smtp_code", "enhanced_code", "text", "host", "tls",
	"queue", "via", "attempt", "try", "first", "at", "next", "took"}

func newTries(out io.Writer) *tries {
	t := &tries{csv.NewWriter(out)}
	_ = t.w.Write(triesHead) // the writer keeps its first error until the end
	return t
}

func (t *tries) add(r *record.Record) error {
	if r.Type != "outcome" {
		return nil
	}
	code := ""
	if r.Code != 0 {
		code = strconv.Itoa(r.Code)
	}
	line := []string{r.Run, strconv.FormatInt(r.Seq, 10), r.Key, strconv.Itoa(r.Copy), r.To, r.Status, r.Stage, r.Class, code, r.Enhanced, r.Text, r.Host,
		r.TLS, r.Queue, strconv.Itoa(r.Via), strconv.Itoa(r.Attempt), strconv.Itoa(r.Try), stamped(r.First), stamped(r.At), stamped(r.Next),
		strconv.FormatFloat(r.Took, 'f', -1, 64)}
	for i := range line {
		line[i] = report.Guarded(line[i])
	}
	return t.w.Write(line)
}

func (t *tries) end() error {
	t.w.Flush()
	return t.w.Error()
}

func stamped(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339)
}
