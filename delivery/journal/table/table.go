// Package table is the schema of the journal: which tables there are, what their rows hold, and how rows are sealed.
//
//  1. a row is a list of values in the order of its table's columns, the last of which is its seal;
//  2. Seal adds the seal to a row, Intact holds a row that was read against its seal.
//
// outcomes, intents and suppressed are append-only, and their places (seq) follow each other without a gap, so that a missing row is
// seen. Rows of the other tables are written anew when they change, with the number of the commit that did it.
package table

import (
	"fmt"
	"strings"

	"github.com/mailblast/mailblast/delivery/journal/sum"
)

// Table is one table whose rows are sealed.
type Table struct {
	Name    string
	Columns []string // in order, the seal last
	rowid   bool     // the first column is the row's number in the file as well
	ddl     string
}

// Are begins a sentence about some of the table's rows: "1 row of outcomes is", "12 rows of outcomes are".
func (t Table) Are(rows int64) string {
	if rows == 1 {
		return "1 row of " + t.Name + " is"
	}
	return fmt.Sprintf("%d rows of %s are", rows, t.Name)
}

// The tables. Times are Unix microseconds, 0 for none.
var (
	// Meta has one row: the journal's number, the host it is on, how many commits there were, the highest places of outcomes
	// and intents and the lowest that are kept, how many rows runs has, and the highest place of suppressed.
	Meta = define("meta", `one INTEGER PRIMARY KEY, id BLOB NOT NULL, host TEXT NOT NULL, commits INTEGER NOT NULL,
		outcomes INTEGER NOT NULL, intents INTEGER NOT NULL, outcomes_from INTEGER NOT NULL, intents_from INTEGER NOT NULL,
		runs INTEGER NOT NULL, suppressed INTEGER NOT NULL`, "")
	// Runs: first_outcome is the last place before the run; settled_outcome and settled_intent the last that settling has
	// seen; retried the highest round in which failed or suppressed deliveries were reopened; doubt when a repair could not tell what
	// became of those without outcome; reading the commit from which its skipped rows count.
	Runs = define("runs", `id INTEGER PRIMARY KEY, changed INTEGER NOT NULL, campaign TEXT NOT NULL, key TEXT NOT NULL,
		generation INTEGER NOT NULL, started INTEGER NOT NULL, finished INTEGER NOT NULL, rows INTEGER NOT NULL,
		deliveries INTEGER NOT NULL, columns TEXT NOT NULL, round INTEGER NOT NULL, retried INTEGER NOT NULL,
		first_outcome INTEGER NOT NULL, settled_outcome INTEGER NOT NULL, settled_intent INTEGER NOT NULL,
		doubt INTEGER NOT NULL, reading INTEGER NOT NULL, secret TEXT NOT NULL, letter TEXT NOT NULL, source TEXT NOT NULL,
		note TEXT NOT NULL`, `UNIQUE (campaign, key, generation)`)
	// Intents has one row a commit and run: after is the last place of outcomes before it.
	Intents = define("intents", `seq INTEGER PRIMARY KEY, run INTEGER NOT NULL, at INTEGER NOT NULL, after INTEGER NOT NULL,
		entries BLOB NOT NULL`, "")
	// Outcomes of tries, and rows that reopen a delivery.
	Outcomes = define("outcomes", `seq INTEGER PRIMARY KEY, run INTEGER NOT NULL, key BLOB NOT NULL, copy INTEGER NOT NULL,
		status INTEGER NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT NULL, try INTEGER NOT NULL, charged INTEGER NOT NULL,
		via INTEGER NOT NULL, stage INTEGER NOT NULL, class INTEGER NOT NULL, code INTEGER NOT NULL, first INTEGER NOT NULL,
		at INTEGER NOT NULL, next INTEGER NOT NULL, took INTEGER NOT NULL, print INTEGER NOT NULL, rcpt TEXT NOT NULL,
		enhanced TEXT NOT NULL, text TEXT NOT NULL, host TEXT NOT NULL, tls TEXT NOT NULL, queue TEXT NOT NULL`, "")
	// Skipped rows of the list.
	Skipped = define("skipped", `run INTEGER NOT NULL, number INTEGER NOT NULL, changed INTEGER NOT NULL, line INTEGER NOT NULL,
		class INTEGER NOT NULL, rcpt TEXT NOT NULL, text TEXT NOT NULL`, `PRIMARY KEY (run, number)`)
	// Kept rows of the list, as they were read.
	Kept = define("kept", `run INTEGER NOT NULL, key BLOB NOT NULL, copy INTEGER NOT NULL, changed INTEGER NOT NULL,
		rcpt TEXT NOT NULL, fields TEXT NOT NULL`, `PRIMARY KEY (run, key, copy)`)
	// Pauses has what breakers keep paused, so that the next process begins with a few trials, and that status can say why a run
	// stands still.
	Pauses = define("pauses", `run INTEGER NOT NULL, kind TEXT NOT NULL, via INTEGER NOT NULL, name TEXT NOT NULL,
		changed INTEGER NOT NULL, breaker TEXT NOT NULL, refused INTEGER NOT NULL, of INTEGER NOT NULL, code INTEGER NOT NULL,
		enhanced TEXT NOT NULL, text TEXT NOT NULL, host TEXT NOT NULL, at INTEGER NOT NULL, waiting INTEGER NOT NULL`,
		`PRIMARY KEY (run, kind, via, name)`)
	// Suppressed has who must not be written to, and who is taken off that list again: the latest row counts.
	Suppressed = define("suppressed", `seq INTEGER PRIMARY KEY, whom TEXT NOT NULL, scope TEXT NOT NULL, reason TEXT NOT NULL,
		until INTEGER NOT NULL, at INTEGER NOT NULL, removed INTEGER NOT NULL`, "")
)

