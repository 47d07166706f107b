package dialect

import (
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSniff(t *testing.T) {
	for _, c := range []struct {
		name, in string
		def      byte
		want     Dialect
	}{
		{"comma", "email,name\na@example.com,Ana\n", ',', Dialect{Delimiter: ','}},
		{"semicolon", "email;name\na@example.com;Ana\n", ',', Dialect{Delimiter: ';'}},
		{"tab", "email\tname\na@example.com\tAna\n", ',', Dialect{Delimiter: '\t'}},
		{"pipe", "email|name\na@example.com|Ana\n", ',', Dialect{Delimiter: '|'}},
		{"decimal commas", "email;total\na@example.com;12,50\nb@example.com;7,00\n", ',', Dialect{Delimiter: ';'}},
		{"commas in the header too", "email;total (EUR, net)\na@example.com;12,50\nb@example.com;7,00\n", ',', Dialect{Delimiter: ';'}},
		{"names with commas", "Name, First;Email;City, ZIP\nDoe, Jane;j@example.com;Berlin, 10115\n", ',', Dialect{Delimiter: ';'}},
		{"semicolons in cells", "email,tags\na@example.com,x;y;z\nb@example.com,u;v;w\n", ',', Dialect{Delimiter: ','}},
		{"quoted semicolons", "email,note\na@example.com,\"x; y\"\n", ',', Dialect{Delimiter: ','}},
		{"one column", "email\na@example.com\n", ',', Dialect{Delimiter: ','}},
		{"one column of a .tsv", "email\na@example.com\n", '\t', Dialect{Delimiter: '\t'}},
		{"a .tsv with semicolons", "email;name\na@example.com;Ana\n", '\t', Dialect{Delimiter: ';'}},
		{"no addresses", "user;name\nana;Ana\nbo;Bo, jr\n", ',', Dialect{Delimiter: ';'}},
		{"header alone", "email;name\n", ',', Dialect{Delimiter: ';'}},
		{"empty lines first", "\n\r\n\nemail;name\na@example.com;Ana\n", ',', Dialect{Delimiter: ';'}},
		{"empty", "", ',', Dialect{Delimiter: ','}},
		{"named", "sep=;\nemail,x;name\n", ',', Dialect{Delimiter: ';', Named: true}},
		{"named in quotes, CRLF", "\"sep=|\"\r\nemail|name\r\n", ',', Dialect{Delimiter: '|', Named: true}},
		{"CR", "email;name\ra@example.com;Ana\r", ',', Dialect{Delimiter: ';', CR: true}},
		{"CR, named", "sep=;\remail;name\r", ',', Dialect{Delimiter: ';', Named: true, CR: true}},
		{"ragged", "email;name;city\na@example.com;Ana\nb@example.com;Bo;Ulm;x\n", ',', Dialect{Delimiter: ';'}},
	} {
		got, err := Sniff([]byte(c.in), c.def, true)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
	for _, in := range []string{"a;b|c;d|e\n1;2|3;4|5\n", "user|a;name\nx|b;y\n"} {
		if d, err := Sniff([]byte(in), ',', true); !errors.Is(err, ErrUncertain) {
			t.Errorf("%q: %+v, %v", in, d, err)
		}
	}
	// A line that the sample cuts says nothing.
	if d, err := Sniff([]byte("email;name\na@example.com;Ana\nb@example.com,x,y"), ',', false); err != nil || d.Delimiter != ';' {
		t.Errorf("%+v, %v", d, err)
	}
}

// A list is read with the delimiter it was written with, whatever else is in its cells.
func TestSniffProperty(t *testing.T) {
	cell := rapid.StringMatching(`[a-z ,;|.]{0,8}`)
	rapid.Check(t, func(t *rapid.T) {
		delimiter := rapid.SampledFrom(usual).Draw(t, "delimiter")
		columns := rapid.IntRange(1, 4).Draw(t, "columns")
		var b strings.Builder
		b.WriteString("email")
		for range columns {
			b.WriteString(string(delimiter) + "column")
		}
		b.WriteByte('\n')
		for range rapid.IntRange(1, 20).Draw(t, "rows") {
			b.WriteString("somebody@example.com")
			for range columns {
				b.WriteString(string(delimiter) + strings.ReplaceAll(cell.Draw(t, "cell"), string(delimiter), ""))
			}
			b.WriteByte('\n')
		}
		d, err := Sniff([]byte(b.String()), ',', true)
		if err != nil || d.Delimiter != delimiter {
			t.Fatalf("%q: %+v, %v", b.String(), d, err)
		}
	})
}

func TestAddress(t *testing.T) {
	for cell, want := range map[string]bool{"a@example.com": true, " Ana.B+x@example.co.uk ": true, "ana@büro.example": true, "": false, "@": false, "email": false,
		"a@b": false, "a@example.com;x": false, "Ana <a@example.com>": false, "a@b@example.com": false, "@example.com": false, "12@3.": false} {
		if Address(cell) != want {
			t.Errorf("%q: %v", cell, !want)
		}
	}
}

func TestParse(t *testing.T) {
	for in, want := range map[string]byte{",": ',', ";": ';', "tab": '\t', "TAB": '\t', `\t`: '\t', "\t": '\t', "|": '|', "^": '^', "": 0, "ab": 0, "a": 0, "@": 0, ".": 0, `"`: 0, "\n": 0, " ": 0, "§": 0} {
		if got, ok := Parse(in); got != want || ok != (want != 0) {
			t.Errorf("%q: %q, %v", in, got, ok)
		}
	}
}

func TestLines(t *testing.T) {
	if b, err := io.ReadAll(Lines(strings.NewReader("a\rb\r\rc"))); err != nil || string(b) != "a\nb\n\nc" {
		t.Errorf("%q, %v", b, err)
	}
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte("email;name\na@example.com;12,50\n"), byte(','))
	f.Add([]byte("sep=;\r\na;b\r\n"), byte('\t'))
	f.Add([]byte("a\rb\r"), byte(','))
	f.Fuzz(func(t *testing.T, b []byte, def byte) {
		d, err := Sniff(b, def, len(b)%2 == 0)
		if err != nil {
			if !errors.Is(err, ErrUncertain) {
				t.Fatal(err)
			}
			return
		}
		if d.Delimiter != def && !delimits(d.Delimiter) || d.Named && !strings.Contains(strings.ToLower(string(b)), "sep=") {
			t.Fatalf("%q: %+v", b, d)
		}
	})
}
