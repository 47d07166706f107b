package rows

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows/jsontext"
	"github.com/mailblast/mailblast/composer/rows/sqltext"
	"github.com/mailblast/mailblast/composer/rows/store"
)

// sqliteFile is a query to an SQLite database.
type sqliteFile struct {
	stmt *statement
	name string // as the campaign spells it
	path string
}

// busyTimeout is how long a database that another program is writing to is waited for.
const busyTimeout = 10 * time.Second

func newSQLite(src Source, path string) (*sqliteFile, error) {
	if path == "" || strings.ContainsAny(path, "?#") || strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///") {
		return nil, &Error{Source: "recipients", Text: "the dsn names no SQLite file",
			Hint: "sqlite:people.db, or sqlite:/path/to/people.db, with no parameters"}
	}
	s := &sqliteFile{name: path, path: within(src.Base, path)}
	var err error
	s.stmt, err = prepare(s.name, src, sqltext.SQLite())
	return s, err
}

func (s *sqliteFile) close() error { return nil }

func (s *sqliteFile) read(ctx context.Context, w *writer) error {
	before, err := regular(s.name, s.path)
	if err != nil {
		return err
	}
	err = s.query(ctx, w, "")
	if !s.logMissing(err) {
		return s.judge(err)
	}
	// A database in WAL mode whose log is not there has no writer. Where we may not make the log's index beside it, it
	// is read as a file that does not change, and then looked at whether that was true.
	if err := s.query(ctx, w, "&immutable=1"); err != nil {
		return s.judge(err)
	}
	after, err := os.Stat(s.path)
	if err != nil {
		return missing(s.name, err)
	}
	if after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return &broken{&Error{Source: s.name, Text: "the database was changed while it was read"}}
	}
	return nil
}

// logMissing tells that a database could not be opened for want of its write-ahead log.
func (s *sqliteFile) logMissing(err error) bool {
	_, stat := os.Stat(s.path + "-wal")
	return primary(err) == sqlite3.SQLITE_CANTOPEN && errors.Is(stat, fs.ErrNotExist)
}

func (s *sqliteFile) query(ctx context.Context, w *writer, more string) error {
	path, err := filepath.Abs(s.path)
	if err != nil {
		return err
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	db, err := sqlx.Open("sqlite", fmt.Sprintf("%s?mode=ro&_pragma=busy_timeout(%d)&_pragma=query_only(1)%s", u.String(),
		busyTimeout.Milliseconds(), more))
	if err != nil {
		return err
	}
	defer db.Close() // nothing was written
	conn, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // nothing was written
	tx, err := conn.BeginTxx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing was written
	return s.stmt.stream(ctx, tx, w, func(i int, v any) (any, error) { return sqliteValue(w.cols[i], v) })
}

// primary gives the result code of SQLite without its extension.
func primary(err error) int {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// judge makes an *Error of what SQLite says.
func (s *sqliteFile) judge(err error) error {
	var said *sqlite.Error
	if own := (*Error)(nil); err == nil || errors.As(err, &own) || !errors.As(err, &said) {
		return err
	}
	e := Error{Source: s.name, Text: said.Error(), Err: err}
	switch primary(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		e.Kind, e.Text = Unreachable, fmt.Sprintf("another program kept the database locked for %v", busyTimeout)
	case sqlite3.SQLITE_CANTOPEN:
		e.Kind, e.Text = Missing, "the database has a write-ahead log that cannot be opened from here"
		e.Hint = "run as a user who may write in its folder, or copy the .db and the .db-wal file to one"
	case sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		e.Kind = Missing
	case sqlite3.SQLITE_IOERR:
		e.Kind = Unreachable
	case sqlite3.SQLITE_NOTADB:
		e.Text = "this is no SQLite database, or it is encrypted"
	case sqlite3.SQLITE_CORRUPT:
		e.Text = "the database is damaged: " + e.Text
	case sqlite3.SQLITE_READONLY:
		e.Text = "the query writes: recipients are read from a database that is opened read-only"
	default:
		return s.place(e)
	}
	return &e
}

// place points at the part of the query that SQLite names: it says `near "X"` and no position.
func (s *sqliteFile) place(e Error) *Error {
	for _, before := range []string{`near "`, "no such column: ", "no such table: ", "no such function: "} {
		_, rest, ok := strings.Cut(e.Text, before)
		if !ok {
			continue
		}
		name := strings.FieldsFunc(rest, func(c rune) bool { return c == '"' || c == ' ' || c == ':' })
		if len(name) == 0 {
			continue
		}
		if strings.Count(s.stmt.raw, name[0]) == 1 { // else it would be a guess
			return e.placed(s.stmt.raw, strings.Index(s.stmt.raw, name[0]))
		}
	}
	return &e
}

// sqliteValue makes the value the package documentation states of what is stored.
func sqliteValue(col composer.Column, v any) (any, error) {
	switch v := v.(type) {
	case []byte:
		return base64Of(v), nil
	case int64:
		if strings.HasPrefix(col.Type, "bool") && (v == 0 || v == 1) {
			return v == 1, nil
		}
	case time.Time: // the driver has read it; a value it cannot read comes as text
		return sqliteMoment(col, v), nil
	case string:
		return sqliteText(col.Type, v)
	}
	return v, nil // nil, int64, float64
}

// sqliteMoment gives the form of a time the driver has read in a column declared DATE, DATETIME or TIMESTAMP.
func sqliteMoment(col composer.Column, t time.Time) store.Moment {
	m := store.Moment{Time: t, Form: store.Timestamp}
	switch {
	case col.Type == "date" && m.Midnight():
		m.Form = store.Date
	case m.Zoned():
		m.Form = store.TimestampTZ
	}
	return m
}

// sqliteText reads text by what its column is declared to hold. A text that is no time stays as it is.
func sqliteText(decl, s string) (any, error) {
	switch decl {
	case "time":
		if t, err := time.Parse("15:04:05", s); err == nil {
			return store.Moment{Time: t, Form: store.Time}, nil
		}
	case "json", "jsonb":
		return jsontext.Value([]byte(s))
	}
	return s, nil
}
