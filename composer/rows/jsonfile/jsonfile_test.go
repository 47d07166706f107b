package jsonfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// all writes records as line:key=value,… or line!fault, and the error the reading ends in.
func all(in io.Reader) string {
	r := New(in)
	var b strings.Builder
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			line := 0
			if e := (*Error)(nil); errors.As(err, &e) {
				line = e.Line
			}
			fmt.Fprintf(&b, "%d!!%v\n", line, err)
			return b.String()
		}
		fmt.Fprintf(&b, "%d", rec.Line)
		if rec.Fault != "" {
			b.WriteString("!" + rec.Fault)
		}
		for i, k := range rec.Keys {
			fmt.Fprintf(&b, " %s=%v", k, rec.Values[i])
		}
		b.WriteByte('\n')
	}
}

func TestRecords(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", MaxRecord) + `"}`
	for _, c := range []struct{ name, in, want string }{
		{"lines", "{\"a\":1,\"b\":[1,{\"c\":null}]}\r\n\n  \n{\"b\":\"x\"}", "1 a=1 b=[1 map[c:<nil>]]\n4 b=x\n"},
		{"empty", " \n\r\n", ""},
		{"faulty lines", "{\"a\":1\n{\"a\":1,\"a\":2}\n[1]\nemail\n{\"a\":2}\n", "1!column 7: it ends too early\n2!column 11: the key \"a\" is there twice\n" +
			"3!column 2: it is no object: it must begin with {\n4!column 1: invalid character 'e' looking for beginning of value\n5 a=2\n"},
		{"column in characters", "{\"ü\":nix}\n", "1!column 6: invalid character 'i' in literal null (expecting 'u')\n"},
		{"not UTF-8", "{\"a\":\"\xff\"}\n{\"a\":1}\n", "1!column 7: octet 0xff is not valid UTF-8\n2 a=1\n"},
		{"a long line", "{\"a\":1}\n" + long + "\n{\"a\":2}\n", "1 a=1\n2!the line is longer than 16 MiB\n3 a=2\n"},
		{"array", " [\n {\"a\": 1},\n {\"a\":\n \"}]\\\"\"}\n]\n", "2 a=1\n3 a=}]\"\n"},
		{"empty array", "[]", ""},
		{"array with faulty elements", "[{\"a\":1},\n7, \"x\", null,\n{\"a\" 1}, {\"b\":\n\n x}, {\"a\":2}]", "1 a=1\n2!column 2: it is no object: it must begin with {\n2!column 4: it is no object: it must begin with {\n" +
			"2!column 5: it is no object: it must begin with {\n3!column 6: invalid character '1' after object key\n3!line 5, column 2: invalid character 'x' looking for beginning of value\n5 a=2\n"},
		{"a large element", "[" + long + ",{\"a\":2}]", "1!the object is larger than 16 MiB\n1 a=2\n"},
		{"cut array", "[{\"a\":1},\n{\"a\":", "1 a=1\n2!!the array is never closed: the file is cut short\n"},
		{"cut between", "[{\"a\":1}\n", "1 a=1\n2!!the array is never closed: the file is cut short\n"},
		{"trailing comma", "[{\"a\":1},]", "1 a=1\n1!!after a comma there must be another object\n"},
		{"no comma", "[{\"a\":1} {\"a\":2}]", "1 a=1\n1!!after an object there must be a comma or the end of the array, not '{'\n"},
		{"more behind", "[{\"a\":1}]\n{\"a\":2}", "1 a=1\n2!!after the end of the array there is '{'\n"},
	} {
		got := all(strings.NewReader(c.in))
		if got != c.want {
			t.Errorf("%s: got\n%.400swant\n%s", c.name, got, c.want)
		}
		if len(c.in) < 1000 {
			if small := all(iotest.OneByteReader(strings.NewReader(c.in))); small != got {
				t.Errorf("%s: small reads give\n%s", c.name, small)
			}
		}
	}
	if got := all(io.MultiReader(strings.NewReader("{\"a\":1}\n{\"a\""), iotest.ErrReader(errors.New("disk on fire")))); got != "1 a=1\n0!!disk on fire\n" {
		t.Error(got)
	}
}

// An array that encoding/json takes is read whole, with as many objects.
func FuzzRecords(f *testing.F) {
	f.Add("[{\"a\":1},{\"b\":[{}]}]")
	f.Add("{\"a\":1}\n{\"b\":2}\n")
	f.Add("[1,]")
	f.Add("[{\"a\":\"]\\\"\"}\n]")
	f.Fuzz(func(t *testing.T, in string) {
		got := all(strings.NewReader(in))
		if small := all(iotest.HalfReader(strings.NewReader(in))); small != got {
			t.Fatalf("%q: %q and %q", in, got, small)
		}
		var want []json.RawMessage
		if strings.HasPrefix(in, "[") && json.Unmarshal([]byte(in), &want) == nil {
			if strings.Contains(got, "!!") || strings.Count(got, "\n") < len(want) {
				t.Fatalf("%q is read as %q", in, got)
			}
		}
	})
}