func define(name, columns, constraint string) Table {
	t := Table{Name: name, rowid: strings.Contains(columns, "INTEGER PRIMARY KEY")}
	var text []string
	for c := range strings.SplitSeq(columns, ",") {
		c = strings.Join(strings.Fields(c), " ")
		column, _, _ := strings.Cut(c, " ")
		t.Columns, text = append(t.Columns, column), append(text, c)
	}
	t.Columns, text = append(t.Columns, "sum"), append(text, "sum INTEGER NOT NULL")
	if constraint != "" {
		text = append(text, constraint)
	}
	t.ddl = fmt.Sprintf("CREATE TABLE %s (%s)", name, strings.Join(text, ", "))
	return t
}

// DDL is the statement that makes the table.
func (t Table) DDL() string { return t.ddl }

// Numbered tells that the first column is the row's number in the file, which SQLite does not store in the row.
func (t Table) Numbered() bool { return t.rowid }

// List names the columns, separated by commas, each behind a prefix such as "o.".
func (t Table) List(prefix string) string { return prefix + strings.Join(t.Columns, ", "+prefix) }

// Insert is the statement that adds a number of rows. It replaces none in the append-only tables.
func (t Table) Insert(rows int) string {
	verb := "INSERT OR REPLACE"
	if t.Columns[0] == "seq" {
		verb = "INSERT"
	}
	row := "(?" + strings.Repeat(", ?", len(t.Columns)-1) + ")"
	return fmt.Sprintf("%s INTO %s (%s) VALUES %s%s", verb, t.Name, t.List(""), row, strings.Repeat(", "+row, rows-1))
}

// Seal adds its seal to a row of int64, string and []byte values.
func (t Table) Seal(s *sum.Sealer, row []any) []any {
	seal, _ := sum.Of(s, t.Name, row)
	return append(row, seal)
}

// Intact tells whether a row is as it was sealed.
func Intact[V any](t Table, s *sum.Sealer, row []V) bool {
	if len(row) != len(t.Columns) {
		return false
	}
	last := len(row) - 1
	want, ok := any(row[last]).(int64)
	seal, sealed := sum.Of(s, t.Name, row[:last])
	return ok && sealed && seal == want
}

// Row is a row as SQLite has it. A value of another kind than asked for is 0 or empty: an intact row has none.
type Row []any

// Int gives an integer.
func (r Row) Int(i int) int64 { n, _ := r[i].(int64); return n }

// Text gives a text.
func (r Row) Text(i int) string { s, _ := r[i].(string); return s }

// Blob gives octets, valid until the next row is read.
func (r Row) Blob(i int) []byte { b, _ := r[i].([]byte); return b }

// Scanner reads rows without turning one kind of value into another.
type Scanner struct{ row, into []any }

// Scan gives the row that rows is at. It is valid until the next call.
func (s *Scanner) Scan(t Table, rows interface{ Scan(...any) error }) (Row, error) {
	if len(s.row) != len(t.Columns) {
		s.row, s.into = make([]any, len(t.Columns)), make([]any, len(t.Columns))
		for i := range s.row {
			s.into[i] = &s.row[i]
		}
	}
	err := rows.Scan(s.into...)
	return s.row, err
}
