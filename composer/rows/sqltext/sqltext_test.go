package sqltext

import (
	"errors"
	"strings"
	"testing"
)

func any(string) bool { return true }

func TestBind(t *testing.T) {
	pg, lite := PostgreSQL(), SQLite()
	for _, c := range []struct {
		d           Dialect
		in, out, at string // at: the names, in the order of their numbers
	}{
		{pg, "SELECT :a, :b, :a", "SELECT $1, $2, $1", "a b"},
		{lite, "SELECT :a, :b, :a", "SELECT ?1, ?2, ?1", "a b"},
		{pg, "SELECT x::text, :a::int", "SELECT x::text, $1::int", "a"},
		{pg, "SELECT ':a', \":b\", 'it''s :c'", "SELECT ':a', \":b\", 'it''s :c'", ""},
		{pg, `SELECT E'\':a', 'x\', :b`, `SELECT E'\':a', 'x\', $1`, "b"},
		{pg, "SELECT $$:a$$, $t$ $$ :b $t$, :c", "SELECT $$:a$$, $t$ $$ :b $t$, $1", "c"},
		{pg, "SELECT a$b$c, :d", "SELECT a$b$c, $1", "d"},
		{pg, "SELECT x -- :a 'b\n, :c /* :d /* :e */ :f */", "SELECT x -- :a 'b\n, $1 /* :d /* :e */ :f */", "c"},
		{lite, "SELECT x /* :d /* :e */, :f", "SELECT x /* :d /* :e */, ?1", "f"},
		{lite, "SELECT [:a], `:b`, $$", "SELECT [:a], `:b`, $$", ""},
		{pg, "SELECT a[1:2], a[:n]", "SELECT a[1:2], a[$1]", "n"},
		{pg, "SELECT f(a := 1)", "SELECT f(a := 1)", ""},
		{pg, "SELECT j ? 'x', j ?| :keys", "SELECT j ? 'x', j ?| $1", "keys"},
		{pg, "SELECT :größe;  -- end", "SELECT $1", "größe"},
		{pg, "(SELECT 1) UNION (SELECT :a)", "(SELECT 1) UNION (SELECT $1)", "a"},
		{pg, "with x as (select 1) table x;;", "with x as (select 1) table x", ""},
		{pg, "SELECT 'open :a", "SELECT 'open :a", ""},
		{pg, `SELECT E'open \`, `SELECT E'open \`, ""},
	} {
		q, err := Bind(c.in, c.d, any)
		if err != nil || q.Text != c.out || strings.Join(q.Names, " ") != c.at {
			t.Errorf("%s: %q %v %v, want %q %s", c.in, q.Text, q.Names, err, c.out, c.at)
		}
	}
}

func TestOffset(t *testing.T) {
	const in = "SELECT :a, x, :longer_name, y, :a, z"
	q, err := Bind(in, PostgreSQL(), any)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"SELECT", "x", "y", "z"} {
		if got, want := q.Offset(strings.Index(q.Text, at)), strings.Index(in, at); got != want {
			t.Errorf("%s is at %d, want %d", at, got, want)
		}
	}
}

func TestBindRefuses(t *testing.T) {
	for _, c := range []struct {
		in   string
		d    Dialect
		at   int
		want string
	}{
		{"", PostgreSQL(), 0, "the query is empty"},
		{" ; ", PostgreSQL(), 0, "the query is empty"},
		{"SELECT 1; SELECT 2", PostgreSQL(), 10, "second statement"},
		{"SELECT ';'; -- ;\n;SELECT 2", PostgreSQL(), 18, "second statement"},
		{"SELECT 1 /* ; */; x", SQLite(), 18, "second statement"},
		{" DELETE FROM x", PostgreSQL(), 1, "must be one that reads"},
		{"(DELETE FROM x)", PostgreSQL(), 1, "must be one that reads"},
		{"COPY x TO PROGRAM 'rm'", PostgreSQL(), 0, "must be one that reads"},
		{"SELECT $1", PostgreSQL(), 7, "written :name"},
		{"SELECT ?", SQLite(), 7, "written :name"},
		{"SELECT $x", SQLite(), 7, "written :name"},
		{"SELECT :gone", SQLite(), 7, "params has no gone"},
	} {
		_, err := Bind(c.in, c.d, func(name string) bool { return name != "gone" })
		var e *Error
		if !errors.As(err, &e) || e.Offset != c.at || !strings.Contains(e.Text, c.want) {
			t.Errorf("%s: %+v, want %s at %d", c.in, err, c.want, c.at)
		}
	}
}

func FuzzBind(f *testing.F) {
	for _, s := range []string{"SELECT :a::b, ':c' -- :d", "SELECT $t$ :x $t$ /* /* */ */", "SELECT E'\\", "SELECT 1;;", "SELECT [a]:b`c`", "SELECT \"a\":ü"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, in string, pg bool) {
		d := SQLite()
		if pg {
			d = PostgreSQL()
		}
		q, err := Bind(in, d, any)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(in) {
				t.Fatalf("%q: error %v", in, err)
			}
			return
		}
		last := 0
		for i := range len(q.Text) + 1 {
			o := q.Offset(i)
			if o < 0 || o > len(in) || o < last && len(q.Names) == 0 {
				t.Fatalf("%q: offset %d of %q lies at %d", in, i, q.Text, o)
			}
			last = o
		}
		if len(q.Names) == 0 && !strings.HasPrefix(in, q.Text) {
			t.Fatalf("%q was changed to %q", in, q.Text)
		}
	})
}
