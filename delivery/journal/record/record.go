// Package record puts rows of the journal into words, for export:
//
//  1. All makes a Record of every row, or one a message of a row of intents, and names its run;
//  2. what is of the journal alone, such as the places of rows that were lost, is left out.
package record

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/entry"
	"github.com/mailblast/mailblast/delivery/journal/outcome"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// Record is one row of the journal in words, a message of an intent, or a run. Its JSON names are stable; empty ones are left out.
type Record struct {
	V    int    `json:"v"`
	Type string `json:"type"` // run, intent, outcome, reopened, skipped, kept, pause or suppressed
	Run  string `json:"run,omitempty"`
	Seq  int64  `json:"seq,omitempty"` // its place; many intents share one

	Key  string `json:"key,omitempty"` // of the delivery, in hexadecimal
	Copy int    `json:"copy,omitempty"`
	To   string `json:"to,omitempty"` // of suppressed: an address, or @domain

	Status   string     `json:"status,omitempty"`
	Stage    string     `json:"stage,omitempty"`
	Class    string     `json:"class,omitempty"`
	Code     int        `json:"code,omitempty"`
	Enhanced string     `json:"enhanced,omitempty"`
	Text     string     `json:"text,omitempty"`
	Host     string     `json:"host,omitempty"`
	TLS      string     `json:"tls,omitempty"`
	Queue    string     `json:"queue,omitempty"`
	Via      int        `json:"via,omitempty"`
	Round    int        `json:"round,omitempty"`
	Attempt  int        `json:"attempt,omitempty"`
	Try      int        `json:"try,omitempty"`
	Charged  bool       `json:"charged,omitempty"`
	First    *time.Time `json:"first,omitempty"`
	At       *time.Time `json:"at,omitempty"`
	Next     *time.Time `json:"next,omitempty"`
	Took     float64    `json:"took,omitempty"` // seconds
	After    int64      `json:"after,omitempty"`

	Row      int        `json:"row,omitempty"` // of the list: skipped
	Line     int        `json:"line,omitempty"`
	Fields   string     `json:"fields,omitempty"` // of the list, as JSON: kept
	Columns  string     `json:"columns,omitempty"`
	Scope    string     `json:"scope,omitempty"`
	Until    *time.Time `json:"until,omitempty"`
	Removed  bool       `json:"removed,omitempty"`
	Rows     int        `json:"rows,omitempty"` // run: of its list
	Finished *time.Time `json:"finished,omitempty"`
	Doubt    *time.Time `json:"doubt,omitempty"`
	Notes    string     `json:"notes,omitempty"` // as the journal has them
	Waiting  int        `json:"waiting,omitempty"`
	Refused  int        `json:"refused,omitempty"`
}

// Names are the names of runs by their numbers.
type Names map[int64]string

// All calls f with what the rows that each gives say, which must be intact. With only it is nothing but the rows of the run of
// that number.
func (n Names) All(ctx context.Context, each func(context.Context, func(table.Table, table.Row) error) error, only int64, f func(*Record) error) error {
	return each(ctx, func(t table.Table, row table.Row) error { return n.say(t, row, only, f) })
}

func (n Names) say(t table.Table, row table.Row, only int64, f func(*Record) error) error {
	of := runOf(t, row)
	if t.Name == table.Meta.Name || only != 0 && of != only || of == 0 && t.Name != table.Suppressed.Name {
		return nil
	}
	if t.Name == table.Intents.Name {
		return intents(row, n[of], f)
	}
	r := record(t, row)
	r.V, r.Run = 1, n[of]
	return f(r)
}

// runOf is the number of the run a row is of; 0: of none.
func runOf(t table.Table, row table.Row) int64 {
	switch t.Name {
	case table.Outcomes.Name, table.Intents.Name:
		return row.Int(1)
	case table.Suppressed.Name:
		return 0
	}
	return row.Int(0)
}

func intents(row table.Row, run string, each func(*Record) error) error {
	for rest := row.Blob(4); len(rest) > 0; {
		var e entry.Entry
		var err error
		if rest, err = e.Parse(rest, 2); err != nil {
			return err
		}
		r := &Record{V: 1, Type: "intent", Run: run, Seq: row.Int(0), Key: hex.EncodeToString(e.Key[:]), Copy: int(e.Copy), To: e.To, Via: e.Via,
			Attempt: e.Attempts + 1, Try: e.Tries + 1, First: moment(e.First), At: moment(row.Int(2)), After: row.Int(3) + int64(e.After)}
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

func moment(micro int64) *time.Time {
	if micro == 0 {
		return nil
	}
	t := outcome.FromMicro(micro).UTC()
	return &t
}

func record(t table.Table, r table.Row) *Record {
	switch t.Name {
	case table.Outcomes.Name:
		return outcomeRecord(r)
	case table.Runs.Name:
		return &Record{Type: "run", At: moment(r.Int(5)), Finished: moment(r.Int(6)), Rows: int(r.Int(7)), Columns: r.Text(9),
			Round: int(r.Int(10)), Doubt: moment(r.Int(15)), Notes: r.Text(20)}
	case table.Skipped.Name:
		return &Record{Type: "skipped", Row: int(r.Int(1)), Line: int(r.Int(3)), Class: delivery.Class(r.Int(4)).String(), To: r.Text(5), Text: r.Text(6)}
	case table.Kept.Name:
		return &Record{Type: "kept", Key: hex.EncodeToString(r.Blob(1)), Copy: int(r.Int(2)), To: r.Text(4), Fields: r.Text(5)}
	case table.Pauses.Name:
		return &Record{Type: "pause", Class: r.Text(1), Via: int(r.Int(2)), Queue: r.Text(3), Status: r.Text(5), Refused: int(r.Int(6)), Code: int(r.Int(8)),
			Enhanced: r.Text(9), Text: r.Text(10), Host: r.Text(11), At: moment(r.Int(12)), Waiting: int(r.Int(13))}
	}
	return &Record{Type: "suppressed", Seq: r.Int(0), To: r.Text(1), Scope: r.Text(2), Text: r.Text(3), Until: moment(r.Int(4)), At: moment(r.Int(5)),
		Removed: r.Int(6) != 0}
}

func outcomeRecord(row table.Row) *Record {
	o := outcome.Parse(row)
	r := &Record{Type: "outcome", Seq: row.Int(0), Key: hex.EncodeToString(o.ID.Key[:]), Copy: int(o.ID.Copy), To: o.To, Status: o.Status.String(),
		Stage: o.Stage.String(), Class: o.Class.String(), Code: o.Code, Enhanced: o.Enhanced, Text: o.Text, Host: o.Host, TLS: o.TLS, Queue: o.Queue,
		Via: o.Via, Round: int(row.Int(5)), Attempt: o.Attempt, Try: o.Try, Charged: o.Charged, First: moment(row.Int(13)), At: moment(row.Int(14)),
		Next: moment(row.Int(15)), Took: o.Took.Seconds()}
	if row.Int(4) == outcome.Reopened {
		r.Type, r.Status = "reopened", ""
	}
	return r
}
