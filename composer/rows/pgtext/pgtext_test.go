package pgtext

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/composer/rows/store"
)

func word(s string) (any, error) { return s, nil }

func TestArray(t *testing.T) {
	for in, want := range map[string]string{
		`{}`: `[]`, `{a}`: `["a"]`, `{a,NULL,"NULL",null}`: `["a",null,"NULL","null"]`, `{"b \"c\" \\",""}`: `["b \"c\" \\",""]`,
		`{{1,2},{3,4}}`: `[["1","2"],["3","4"]]`, `[0:1]={a,b}`: `["a","b"]`, `[1:1][-1:0]={{a,b}}`: `[["a","b"]]`, `{"{a,b}"}`: `["{a,b}"]`, `{ü}`: `["ü"]`,
	} {
		v, err := Array(in, word)
		if err != nil || store.Text(v) != want {
			t.Errorf("%s: %s, %v; want %s", in, store.Text(v), err, want)
		}
	}
	for _, in := range []string{``, `a`, `{`, `{a`, `{a,`, `{a,}`, `{,a}`, `{"a}`, `{"a\`, `{a}b`, `[0:1]{a}`, `{a"b"}`, `{{a}`, strings.Repeat("{", 7) + strings.Repeat("}", 7)} {
		if v, err := Array(in, word); err == nil {
			t.Errorf("%q is read as %v", in, v)
		}
	}
}

func TestValueFaults(t *testing.T) {
	for _, c := range []struct{ typ, in string }{{"_int4", "{x}"}, {"_float8", "{x}"}, {"json", `{"a":1,"a":2}`}, {"oid", "x"}, {"_text", "a"}} {
		if v, err := Value(c.typ, []byte(c.in)); err == nil {
			t.Errorf("%s %s: %v", c.typ, c.in, v)
		}
	}
}

// What is written as PostgreSQL writes arrays (quotes around everything) is read back.
func TestArrayProperty(t *testing.T) {
	var write func(v any) string
	write = func(v any) string {
		switch v := v.(type) {
		case nil:
			return "NULL"
		case string:
			return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
		}
		var parts []string
		for _, item := range v.([]any) {
			parts = append(parts, write(item))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	leaf := rapid.OneOf(rapid.Just[any](nil), rapid.String().AsAny())
	list := rapid.Map(rapid.SliceOfN(leaf, 0, 5), func(l []any) any { return append([]any{}, l...) })
	lists := rapid.Map(rapid.SliceOfN(list, 1, 4), func(l []any) any { return append([]any{}, l...) })
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.OneOf(list, lists).Draw(t, "array")
		got, err := Array(write(want), word)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %#v, %v", write(want), got, err)
		}
	})
}

func FuzzArray(f *testing.F) {
	for _, s := range []string{`{}`, `{a,NULL,"b c"}`, `{{1,2},{3,4}}`, `[0:1]={a,b}`, `{"\\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Array(s, word)
		if err == nil && (!strings.HasSuffix(s, "}") || fmt.Sprintf("%T", v) != "[]interface {}") {
			t.Fatalf("%q is read as %#v", s, v)
		}
	})
}
