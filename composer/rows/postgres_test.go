package rows_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows"
	"github.com/mailblast/mailblast/composer/rows/pgtest"
)

// database gives a database of its own with what the statements make in it.
func database(t *testing.T, statements ...string) (dsn string, db *sql.DB) {
	t.Helper()
	dsn = pgtest.DSN(t)
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return dsn, db
}

func TestPostgresTextForms(t *testing.T) {
	dsn, db := database(t, `CREATE TYPE plan AS ENUM ('free', 'pro')`, `CREATE DOMAIN code AS text`, `CREATE DOMAIN age AS int CHECK (VALUE > 0)`,
		`CREATE TYPE place AS (street text, zip int)`)
	_, err := db.Exec(`CREATE EXTENSION citext`)
	citext := err == nil // it is a package of its own on some systems
	for _, c := range []struct{ expr, typ, want string }{
		{"NULL::text", "text", "NULL"},
		{"true", "bool", "bool true"},
		{"false", "bool", "bool false"},
		{"(-7)::int2", "int2", "int64 -7"},
		{"2147483647", "int4", "int64 2147483647"},
		{"9223372036854775807::int8", "int8", "int64 9223372036854775807"},
		{"4294967295::oid", "oid", "int64 4294967295"},
		{"0.1::float4", "float4", "float64 0.1"},
		{"0.1::float8", "float8", "float64 0.1"},
		{"1e21::float8", "float8", "float64 1e+21"},
		{"'NaN'::float8", "float8", "float64 NaN"},
		{"'-Infinity'::float8", "float8", "float64 -Inf"},
		{"12.50::numeric", "numeric", "12.50"},
		{"123456789012345678901234567890.10::numeric", "numeric", "123456789012345678901234567890.10"},
		{"'NaN'::numeric", "numeric", "NaN"},
		{"12.5::money", "money", "$12.50"},
		{"'Zoë'::text", "text", "Zoë"},
		{"''::text", "text", ""},
		{"'a b '::varchar(9)", "varchar", "a b "},
		{"'pro'::char(6)", "bpchar", "pro"},
		{"'t'::name", "name", "t"},
		{"'x'::code", "text", "x"},
		{"'pro'::plan", "", "pro"},
		{"date '2026-11-24'", "date", "moment 2026-11-24"},
		{"date '0044-03-15 BC'", "date", "0044-03-15 BC"},
		{"date 'infinity'", "date", "infinity"},
		{"time '08:30'", "time", "moment 08:30:00"},
		{"time '08:30:01.25'", "time", "moment 08:30:01.25"},
		{"time '24:00'", "time", "24:00:00"},
		{"timetz '08:30+01'", "timetz", "moment 08:30:00+01:00"},
		{"timestamp '2026-11-24 08:30'", "timestamp", "moment 2026-11-24 08:30:00"},
		{"timestamp '2026-11-24 08:30:00.5'", "timestamp", "moment 2026-11-24 08:30:00.5"},
		{"timestamptz '2026-11-24 08:30+01'", "timestamptz", "moment 2026-11-24 13:15:00+05:45"},
		{"interval '1 day 02:00'", "interval", "1 day 02:00:00"},
		{`'{"a": [1, 2], "b": "x y"}'::json`, "json", `json {"a":[1,2],"b":"x y"}`},
		{`'{"b": null, "a": 1.50}'::jsonb`, "jsonb", `json {"a":"1.50","b":null}`},
		{"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{`'\x00ff'::bytea`, "bytea", "AP8="},
		{"ARRAY['a', NULL, 'b c']", "_text", `json ["a",null,"b c"]`},
		{"ARRAY[1, 2]", "_int4", "json [1,2]"},
		{"int4range(1, 5)", "int4range", "[1,5)"},
		{"ROW(1, 'x')", "record", "(1,x)"},
		{"inet '192.0.2.1'", "inet", "192.0.2.1"},
		{"B'101'", "bit", "101"},
		{"'null'::jsonb", "jsonb", "NULL"},
		{"'[1, \"x\", 0.5]'::jsonb", "jsonb", `json [1,"x",0.5]`},
		{"'7'::json", "json", "int64 7"},
		{`'{"a": 1, "a": 2}'::json`, "json", "\x00column v: the key \"a\" is there twice"},
		{"'{}'::text[]", "_text", "json []"},
		{`ARRAY['a "b" \ c', '', 'NULL', 'ü,{}']`, "_text", `json ["a \"b\" \\ c","","NULL","ü,{}"]`},
		{"ARRAY[[1, 2], [3, NULL]]", "_int4", "json [[1,2],[3,null]]"},
		{"'[0:1]={5,6}'::int8[]", "_int8", "json [5,6]"},
		{"ARRAY[0.5, 1e21]::float8[]", "_float8", "json [0.5,1000000000000000000000]"},
		{"ARRAY[true, false]", "_bool", "json [true,false]"},
		{"ARRAY[12.50, 3]", "_numeric", `json ["12.50","3"]`},
		{"ARRAY[timestamptz '2026-11-24 08:30+01', NULL]", "_timestamptz", `json ["2026-11-24 13:15:00+05:45",null]`},
		{"ARRAY[timestamp '2026-11-24 08:30', 'infinity']", "_timestamp", `json ["2026-11-24 08:30:00","infinity"]`},
		{"ARRAY[date '2026-11-24', '0044-03-15 BC']", "_date", `json ["2026-11-24","0044-03-15 BC"]`},
		{"ARRAY[time '08:30', '24:00']", "_time", `json ["08:30:00","24:00:00"]`},
		{`ARRAY['{"a": [1]}'::jsonb]`, "_jsonb", `json [{"a":[1]}]`},
		{`ARRAY['\x00ff'::bytea]`, "_bytea", `json ["AP8="]`},
		{"ARRAY['pro ']::char(6)[]", "_bpchar", `json ["pro"]`},
		{"ARRAY['pro']::varchar[]", "_varchar", `json ["pro"]`},
		{"ARRAY['pro']::plan[]::text[]", "_text", `json ["pro"]`},
		{"ARRAY['pro']::plan[]", "", "{pro}"},
		{"ARRAY[interval '2 mons 1 day']", "_interval", `json ["2 months 1 day"]`},
		{"interval '1 mon'", "interval", "1 month"},
		{"interval '-1 year 3 mons -2 days 04:05:06.5'", "interval", "-9 months -2 days +04:05:06.5"},
		{"7::age", "int4", "int64 7"},
		{"ROW('Main St, 1', 5)::place", "", `("Main St, 1",5)`},
		{"tstzrange('2026-11-24 08:30+01', NULL)", "tstzrange", `["2026-11-24 13:15:00+05:45",)`},
		{"timestamp '-infinity'", "timestamp", "-infinity"},
		{"timestamptz 'infinity'", "timestamptz", "infinity"},
		{"timetz '24:00+01'", "timetz", "24:00:00+01:00"},
		{"(-12.5)::money", "money", "-$12.50"},
		{"citext 'Ana'", "", "Ana"},
	} {
		if strings.HasPrefix(c.expr, "citext") && !citext {
			continue
		}
		s := mustRead(t, rows.Source{DSN: dsn + "&timezone=Asia/Kathmandu", Query: "SELECT " + c.expr + " AS v"})
		want := "1:0|" + c.want + "\n"
		if fault, ok := strings.CutPrefix(c.want, "\x00"); ok {
			want = "1:0 " + fault + "|NULL\n"
		}
		if got := text(t, s); got != want {
			t.Errorf("%s: %q, want %q", c.expr, got, want)
		}
		if got := s.Columns()[0]; got != (composer.Column{Name: "v", Type: c.typ}) {
			t.Errorf("%s: column %v, want type %s", c.expr, got, c.typ)
		}
	}
}

func TestPostgresParams(t *testing.T) {
	dsn, _ := database(t, `CREATE TABLE people (id int, email text, plan text, score float8, joined date, ok bool)`,
		`INSERT INTO people SELECT n, 'p' || n || '@example.com', CASE n % 2 WHEN 0 THEN 'pro' ELSE 'free' END, n / 2.0,
			date '2026-01-01' + n, n > 3 FROM generate_series(1, 6) n`)
	s := mustRead(t, rows.Source{DSN: dsn, Params: map[string]any{
		"plan": "pro", "least": uint64(3), "score": 1.5, "since": "2026-01-02", "ok": true, "none": nil,
	}, Query: `
		-- :nobody counts in a comment, nor 'an open quote
		SELECT email, plan::text AS "a :b", ':c'::text AS c, $q$:d$q$ AS d, E'\':e' AS e /* :f /* :g */ */
		FROM people WHERE plan = :plan AND id >= :least AND score > :score AND joined > :since::date AND ok = :ok
			AND :plan = plan AND :none::text IS NULL AND (ARRAY[id])[1:2] IS NOT NULL
		ORDER BY id DESC;`})
	want := "1:0|p6@example.com|pro|:c|:d|':e\n2:0|p4@example.com|pro|:c|:d|':e\n"
	if got := text(t, s); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := s.Columns()[1].Name; got != "a :b" {
		t.Errorf("column %q", got)
	}
}

func TestPostgresFaultyQueries(t *testing.T) {
	dsn, db := database(t, `CREATE TABLE people (email text)`, `CREATE SEQUENCE s`,
		`CREATE FUNCTION add() RETURNS int LANGUAGE sql AS $$ INSERT INTO people VALUES ('x'); SELECT 1 $$`,
		`CREATE FUNCTION loose() RETURNS text LANGUAGE sql AS $$ SELECT set_config('transaction_read_only', 'off', true) $$`)
	const writes = "the query writes: recipients are read in a read-only transaction"
	for _, c := range []struct {
		query, at, want string
		params          map[string]any
	}{
		{query: "SELECT email\nFROM poeple WHERE true", at: "2:6", want: `relation "poeple" does not exist (42P01)`},
		{query: "SELECT 'ü' AS a, :p AS b, emial FROM people", at: "1:27", params: map[string]any{"p": "x"}, want: `column "emial" does not exist`},
		{query: "SELECT email FROM people WHERE", at: "1:31", want: "syntax error at end of input"},
		{query: "SELECT 1 AS a; DROP TABLE people", at: "1:16", want: "the query has a second statement"},
		{query: "SELECT ';' AS a;;\n/* ; */ SELECT 2", at: "2:9", want: "the query has a second statement"},
		{query: "INSERT INTO people VALUES ('x') RETURNING email", at: "1:1", want: "the query must be one that reads"},
		{query: "WITH w AS (INSERT INTO people VALUES ('x') RETURNING email) SELECT email FROM w", want: writes},
		{query: "SELECT add()", want: writes},
		{query: "SELECT nextval('s')", want: writes},
		{query: "SELECT loose(), add()", want: "transaction read-write mode must be set before any query"},
		{query: "SELECT email FROM people FOR UPDATE", want: writes},
		{query: "SELECT :plna::text AS a", at: "1:8", want: "the query has :plna, params has no plna", params: map[string]any{}},
		{query: "SELECT 1 AS a", want: "params.plan: the query has no :plan", params: map[string]any{"plan": "pro"}},
		{query: "SELECT :l AS a", want: "params.l: a []string is no single value", params: map[string]any{"l": []string{"x"}}},
		{query: "SELECT $1::text AS a", at: "1:8", want: "a parameter is written :name"},
		{query: "SELECT 1 AS a, 2 AS a", want: `columns 1 and 2 are both named "a"`},
		{query: "SELECT 1 + 1", want: "column 1 of the query has no name"},
		{query: "SELECT FROM people", want: "the query gives no columns"},
		{query: "SELECT 1 / 0 AS a", want: "division by zero (22012)"},
		{query: " -- nothing\n ;", want: "the query is empty"},
	} {
		e := fault(t, rows.Source{DSN: dsn, Query: c.query, Params: c.params})
		if e.Kind != rows.Invalid || !strings.Contains(e.Text, c.want) {
			t.Errorf("%s: kind %d, %s; want %s", c.query, e.Kind, e, c.want)
		}
		if c.at != "" && !strings.Contains(e.Error(), ": query:"+c.at+": ") {
			t.Errorf("%s: %s; want it at %s", c.query, e, c.at)
		}
		if strings.Contains(e.Error(), pgtest.Password) {
			t.Errorf("%s: the error has the password: %s", c.query, e)
		}
	}
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM people`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows were written, %v", n, err)
	}
}

// Text of a database that checks no encoding never becomes mojibake.
func TestPostgresInvalidUTF8(t *testing.T) {
	dsn, db := database(t)
	name := "ascii_" + suffix(t, dsn)
	if _, err := db.Exec(`CREATE DATABASE ` + name + ` TEMPLATE template0 ENCODING 'SQL_ASCII'`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec(`DROP DATABASE ` + name + ` WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	e := fault(t, rows.Source{DSN: pgtest.WithDatabase(t, dsn, name), Query: `SELECT 'a' AS a, E'Zo\xeb' AS name`})
	if e.Kind != rows.Invalid || !strings.Contains(e.Text, `invalid byte sequence for encoding "UTF8": 0xeb`) {
		t.Errorf("kind %d, %s", e.Kind, e)
	}
}

func suffix(t *testing.T, dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

func TestPostgresRefusals(t *testing.T) {
	dsn, _ := database(t)
	change := func(f func(u *url.URL)) string {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		f(u)
		return u.String()
	}
	const wrong = "hunter-22"
	for _, c := range []struct{ name, dsn, want string }{
		{"password", change(func(u *url.URL) { u.User = url.UserPassword("postgres", wrong) }), "password authentication failed"},
		{"password as a parameter", change(func(u *url.URL) {
			u.User = url.User("postgres")
			u.RawQuery += "&password=" + wrong
		}), "password authentication failed"},
		{"database", change(func(u *url.URL) { u.Path = "/nowhere" }), `database "nowhere" does not exist`},
		{"TLS", change(func(u *url.URL) { u.RawQuery = "" }), "SSL is not enabled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := fault(t, rows.Source{DSN: c.dsn, Query: "SELECT 1 AS a"})
			if e.Kind != rows.Denied || !strings.Contains(e.Text, c.want) || e.Hint == "" {
				t.Errorf("kind %d, %s, hint %q", e.Kind, e, e.Hint)
			}
			if s := e.Error() + e.Hint; strings.Contains(s, wrong) || strings.Contains(s, pgtest.Password) || strings.Contains(s, "sslmode=d&") {
				t.Errorf("the error has the password: %s", s)
			}
			if !strings.HasPrefix(e.Source, "postgres://postgres@127.0.0.1:") {
				t.Errorf("source %s", e.Source)
			}
		})
	}
}

// A server that cannot be reached is tried for as long as Wait says.
func TestPostgresUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	begun := time.Now()
	_, err = rows.Read(t.Context(), rows.Source{DSN: "postgres://ana:hunter22@" + addr + "/shop?sslmode=disable", Query: "SELECT 1 AS a"},
		rows.Options{Dir: t.TempDir(), Wait: 500 * time.Millisecond})
	var e *rows.Error
	if !errors.As(err, &e) || e.Kind != rows.Unreachable {
		t.Fatalf("error %v", err)
	}
	if want := "postgres://ana@" + addr + "/shop: not reachable for 500ms: "; !strings.HasPrefix(e.Error(), want) || strings.Contains(e.Error(), "hunter22") {
		t.Errorf("error %s", e)
	}
	if took := time.Since(begun); took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("gave up after %v", took)
	}
}

