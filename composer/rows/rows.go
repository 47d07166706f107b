// Package rows reads a campaign's recipients, once, into a row store (package store):
//
//  1. Read opens the source: a file or standard input (package file), PostgreSQL, or SQLite;
//  2. a database is asked in one short read-only transaction, and its answer is streamed;
//  3. every row is appended to the store, a file that nobody else can read and that is gone when the process is;
//  4. a read that breaks is started again into a fresh store: no gap, no repeat; standard input cannot be;
//  5. the store serves the rows in their order (Each) and one by one (At) for as long as the campaign runs.
//
// A row that cannot be used (ragged, not UTF-8, too large) is kept with its Fault, so that it is accounted for.
//
// # Text forms
//
// What a template prints of a value (Text). The Go type is what it computes with.
//
//	PostgreSQL                        Go       text
//	bool                              bool     true, false
//	int2, int4, int8, oid             int64    -7
//	float4, float8                    float64  the shortest that reads back the same, without an exponent: 0.1, NaN, +Inf
//	numeric, money                    string   as the server gives it, every digit: 12.50, $12.50
//	text, varchar, name, citext       string   as it is
//	char(n)                           string   without the padding
//	date                              Moment   2006-01-02
//	time                              Moment   15:04:05, fractions when there are any: 15:04:05.25
//	timetz                            Moment   15:04:05+01:00
//	timestamp                         Moment   2006-01-02 15:04:05
//	timestamptz                       Moment   2006-01-02 15:04:05+01:00, in the session's time zone (timezone= in the dsn)
//	infinity, 24:00, years before 1   string   as the server gives them
//	interval                          string   as the server gives it, months in full: 2 months 1 day 04:05:06
//	json, jsonb                       nested   compact JSON, keys in order: {"a":[1,2]}; a text or number alone is one
//	arrays                            []any    a JSON list of what their elements are, NULL is null: ["a",null]
//	arrays of enums, of users' types  string   as the server gives it: {a,b}; with ::text[] a list
//	uuid, inet, enums, ranges, …      string   as the server gives it
//	composites                        string   as the server gives it: (a,1); with to_jsonb() nested
//	domains                                    as the type below them
//	bytea                             string   base64 (RFC 4648 §4)
//	NULL                              nil
//
//	SQLite, by what is stored         Go       text
//	INTEGER                           int64    -7; in a column declared BOOL or BOOLEAN 0 and 1 are bool
//	REAL                              float64  as above
//	TEXT                              string   as it is
//	TEXT declared JSON, JSONB         nested   as above; what is no JSON is a faulty row
//	TEXT declared DATE                Moment   2006-01-02; with a time of day but midnight as DATETIME
//	TEXT declared DATETIME, TIMESTAMP Moment   2006-01-02 15:04:05; with a zone but UTC 2006-01-02 15:04:05+01:00
//	TEXT declared TIME                Moment   15:04:05
//	such TEXT that is no time         string   as it is
//	BLOB                              string   base64
//
//	JSON                              Go       text
//	objects, arrays                   nested   compact JSON: map[string]any, []any
//	integers of 64 bits               int64    as they are
//	other numbers                     float64  when that prints the same digits; else string, as they are: 12.50
//	a key that an object has not      nil      NULL, as null is
//
//	Excel                             Go       text
//	text, rich text                   string   as it is; an empty cell is an empty string
//	numbers                           int64, float64: the 15 digits a workbook keeps, never 4.9E+10
//	numbers with leading zeros        string   as they are shown, by their format: 01067, 012-34-5678
//	percentages, hours past 24        string   as they are shown: 12.5%, 26:30:00
//	dates and times, by their format  Moment   as above
//	formulas                                   what the workbook has calculated
//
//	CSV, TSV                          string   as it is; an empty field is an empty string
package rows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows/store"
)

// Source is where recipients come from: Path or Stdin, or DSN and Query.
type Source struct {
	Path      string    // a file whose name says what it is (package file), relative to Base
	Stdin     io.Reader // takes the place of Path; it is read once, up to its end
	Charset   string    // of a text file, by a name package charset knows; empty: it is found out
	Delimiter byte      // of a text file; 0: it is found out
	Sheet     string    // of a workbook; empty: the only one that has cells

	DSN    string         // postgres://…, postgresql://… or sqlite:file, the file relative to Base
	Query  string         // one statement that reads
	Params map[string]any // values for :name in Query: string, bool, integer, float, time or nil
	Base   string         // the campaign's folder
}

