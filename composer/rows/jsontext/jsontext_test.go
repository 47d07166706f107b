package jsontext

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestValue(t *testing.T) {
	for _, c := range []struct {
		in   string
		want any
	}{
		{` null `, nil}, {"true", true}, {`"a\u00e9\ud83d\ude00\n"`, "aé😀\n"}, {`"�"`, "\uFFFD"},
		{"0", int64(0)}, {"-7", int64(-7)}, {"9223372036854775807", int64(9223372036854775807)},
		{"9223372036854775808", "9223372036854775808"}, {"92233720368547758070001", "92233720368547758070001"}, {"-0", math.Copysign(0, -1)},
		{"0.5", 0.5}, {"12.50", "12.50"}, {"1e3", "1e3"}, {"0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"}, {"1e999", "1e999"},
		{`[]`, []any{}}, {`{"a":{"b":[1,null,"x"]},"":0}`, map[string]any{"a": map[string]any{"b": []any{int64(1), nil, "x"}}, "": int64(0)}},
	} {
		got, err := Value([]byte(c.in))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %#v, %v; want %#v", c.in, got, err, c.want)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		in, want string
		at       int
	}{
		{``, "it ends too early", 0}, {`{"a":`, "it ends too early", 5}, {`{"a": [1, 2`, "it ends too early", 11}, {`{"a": "x`, "it ends too early", 8},
		{`{"a":1,"b":{"c":1,"c":2}}`, `the key "c" is there twice`, 21},
		{`{"a":1,}`, "invalid character '}'", 7}, {`{"a" 1}`, "invalid character '1' after object key", 5}, {`[1 2]`, "invalid character '2' after array element", 3},
		{`{a:1}`, "invalid character 'a'", 1}, {`{'a':1}`, `invalid character '\''`, 1}, {`{"a":NaN}`, "invalid character 'N'", 5}, {`[01]`, "invalid character '1'", 2},
		{`1 2`, "there is more text after its end", 2}, {`{} x`, "there is more text after its end", 3},
		{`{"a":"\ud83d"}`, `a \u escape is half of a surrogate pair`, 13}, {`{"\uDE00":1}`, `a \u escape is half of a surrogate pair`, 9},
		{"\"a\xffb\"", "octet 0xff is not valid UTF-8", 2}, {"\"a\tb\"", `invalid character '\t' in string literal`, 2},
		{strings.Repeat("[", 33) + strings.Repeat("]", 33), "it nests deeper than 32", 33},
	} {
		_, err := Value([]byte(c.in))
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(e.Text, c.want) || e.Offset != c.at {
			t.Errorf("%s: %v at %d, want %q at %d", c.in, err, offset(e), c.want, c.at)
		}
	}
	if err := Object([]byte(`[1]`), nil); err == nil || err.Error() != "it is no object: it must begin with {" {
		t.Errorf("a list for an object: %v", err)
	}
}

func offset(e *Error) int {
	if e == nil {
		return -1
	}
	return e.Offset
}

func TestObject(t *testing.T) {
	var got []string
	err := Object([]byte(`{"z":1,"a":[{"y":2,"x":{}}],"m":null}`), func(key string, v any) { got = append(got, fmt.Sprint(key, "=", v)) })
	if want := "[z=1 a=[map[x:map[] y:2]] m=<nil>]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
}

// What is read here is what encoding/json takes, and nothing of it is lost.
func FuzzValue(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.50,"x\u00e9",null,true]}`, `[[[]]]`, `"\ud800"`, `{"a":1,"a":2}`, "\"\xff\"", `1e5`, `{"a":`, "[1,]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Value(text)
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text) || e.Text == "" {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q is no JSON, and read as %#v", text, v)
		}
		var want any
		if err := json.Unmarshal(text, &want); err != nil {
			if _, big := v.(string); big || strings.Contains(err.Error(), "cannot unmarshal number") {
				return // a number past float64, which is kept as text
			}
			t.Fatal(err)
		}
		if _, isMap := want.(map[string]any); isMap != (reflect.TypeOf(v) != nil && reflect.TypeOf(v).Kind() == reflect.Map) {
			t.Fatalf("%q: %#v, want %#v", text, v, want)
		}
	})
}