func TestPostgresTimeLimit(t *testing.T) {
	dsn, _ := database(t)
	src := rows.Source{DSN: dsn, Query: "SELECT 1 AS a FROM pg_sleep(20)"}
	_, err := rows.Read(t.Context(), src, rows.Options{Dir: t.TempDir(), Timeout: 100 * time.Millisecond})
	var e *rows.Error
	if !errors.As(err, &e) || e.Kind != rows.Unreachable || !strings.Contains(e.Text, "its limit is 100ms") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := rows.Read(ctx, src, rows.Options{Dir: t.TempDir()}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a read that is cut ends in %v", err)
	}
}

// A table that somebody else rewrites is waited for, and then the reason is told.
func TestPostgresLocked(t *testing.T) {
	dsn, db := database(t, `CREATE TABLE people (email text)`)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`LOCK TABLE people IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	e := fault(t, rows.Source{DSN: dsn + "&statement_timeout=20000&lock_timeout=50", Query: "SELECT email FROM people"})
	if e.Kind != rows.Unreachable || e.Text != "the query waited too long for a lock on a table" {
		t.Errorf("kind %d, %v", e.Kind, e)
	}
}

// A connection that is cut in the middle of a read costs nothing: no gap and no repeat.
func TestPostgresCut(t *testing.T) {
	const want = 60_000
	dsn, db := database(t, `CREATE TABLE people AS SELECT n, repeat('x', 200) AS filler FROM generate_series(1, 60000) n`)
	var cuts atomic.Int32
	var restarts []int
	s, err := rows.Read(t.Context(), rows.Source{DSN: dsn + "&application_name=cut", Query: "SELECT n, filler FROM people ORDER BY n"},
		rows.Options{Dir: t.TempDir(), Progress: func(n int) {
			if len(restarts) == 0 || n < restarts[len(restarts)-1] {
				restarts = append(restarts, n)
			}
			restarts[len(restarts)-1] = n
			if n == 2048 && cuts.Add(1) <= 2 {
				terminate(t, db)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if len(restarts) != 3 || restarts[0] >= want || restarts[2] != want {
		t.Errorf("the reads got to rows %v, want two that were cut and a whole one", restarts)
	}
	n := int64(0)
	err = s.Each(t.Context(), func(r *composer.Row) error {
		if n++; r.Values[0] != n || r.Number != int(n) {
			t.Errorf("row %d has %v, number %d", n, r.Values[0], r.Number)
		}
		return nil
	})
	if err != nil || n != want || s.Len() != want {
		t.Errorf("%d rows, Len %d, %v", n, s.Len(), err)
	}
}

func terminate(t *testing.T, db *sql.DB) {
	var n int
	err := db.QueryRow(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'cut'`).Scan(&n)
	if err != nil || n != 1 {
		t.Errorf("%d connections cut, %v", n, err)
	}
}