// Options of Read. Only Dir is required.
type Options struct {
	Dir      string        // folder for the row store; made when it is not there
	MaxStore int64         // octets the row store may take; 0: 16 GiB, some 100 million rows
	Wait     time.Duration // how long to try to reach a database; 0: 30 s
	Timeout  time.Duration // for the whole query, in PostgreSQL; 0: 15 min. The DSN's statement_timeout goes first
	Progress func(n int)   // told now and then how many rows there are; starts again from 0 with the read; may be nil
	Log      *slog.Logger  // nil: no log
}

func (o Options) filled() Options {
	if o.MaxStore == 0 {
		o.MaxStore = 16 << 30
	}
	if o.Wait == 0 {
		o.Wait = 30 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

const maxRestarts = 4 // how often a cut read is started again

// Store is a list as it was read.
type Store = store.Store

// reader is one kind of source. A faulty row goes into the store; an error ends the read.
type reader interface {
	// read fills w. A *broken error means: start again with an empty store.
	read(ctx context.Context, w *writer) error
	close() error
}

// broken wraps the *Error of a read that may succeed when it is started again.
type broken struct{ err *Error }

func (b *broken) Error() string { return b.err.Error() }
func (b *broken) Unwrap() error { return b.err }

// Read reads the whole source. Trouble with the source is an *Error. The store must be closed.
func Read(ctx context.Context, src Source, o Options) (*Store, error) {
	o = o.filled()
	r, err := open(src, o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.close() }() // nothing was written
	for try := 0; ; try++ {
		s, err := readInto(ctx, r, o)
		b, again := err.(*broken)
		switch {
		case err == nil:
			return s, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !again:
			return nil, err
		case try == maxRestarts:
			b.err.Text = fmt.Sprintf("the read broke %d times, at last: %s", try+1, b.err.Text)
			return nil, b.err
		}
		o.Log.Warn("the read broke and is started again", "source", b.err.Source, "error", b.err.Text)
	}
}

func readInto(ctx context.Context, r reader, o Options) (*Store, error) {
	out, err := store.New(store.Options{Dir: o.Dir, Max: o.MaxStore, Progress: o.Progress})
	if err != nil {
		return nil, full(err)
	}
	if err := r.read(ctx, &writer{Writer: out}); err != nil {
		out.Discard()
		return nil, err
	}
	s, err := out.Finish()
	if err != nil {
		out.Discard()
		return nil, full(err)
	}
	return s, nil
}

// writer is where a reader puts its rows.
type writer struct {
	*store.Writer
	cols []composer.Column
}

// Columns names the columns, or adds some behind them.
func (w *writer) Columns(cols []composer.Column) {
	w.cols = cols
	w.Writer.Columns(cols)
}

// Add appends one row. Values are not kept.
func (w *writer) Add(line int, values []any, fault string) error {
	return full(w.Writer.Add(line, values, fault))
}

// full makes an *Error of what the store says.
func full(err error) error {
	if e, ok := errors.AsType[*store.Error](err); ok {
		return &Error{Kind: Full, Source: "row store", Text: e.Text, Hint: e.Hint, Err: e.Err}
	}
	return err
}

// open picks the kind of source and checks what can be checked without touching it.
func open(src Source, o Options) (reader, error) {
	scheme, rest, _ := strings.Cut(src.DSN, ":")
	switch {
	case src.Path != "" || src.Stdin != nil:
		return newList(src, o)
	case src.Query == "" || strings.TrimSpace(src.Query) == "":
		return nil, &Error{Source: "recipients", Text: "the query is empty"}
	case scheme == "postgres" || scheme == "postgresql":
		return newPostgres(src, o)
	case scheme == "sqlite":
		return newSQLite(src, rest)
	}
	return nil, &Error{Source: "recipients", Text: "the dsn names no database known here",
		Hint: "postgres://user@host/database or sqlite:file"}
}

// checkColumns refuses columns that a template could not tell apart.
func checkColumns(cols []composer.Column) (text, hint string) {
	if len(cols) == 0 {
		return "the query gives no columns", "it must be a SELECT"
	}
	seen := make(map[string]int, len(cols))
	for i, c := range cols {
		if first, ok := seen[c.Name]; ok {
			return fmt.Sprintf("columns %d and %d are both named %q", first+1, i+1, c.Name), "rename one of them"
		}
		seen[c.Name] = i
	}
	return "", ""
}

// Text gives the text form of a value, as the table above has it.
func Text(v any) string { return store.Text(v) }
