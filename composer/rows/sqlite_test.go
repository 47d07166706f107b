package rows_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer/rows"
)

// sqliteDB makes people.db in a folder of its own.
func sqliteDB(t *testing.T, statements ...string) (dir string, db *sql.DB) {
	t.Helper()
	dir = t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "people.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return dir, db
}

func people(dir, query string) rows.Source {
	return rows.Source{Base: dir, DSN: "sqlite:people.db", Query: query}
}

func TestSQLiteTextForms(t *testing.T) {
	dir, db := sqliteDB(t)
	for _, c := range []struct{ decl, value, want string }{
		{"TEXT", "NULL", "NULL"},
		{"TEXT", "'Zoë'", "Zoë"},
		{"TEXT", "''", ""},
		{"TEXT", "CAST(x'5a6feb' AS TEXT)", "\x00column v is not valid UTF-8"},
		{"VARCHAR(9)", "'a '", "a "},
		{"INTEGER", "-7", "int64 -7"},
		{"INTEGER", "9223372036854775807", "int64 9223372036854775807"},
		{"INTEGER", "'many'", "many"},
		{"BOOLEAN", "1", "bool true"},
		{"bool", "0", "bool false"},
		{"BOOLEAN", "2", "int64 2"},
		{"REAL", "0.1", "float64 0.1"},
		{"REAL", "1e21", "float64 1e+21"},
		{"NUMERIC", "12.50", "float64 12.5"},
		{"DATE", "'2026-11-24'", "moment 2026-11-24"},
		{"DATE", "'2026-11-24 08:30:00'", "moment 2026-11-24 08:30:00"},
		{"DATE", "'someday'", "someday"},
		{"DATETIME", "'2026-11-24 08:30:00'", "moment 2026-11-24 08:30:00"},
		{"TIMESTAMP", "'2026-11-24T08:30:00.5'", "moment 2026-11-24 08:30:00.5"},
		{"TIMESTAMP", "'2026-11-24 08:30:00+05:45'", "moment 2026-11-24 08:30:00+05:45"},
		{"TIMESTAMP", "1790000000", "int64 1790000000"},
		{"TIME", "'08:30:00'", "moment 08:30:00"},
		{"TIME", "'soon'", "soon"},
		{"JSON", `'{"a": [1, 2]}'`, `json {"a":[1,2]}`},
		{"JSON", `'{"a": '`, "\x00column v: it ends too early|NULL"},
		{"JSONB", `'[1, 2.50, null]'`, `json [1,"2.50",null]`},
		{"json", "NULL", "NULL"},
		{"BLOB", "x'00ff'", "AP8="},
		{"", "'x'", "x"},
	} {
		for _, s := range []string{"DROP TABLE IF EXISTS t", "CREATE TABLE t (v " + c.decl + ")", "INSERT INTO t VALUES (" + c.value + ")"} {
			if _, err := db.Exec(s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
		want := "1:0|" + c.want + "\n"
		if fault, ok := strings.CutPrefix(c.want, "\x00"); ok {
			want = "1:0 " + fault + "\n"
		}
		if got := text(t, mustRead(t, people(dir, "SELECT v FROM t"))); got != want {
			t.Errorf("%s %s: %q, want %q", c.decl, c.value, got, want)
		}
	}
}

func TestSQLiteParams(t *testing.T) {
	dir, _ := sqliteDB(t, `CREATE TABLE people (id INTEGER, email TEXT, plan TEXT, "a:b" TEXT)`,
		`INSERT INTO people VALUES (1, 'a@example.com', 'pro', 'x'), (2, 'b@example.com', 'free', 'y'), (3, 'c@example.com', 'pro', 'z')`)
	src := people(dir, "SELECT email, [a:b] AS ab, ':x' AS `c:d`, \"a:b\" -- :none\nFROM people /* :n /* */ WHERE plan = :plan AND id > :id AND :plan = plan AND :nil IS NULL;")
	src.Params = map[string]any{"plan": "pro", "id": 1, "nil": nil}
	if got, want := text(t, mustRead(t, src)), "1:0|c@example.com|z|:x|z\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	src.DSN = "sqlite:" + filepath.Join(dir, "people.db")
	src.Base = t.TempDir()
	if got := mustRead(t, src).Len(); got != 1 {
		t.Errorf("%d rows of the file by its absolute path", got)
	}
}

func TestSQLiteFaults(t *testing.T) {
	dir, db := sqliteDB(t, `CREATE TABLE people (email TEXT)`, `INSERT INTO people VALUES ('a@example.com')`)
	for name, content := range map[string]string{"text.db": strings.Repeat("this is no database\n", 100), "list.csv": "email\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		dsn, query, want string
		kind             rows.Kind
	}{
		{"sqlite:gone.db", "SELECT 1 AS a", "gone.db: no such file or directory", rows.Missing},
		{"sqlite:.", "SELECT 1 AS a", ".: this is no regular file", rows.Invalid},
		{"sqlite:text.db", "SELECT email FROM people", "text.db: this is no SQLite database", rows.Invalid},
		{"sqlite:people.db", "SELECT email\nFROM poeple", "people.db: query:2:6: ", rows.Invalid},
		{"sqlite:people.db", "SELECT emial FROM people", "people.db: query:1:8: ", rows.Invalid},
		{"sqlite:people.db", "SELECT email FORM people", `people.db: query:1:19: `, rows.Invalid},
		{"sqlite:people.db", "SELECT email FROM people; DELETE FROM people", "people.db: query:1:27: the query has a second statement", rows.Invalid},
		{"sqlite:people.db", "DELETE FROM people RETURNING email", "people.db: query:1:1: the query must be one that reads", rows.Invalid},
		{"sqlite:people.db", "WITH x AS (SELECT 1) INSERT INTO people SELECT * FROM x", "people.db: the query writes", rows.Invalid},
		{"sqlite:people.db", "VACUUM INTO 'copy.db'", "people.db: query:1:1: the query must be one that reads", rows.Invalid},
		{"sqlite:people.db", "SELECT email FROM people WHERE email = ?", "people.db: query:1:40: a parameter is written :name", rows.Invalid},
		{"sqlite:people.db", "SELECT email FROM people WHERE email = @x", "people.db: query:1:40: a parameter is written :name", rows.Invalid},
		{"sqlite:people.db", "SELECT email, email FROM people", `people.db: columns 1 and 2 are both named "email"`, rows.Invalid},
	} {
		e := fault(t, rows.Source{Base: dir, DSN: c.dsn, Query: c.query})
		if e.Kind != c.kind || !strings.HasPrefix(e.Error(), c.want) {
			t.Errorf("%s %s: kind %d, %s; want kind %d, %s", c.dsn, c.query, e.Kind, e, c.kind, c.want)
		}
	}
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM people`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v; want the one that was there", n, err)
	}
}

// The file's name may hold what means something in a URL.
func TestSQLiteOddName(t *testing.T) {
	dir, _ := sqliteDB(t, `CREATE TABLE people (email TEXT)`, `INSERT INTO people VALUES ('a@example.com')`)
	if err := os.Rename(filepath.Join(dir, "people.db"), filepath.Join(dir, "50% of &us ü.db")); err != nil {
		t.Fatal(err)
	}
	if n := mustRead(t, rows.Source{Base: dir, DSN: "sqlite:50% of &us ü.db", Query: "SELECT email FROM people"}).Len(); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// A database that is being written to gives what was committed.
func TestSQLiteBusy(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			dir, db := sqliteDB(t, `PRAGMA journal_mode = `+mode, `CREATE TABLE people (email TEXT)`, `INSERT INTO people VALUES ('a@example.com')`)
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			exec(t, conn, `BEGIN EXCLUSIVE`)
			exec(t, conn, `INSERT INTO people VALUES ('b@example.com')`)
			done := make(chan int)
			go func() {
				defer close(done)
				s, err := rows.Read(t.Context(), people(dir, "SELECT email FROM people"), rows.Options{Dir: dir})
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = s.Close() }()
				done <- s.Len()
			}()
			if mode == "WAL" { // a writer is in nobody's way
				if n := <-done; n != 1 {
					t.Errorf("%d rows, want the committed one", n)
				}
				exec(t, conn, `COMMIT`)
				return
			}
			select {
			case n := <-done:
				t.Errorf("%d rows were read while the database was locked", n)
			case <-time.After(200 * time.Millisecond):
			}
			exec(t, conn, `COMMIT`)
			if n := <-done; n != 2 {
				t.Errorf("%d rows, want 2", n)
			}
		})
	}
}

func exec(t *testing.T, c *sql.Conn, s string) {
	t.Helper()
	if _, err := c.ExecContext(context.WithoutCancel(t.Context()), s); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
}

// A database in WAL mode is read where its log is not there and cannot be made, such as from a read-only medium. With
// a log that cannot be opened it is refused, since the log may hold what belongs to it.
func TestSQLiteLogMissing(t *testing.T) {
	dir, db := sqliteDB(t, `PRAGMA journal_mode = WAL`, `CREATE TABLE people (email TEXT)`, `INSERT INTO people VALUES ('a@example.com')`)
	if err := db.Close(); err != nil { // takes the log with it
		t.Fatal(err)
	}
	log := filepath.Join(dir, "people.db-wal")
	if err := os.Symlink(filepath.Join(dir, "nowhere", "log"), log); err != nil { // nothing there, and not to be made
		t.Fatal(err)
	}
	if got, want := text(t, mustRead(t, people(dir, "SELECT email FROM people"))), "1:0|a@example.com\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(log, log); err != nil { // something there that cannot be opened
		t.Fatal(err)
	}
	e := fault(t, people(dir, "SELECT email FROM people"))
	if e.Kind != rows.Missing || !strings.Contains(e.Text, "write-ahead log that cannot be opened") || e.Hint == "" {
		t.Errorf("kind %d, %s, hint %q", e.Kind, e, e.Hint)
	}
}
