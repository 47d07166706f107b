package csvfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func all(t testing.TB, in io.Reader, delimiter byte) []Record {
	r := New(in, delimiter)
	var recs []Record
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return recs
		}
		if err != nil {
			t.Fatal(err)
		}
		rec.Fields = slices.Clone(rec.Fields)
		recs = append(recs, rec)
	}
}

// What is read does not depend on how it comes in, nor on where it lies in the buffer.
func TestSmallReads(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "user%d@example.com,\"a \"\"%d\"\"\n%s\",x\r\n", i, i, strings.Repeat("y", i%97))
	}
	want := all(t, strings.NewReader(b.String()), ',')
	if len(want) != 5000 || want[4999].Line != 9999 || want[7].Fields[1] != "a \"7\"\nyyyyyyy" {
		t.Fatalf("%d records, the last %v", len(want), want[len(want)-1])
	}
	got := all(t, iotest.HalfReader(iotest.OneByteReader(strings.NewReader(b.String()))), ',')
	if !slices.EqualFunc(got, want, func(a, b Record) bool { return a.Line == b.Line && slices.Equal(a.Fields, b.Fields) }) {
		t.Error("small reads give other records")
	}
}

// A quote that was opened by mistake does not take the rows below it into its cell, up to the next quote.
func TestSwallowedRows(t *testing.T) {
	recs := all(t, strings.NewReader("email,name,plan\na@x.test,\"Jo,pro\nb@x.test,Ann,pro\nc@x.test,Bob\",pro\nd@x.test,\"Dan\nat home\",pro\n"), ',')
	want := []string{"1 [email name plan] ", "2 [] a quote opened in it runs over lines 2 to 4, and line 3 looks like a row of its own", "5 [d@x.test Dan\nat home pro] "}
	var got []string
	for _, r := range recs {
		got = append(got, fmt.Sprint(r.Line, " ", r.Fields, " ", r.Fault))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("disk on fire")
	r := New(io.MultiReader(strings.NewReader("a,b\nc,"), iotest.ErrReader(broken)), ',')
	if rec, err := r.Next(); err != nil || len(rec.Fields) != 2 {
		t.Fatalf("%v, %v", rec, err)
	}
	if rec, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("%v, %v: half a record is given as a whole one", rec, err)
	}
	if _, err := New(iotest.ErrReader(broken), ',').Next(); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

// One record that is too large costs only itself, and the memory of one.
func TestLimits(t *testing.T) {
	field := strings.Repeat("x", MaxField+1)
	line := strings.Repeat("y,", MaxRecord/2+MaxField)
	open := `a,"` + strings.Repeat(strings.Repeat("z", 4095)+"\n", MaxRecord/4096+10)
	for _, c := range []struct{ name, in, want string }{
		{"field", "a," + field + "\n", "field 2 is larger than 1 MiB"},
		{"quoted field", `"` + field + "\",a\n", "field 1 is larger than 1 MiB"},
		{"line", line + "\n", "the line is longer than 16 MiB"},
		{"very long line", line + line + line + "\n", "the line is longer than 16 MiB"},
	} {
		recs := all(t, strings.NewReader("h\n"+c.in+"last\n"), ',')
		if len(recs) != 3 || recs[1].Fault != c.want || recs[2].Line != 3 || recs[2].Fields[0] != "last" {
			t.Errorf("%s: %d records, fault %q", c.name, len(recs), recs[1].Fault)
		}
	}
	recs := all(t, strings.NewReader(open), ',')
	if recs[0].Fault != "the quote opened on line 1 is not closed within 16 MiB" || len(recs) != strings.Count(open, "\n") {
		t.Errorf("open quote: %d records, fault %q", len(recs), recs[0].Fault)
	}
}

// Memory does not grow with the file.
func TestFlat(t *testing.T) {
	r := New(strings.NewReader(strings.Repeat("somebody@example.com,\"x\"\n", 200_000)), ',')
	for {
		if _, err := r.Next(); err != nil {
			break
		}
	}
	if cap(r.buf) > 1<<17 {
		t.Errorf("the buffer has grown to %d octets", cap(r.buf))
	}
}

func FuzzNext(f *testing.F) {
	for _, s := range []string{"a,b\nc,d\n", "\"a\"\"b\",\"c\nd\"\r\ne", "a,\"b\n\"c\",d\n", "\xef\xbb\xbfa\n\n\"\"", "\"", "a\r\r\n,\r", "\"a\"\rb\n", "\xff,x\n"} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, in []byte, tabs bool) {
		delimiter := byte(',')
		if tabs {
			delimiter = '\t'
		}
		recs := all(t, bytes.NewReader(in), delimiter)
		lines, faulty := 0, false
		for _, r := range recs {
			if r.Line <= lines {
				t.Fatalf("line %d comes after line %d", r.Line, lines)
			}
			lines, faulty = r.Line, faulty || r.Fault != ""
			if r.Fault == "" && len(r.Fields) == 0 {
				t.Fatalf("line %d has neither fields nor a fault", r.Line)
			}
		}
		if max := bytes.Count(in, []byte("\n")) + 1; lines > max {
			t.Fatalf("line %d of %d", lines, max)
		}
		if !faulty && !tabs {
			agree(t, in, recs)
		}
	})
}

// agree holds what is faultless against the standard library's reader.
func agree(t *testing.T, in []byte, recs []Record) {
	in = bytes.TrimPrefix(in, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(in, '\r') >= 0 { // read differently there: a CR in quotes is dropped
		return
	}
	std := csv.NewReader(bytes.NewReader(in))
	std.FieldsPerRecord = -1
	for i := 0; ; i++ {
		want, err := std.Read()
		if errors.Is(err, io.EOF) {
			if i != len(recs) {
				t.Fatalf("%d records, want %d", len(recs), i)
			}
			return
		}
		if err != nil {
			t.Fatalf("no fault was found where encoding/csv has %v", err)
		}
		if line, _ := std.FieldPos(0); i >= len(recs) || recs[i].Line != line || !slices.Equal(recs[i].Fields, want) {
			t.Fatalf("record %d of %q: want %q on line %d, have %v", i, in, want, line, recs)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	line := "somebody.else@example.com,Somebody,Else,Berlin,pro,2026-11-24\n"
	for _, c := range []struct{ name, line string }{{"plain", line}, {"quoted", strings.Replace(line, "Berlin", `"Berlin"`, 1)}} {
		b.Run(c.name, func(b *testing.B) {
			r := New(&endless{line: []byte(c.line)}, ',')
			b.SetBytes(int64(len(c.line)))
			for b.Loop() {
				if rec, err := r.Next(); err != nil || len(rec.Fields) != 6 {
					b.Fatal(rec, err)
				}
			}
		})
	}
}

type endless struct {
	line []byte
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	for n := range p {
		p[n] = e.line[e.at]
		e.at = (e.at + 1) % len(e.line)
	}
	return len(p), nil
}
