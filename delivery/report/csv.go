package report

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mailblast/mailblast/delivery"
)

// States are what CSV can be narrowed to.
var States = []string{"failed", "unknown", "sent", "suppressed", "skipped", "pending"}

// CSV writes the deliveries of one state, or all for an empty one, with the columns of their row, then error,
// smtp_code, enhanced_code and tried_at (RFC 3339). The line of somebody in cc or bcc has that person's address in place of
// the row's, for it speaks of no other. What a spreadsheet would take for a formula begins with '.
func CSV(ctx context.Context, w io.Writer, s Source, only string) error {
	if only != "" && !slices.Contains(States, only) {
		return fmt.Errorf("report: no such state %q: it is one of %s", only, strings.Join(States, ", "))
	}
	t := newTable(w, s, only == "")
	err := t.outcomes(ctx, only)
	if err == nil && s.Skipped != nil && (only == "" || only == "skipped") {
		err = t.skipped(ctx)
	}
	t.w.Flush()
	if err == nil {
		err = t.w.Error()
	}
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// state is what a delivery's outcome counts as, one of States.
func state(s delivery.Status) string {
	if !s.Final() {
		return "pending"
	}
	return s.String()
}

func (s *Skipped) why() string { return fmt.Sprintf("row %d: %s: %s", s.Number, s.Class, s.Text) }

// table is a CSV file in the making.
type table struct {
	w       *csv.Writer
	s       Source
	columns int // of the list, or the one for the address
	address int // which of them holds the address of those whose row is not known
	state   bool
}

func newTable(w io.Writer, s Source, state bool) *table {
	t := &table{w: csv.NewWriter(w), s: s, state: state}
	head := slices.Clone(s.Columns)
	t.address = slices.IndexFunc(head, func(c string) bool {
		return slices.Contains([]string{"email", "e-mail", "mail"}, strings.ToLower(c))
	})
	if t.address < 0 {
		t.address = len(head)
		head = append(head, "email")
	}
	t.columns = len(head)
	if state {
		head = append(head, "state")
	}
	t.write(append(head, "error", "smtp_code", "enhanced_code", "tried_at"))
	return t
}

func (t *table) outcomes(ctx context.Context, only string) error {
	for o, err := range t.s.Outcomes {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		state := state(o.Status)
		if only != "" && state != only {
			continue
		}
		var fields []string
		if t.s.Fields != nil && len(t.s.Columns) > 0 {
			if fields, err = t.s.Fields(ctx, o.ID); err != nil {
				return err
			}
		}
		if o.ID.Copy > 0 && t.address < len(fields) {
			fields = slices.Clone(fields)
			fields[t.address] = o.To
		}
		code := ""
		if o.Code != 0 {
			code = strconv.Itoa(o.Code)
		}
		tried := ""
		if !o.At.IsZero() {
			tried = o.At.UTC().Format(time.RFC3339)
		}
		text := o.Text
		if o.Status == delivery.Sent {
			text = ""
		}
		if barred, err := since(&o, t.s.Barred); err != nil {
			return err
		} else if barred {
			text = with(text, suppressedSince)
		}
		t.row(o.To, fields, state, safe(text), code, safe(o.Enhanced), tried)
	}
	return nil
}

func (t *table) skipped(ctx context.Context) error {
	for row, err := range t.s.Skipped {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		t.row(row.To, nil, "skipped", safe(row.why()), "", "", "")
	}
	return nil
}

func (t *table) row(to string, fields []string, state string, tail ...string) {
	record := make([]string, t.columns, t.columns+1+len(tail))
	copy(record, fields)
	if record[t.address] == "" {
		record[t.address] = to
	}
	if t.state {
		record = append(record, state)
	}
	t.write(append(record, tail...))
}

// write guards every field; the writer keeps its first error until the end.
func (t *table) write(record []string) {
	for i, f := range record {
		record[i] = Guarded(f)
	}
	_ = t.w.Write(record)
}

// Guarded keeps a spreadsheet from taking a value for a formula. One that is set to part cells at semicolons or tabs sees the
// beginning of a cell in the middle of a value, and there a quote of ours is a sign like any other.
func Guarded(f string) string {
	var b strings.Builder
	done := 0
	for begin := 0; begin >= 0 && begin < len(f); {
		if formula(f[begin:]) {
			b.WriteString(f[done:begin] + "'")
			done = begin
		}
		next := strings.IndexAny(f[begin:], ";\t\r\n")
		if next < 0 {
			break
		}
		begin += next + 1
	}
	if done == 0 && b.Len() == 0 {
		return f
	}
	return b.String() + f[done:]
}

// formula tells whether a spreadsheet might calculate what begins here; some take the wide signs of East Asia for the narrow.
func formula(s string) bool {
	r, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " \""))
	return strings.ContainsRune("=+-@\t\r＝＋－＠", r)
}