// A server that cuts every read is given up on.
func TestPostgresCutAlways(t *testing.T) {
	dsn, db := database(t)
	_, err := rows.Read(t.Context(), rows.Source{DSN: dsn + "&application_name=cut",
		Query: "SELECT n, repeat('x', 1000) AS filler FROM generate_series(1, 100000) n"},
		rows.Options{Dir: t.TempDir(), Progress: func(n int) {
			if n == 1024 {
				terminate(t, db)
			}
		}})
	var e *rows.Error
	if !errors.As(err, &e) || e.Kind != rows.Unreachable || !strings.Contains(e.Text, "the read broke 5 times") {
		t.Errorf("error %v", err)
	}
}

// What others change during the read does not show, and nothing is held afterwards.
func TestPostgresSnapshot(t *testing.T) {
	dsn, db := database(t, `CREATE TABLE people AS SELECT n, repeat('x', 500) AS filler FROM generate_series(1, 5000) n`)
	once := false
	s, err := rows.Read(t.Context(), rows.Source{DSN: dsn + "&application_name=snapshot", Query: "SELECT n, filler FROM people"},
		rows.Options{Dir: t.TempDir(), Progress: func(int) {
			if !once {
				once = true
				if _, err := db.Exec(`DELETE FROM people`); err != nil {
					t.Error(err)
				}
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if s.Len() != 5000 || !once {
		t.Errorf("%d rows", s.Len())
	}
	for range 100 { // the server takes a moment to notice
		var n int
		if err := db.QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'snapshot'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the connection is still there after the read")
}
