package rows_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows"
	"github.com/mailblast/mailblast/composer/rows/pgtest"
)

// ownTable gives a server of its own with 20,000 people.
func ownTable(t *testing.T) (*pgtest.Own, *sql.DB) {
	t.Helper()
	own := pgtest.NewOwn(t)
	db, err := sql.Open("postgres", own.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Exec(`CREATE TABLE people AS SELECT n, repeat('x', 800) AS filler FROM generate_series(1, 20000) n; CHECKPOINT`); err != nil {
		t.Fatal(err)
	}
	return own, db
}

// A server that ends four times while it is read costs nothing: no gap, no repeat, no short list.
func TestFaultRestarts(t *testing.T) {
	t.Parallel()
	own, db := ownTable(t)
	ends := []struct {
		at   int
		how  string
		kill func()
	}{
		{1024, "crash", func() { own.Crash(t) }},
		{3072, "cut", func() { terminate(t, db) }},
		{15360, "cut", func() { terminate(t, db) }},
		{9216, "crash", func() { own.Crash(t) }},
	}
	var reached []int
	s, err := rows.Read(t.Context(), rows.Source{DSN: own.DSN + "&application_name=cut", Query: "SELECT n, filler FROM people ORDER BY n"},
		rows.Options{Dir: t.TempDir(), Progress: func(n int) {
			if len(reached) == 0 || n < reached[len(reached)-1] {
				reached = append(reached, 0)
			}
			if i := len(reached) - 1; i < len(ends) && reached[i] < ends[i].at && n >= ends[i].at {
				ends[i].kill()
			}
			reached[len(reached)-1] = n
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	n := int64(0)
	err = s.Each(t.Context(), func(r *composer.Row) error {
		if n++; r.Values[0] != n {
			return fmt.Errorf("row %d has %v", n, r.Values[0])
		}
		return nil
	})
	if err != nil || n != 20000 || s.Len() != 20000 {
		t.Errorf("%d rows, Len %d, %v", n, s.Len(), err)
	}
	if len(reached) != 5 || slices.Max(reached[:4]) >= 20000 {
		t.Errorf("the reads got to rows %v, want four that were cut and a whole one", reached)
	}
	t.Attr("fault", "B1 PostgreSQL crashes, or cuts the connection, again and again while it is read")
	t.Attr("expected", "the read starts again: no gap, no repeat, never a short list")
	t.Attr("seen", fmt.Sprintf("20000 rows in their order, after reads that got to row %v", reached))
}

// A query that takes its time says so, and its limits name the time it had.
func TestFaultSlowQuery(t *testing.T) {
	t.Parallel()
	dsn, db := database(t, `CREATE TABLE people (email text)`)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`LOCK TABLE people IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, c := range []struct{ params, query, text, hint string }{
		{"&statement_timeout=150", "SELECT 1 AS a FROM pg_sleep(20)", "the query was cancelled: canceling statement due to statement timeout", "it had run for "},
		{"&statement_timeout=20000&lock_timeout=150", "SELECT email FROM people", "the query waited too long for a lock on a table", "it gave up after "},
	} {
		_, err := rows.Read(t.Context(), rows.Source{DSN: dsn + c.params, Query: c.query}, rows.Options{Dir: t.TempDir()})
		var e *rows.Error
		if !errors.As(err, &e) || e.Kind != rows.Unreachable || e.Text != c.text || !strings.HasPrefix(e.Hint, c.hint) {
			t.Fatalf("%s: %v", c.query, err)
		}
		took, _, _ := strings.Cut(strings.TrimPrefix(e.Hint, c.hint), ";")
		if d, err := time.ParseDuration(took); err != nil || d < 140*time.Millisecond {
			t.Errorf("%s: hint %q", c.query, e.Hint)
		}
		seen = append(seen, e.Text+"; "+c.hint+took)
	}
	t.Attr("fault", "B2 a slow query, a lock that is waited for")
	t.Attr("expected", "limits of time; the error has the time the query had")
	t.Attr("seen", strings.Join(seen, "; "))
}
