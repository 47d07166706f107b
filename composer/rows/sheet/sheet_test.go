package sheet

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mailblast/mailblast/composer/rows/store"
)

const (
	relsPart = `<Relationships xmlns="x"><Relationship Id="r1" Type="http://y/officeDocument" Target="xl/workbook.xml"/></Relationships>`
	bookPart = `<workbook xmlns:r="r"><sheets><sheet name="One" sheetId="1" r:id="r1"/></sheets></workbook>`
	bookRels = `<Relationships><Relationship Id="r1" Type="x/worksheet" Target="worksheets/s.xml"/><Relationship Id="r2" Type="x/styles" Target="/xl/styles.xml"/><Relationship Id="r3" Type="x/sharedStrings" Target="strings.xml"/></Relationships>`
)

// book makes the parts of a workbook with one sheet; more parts replace them. An empty one is left out.
func book(t testing.TB, cells string, more map[string]string) []byte {
	t.Helper()
	parts := map[string]string{"_rels/.rels": relsPart, "xl/workbook.xml": bookPart, "xl/_rels/workbook.xml.rels": bookRels,
		"xl/worksheets/s.xml": `<worksheet xmlns:r="r"><sheetData>` + cells + `</sheetData></worksheet>`,
		"xl/styles.xml":       `<styleSheet><cellXfs><xf numFmtId="0"/></cellXfs></styleSheet>`,
		"xl/strings.xml":      `<sst><si><t>zero</t></si><si><r><t>o</t></r><r><rPr/><t xml:space="preserve">ne </t></r><rPh sb="0" eb="1"><t>spoken</t></rPh></si><si><t>line_x000D_end _x00_ _x005F_</t></si></sst>`}
	maps.Copy(parts, more)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if parts[name] == "" {
			continue
		}
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, parts[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// show reads the first sheet: one line a row.
func show(t testing.TB, file []byte, limit int64) (string, error) {
	t.Helper()
	b, err := Open(t.Context(), bytes.NewReader(file), int64(len(file)), t.TempDir(), limit)
	if err != nil {
		return "", err
	}
	defer b.Close()
	if len(b.Sheets) == 0 {
		return "", nil
	}
	var out strings.Builder
	rest, err := b.Each(b.Sheets[0], func(r *Row) error {
		fmt.Fprintf(&out, "%d", r.Number)
		if r.Hidden {
			out.WriteString(" hidden")
		}
		for _, c := range r.Cells {
			if c.Fault != "" {
				out.WriteString("|!" + c.Fault)
				continue
			}
			fmt.Fprintf(&out, "|%s", strings.TrimPrefix(fmt.Sprintf("%T ", c.Value), "<nil> ")+store.Text(c.Value))
		}
		out.WriteByte('\n')
		return nil
	})
	if len(rest.Merged) > 0 || len(rest.Links) > 0 {
		fmt.Fprintln(&out, rest.Merged, rest.Links)
	}
	return out.String(), err
}

func TestCells(t *testing.T) {
	for _, c := range []struct{ name, cells, want string }{
		{"shared strings", `<row r="2"><c r="A2" t="s"><v>0</v></c><c r="C2" t="s"><v>1</v></c></row>`, "2|string zero||string one \n"},
		{"escapes", `<row><c t="s"><v>2</v></c></row>`, "1|string line\rend _x00_ _\n"},
		{"inline", `<row><c t="inlineStr"><is><t>a &amp; b</t></is></c><c t="inlineStr"><is><r><t>x</t></r>
			<r><t>y</t></r></is></c></row>`, "1|string a & b|string xy\n"},
		{"booleans", `<row><c t="b"><v>1</v></c><c t="b"><v>0</v></c></row>`, "1|bool true|bool false\n"},
		{"errors", `<row><c t="e"><v>#N/A</v></c><c t="e"><f>A0</f><v>#REF!</v></c></row>`, "1|!#N/A|!#REF!\n"},
		{"formulas", `<row><c><f>1+1</f><v>2</v></c><c t="str"><f>X</f><v>x</v></c><c t="str"><f>X</f><v></v></c><c><f>NOW()</f></c></row>`, "1|int64 2|string x||!a formula that was never calculated\n"},
		{"ISO dates", `<row><c t="d"><v>2026-11-24</v></c><c t="d"><v>2026-11-24T08:30:00</v></c><c t="d"><v>08:30:00</v></c><c t="d"><v>soon</v></c></row>`,
			"1|store.Moment 2026-11-24|store.Moment 2026-11-24 08:30:00|store.Moment 08:30:00|string soon\n"},
		{"numbers", `<row><c><v>491512345678</v></c><c><v>4.9151234567890001E+13</v></c><c><v>0.30000000000000004</v></c><c><v>2.9999999999999996</v></c><c><v>-7</v></c><c><v>1E-7</v></c><c><v>1.2345678901234568E+19</v></c></row>`,
			"1|int64 491512345678|int64 49151234567890|float64 0.3|int64 3|int64 -7|float64 0.0000001|string 12345678901234600000\n"},
		{"no value", `<row><c t="s"/><c t="b"/><c t="e"/><c t="d"/><c t="str"/><c t="inlineStr"/><c t="n"/><c/><c t="s"><v/></c><c><v>1</v></c></row>`, "1||||||||||int64 1\n"},
		{"no number", `<row><c><v>many</v></c><c><v>1e999</v></c></row>`, "1|!\"many\", which is no number|!\"1e999\", which is no number\n"},
		{"empty rows", `<row r="1"/><row r="2"><c r="A2" s="0"/></row><row r="3"><c t="inlineStr"><is><t/></is></c></row><row r="9" hidden="1"><c><v>1</v></c></row>`, "9 hidden|int64 1\n"},
		{"prefixed names", `<x:row xmlns:x="x"><x:c><x:v>1</x:v></x:c></x:row>`, "1|int64 1\n"},
	} {
		got, err := show(t, book(t, c.cells, nil), 1<<20)
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	sheet := `<worksheet xmlns:r="r"><sheetData><row><c><v>1</v></c></row></sheetData><mergeCells><mergeCell ref="A1:B3"/><mergeCell ref="?"/></mergeCells>` +
		`<hyperlinks><hyperlink ref="B2" r:id="h1"/><hyperlink ref="C2" location="x"/></hyperlinks></worksheet>`
	got, err := show(t, book(t, "", map[string]string{"xl/worksheets/s.xml": sheet,
		"xl/worksheets/_rels/s.xml.rels": `<Relationships><Relationship Id="h1" Type="x/hyperlink" Target="mailto:a@example.com" TargetMode="External"/></Relationships>`}), 1<<20)
	if want := "1|int64 1\n[{1 1 3 2}] map[[2 2]:mailto:a@example.com]\n"; err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		code string
		x    float64
		want string
	}{
		{"General", 1067, "int64 1067"}, {"0", 7, "int64 7"}, {"0.00", 12.5, "float64 12.5"}, {"#,##0.00 €", 1234.5, "float64 1234.5"}, {`#,##0\ "EUR"`, 5, "int64 5"},
		{"00000", 1067, "string 01067"}, {"00000", 123456, "string 123456"}, {"00000;-00000;;@", 7, "string 00007"}, {"000-00-0000", 12345678, "string 012-34-5678"},
		{`"KD-"0000`, 42, "string KD-0042"}, {`"2000-"00`, 7, "string 2000-07"}, {`\+00 000`, 49151, "string +49 151"}, {"00000", 1.5, "float64 1.5"}, {"(000) 000-0000", 5551234567, "string (555) 123-4567"},
		{"0%", 0.25, "string 25%"}, {"0.00%", 0.125, "string 12.50%"}, {"0%", 0.07, "string 7%"}, {"0.00E+00", 12345, "int64 12345"}, {"# ?/?", 0.5, "float64 0.5"}, {"@", 491512345678, "int64 491512345678"},
		{"dd.mm.yyyy", 46350, "store.Moment 2026-11-24"}, {"[$-407]d. mmmm yyyy", 46350.9, "store.Moment 2026-11-24"}, {"mmm-yy", 46350, "store.Moment 2026-11-24"}, {`yyyy"年"m"月"d"日"`, 46350, "store.Moment 2026-11-24"},
		{"yyyy-mm-dd hh:mm", 46350.354166666664, "store.Moment 2026-11-24 08:30:00"}, {"h:mm AM/PM", 0.354166666666667, "store.Moment 08:30:00"}, {"hh:mm:ss", 46350.5, "store.Moment 12:00:00"},
		{"mm:ss", 0.01, "store.Moment 00:14:24"}, {"[h]:mm", 1.0625, "string 25:30:00"}, {"[mm]:ss", 1.0625, "string 25:30:00"}, {"[Red]0", 5, "int64 5"}, {"[>100]0", 5, "int64 5"},
		{"yyyy", 1, "store.Moment 1900-01-01"}, {"yyyy", 59, "store.Moment 1900-02-28"}, {"yyyy", 60, "int64 60"}, {"yyyy", 61, "store.Moment 1900-03-01"}, {"yyyy", -1, "int64 -1"}, {"yyyy", 3e6, "int64 3000000"},
	} {
		v := (&Book{}).shown(c.x, parseFormat(c.code))
		if got := fmt.Sprintf("%T %s", v, store.Text(v)); got != c.want {
			t.Errorf("%v as %s: %s, want %s", c.x, c.code, got, c.want)
		}
	}
	for id, want := range map[int]string{0: "int64 46350", 1: "int64 46350", 9: "string 4635000%", 14: "store.Moment 2026-11-24", 22: "store.Moment 2026-11-24 00:00:00", 31: "store.Moment 2026-11-24", 33: "store.Moment 00:00:00", 49: "int64 46350"} {
		v := (&Book{}).shown(46350, builtIn(id))
		if got := fmt.Sprintf("%T %s", v, store.Text(v)); got != want {
			t.Errorf("format %d: %s, want %s", id, got, want)
		}
	}
	styles := `<styleSheet><numFmts><numFmt numFmtId="170" formatCode="00000"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="170"/><xf numFmtId="14"/></cellXfs><dxfs><dxf><numFmt numFmtId="170" formatCode="0%"/></dxf></dxfs></styleSheet>`
	got, err := show(t, book(t, `<row><c s="1"><v>7</v></c><c s="2"><v>44888</v></c><c s="9"><v>7</v></c></row>`,
		map[string]string{"xl/styles.xml": styles, "xl/workbook.xml": strings.Replace(bookPart, "<sheets>", `<workbookPr date1904="1"/><sheets>`, 1)}), 1<<20)
	if want := "1|string 00007|store.Moment 2026-11-24|int64 7\n"; err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestDamaged(t *testing.T) {
	one := `<row><c t="inlineStr"><is><t>a@example.com</t></is></c></row>`
	for _, c := range []struct {
		name, cells, want string
		more              map[string]string
		full              bool
	}{
		{"cut sheet", "", "unexpected EOF", map[string]string{"xl/worksheets/s.xml": "<worksheet><sheetData>" + one}, false},
		{"no cells", "", "has no cells", map[string]string{"xl/worksheets/s.xml": "<worksheet/>"}, false},
		{"no sheet", "", "xl/worksheets/s.xml is missing", map[string]string{"xl/worksheets/s.xml": ""}, false},
		{"no workbook", "", "xl/workbook.xml is missing", map[string]string{"xl/workbook.xml": ""}, false},
		{"no link", "", `the sheet "One" is missing`, map[string]string{"xl/_rels/workbook.xml.rels": ""}, false},
		{"a string that is not there", `<row><c t="s"><v>3</v></c></row>`, "there is no shared string 3", nil, false},
		{"a string's number", `<row><c t="s"><v>x</v></c></row>`, `a shared string has the number "x"`, nil, false},
		{"rows out of order", `<row r="5"/><row r="5"/>`, `has row "5" after row 5`, nil, false},
		{"cells out of order", `<row r="1"><c r="B1"><v>1</v></c><c r="A1"/></row>`, `has a cell "A1" in row 1`, nil, false},
		{"a cell of another row", `<row r="1"><c r="B2"><v>1</v></c></row>`, `has a cell "B2" in row 1`, nil, false},
		{"deep", strings.Repeat("<a>", 70), "nests deeper than 64", nil, false},
		{"large", `<row><c t="inlineStr"><is><t>` + strings.Repeat("x", 1<<20) + `</t></is></c></row>`, "is larger than 1048576 octets", nil, true},
		{"sheets", "", "more than 1000 sheets", map[string]string{"xl/workbook.xml": "<workbook>" + strings.Repeat(`<sheet name="One" id="r1"/>`, 1001) + "</workbook>"}, true},
		{"a sheet's name", "", "longer than 1024 octets", map[string]string{"xl/workbook.xml": `<workbook><sheet id="r1" name="` + strings.Repeat("x", 1025) + `"/></workbook>`}, false},
		{"cell formats", "", "more than 65536 cell formats", map[string]string{"xl/styles.xml": "<styleSheet><cellXfs>" + strings.Repeat("<xf/>", 1<<16+1) + "</cellXfs></styleSheet>"}, true},
		{"a number format", "", "longer than 1024 octets", map[string]string{"xl/styles.xml": `<styleSheet><numFmt numFmtId="170" formatCode="` + strings.Repeat("0", 1025) + `"/></styleSheet>`}, false},
		{".xlsb", "", "this is a binary workbook (.xlsb)", map[string]string{"xl/workbook.bin": "x"}, false},
		{".ods", "", "this is an OpenDocument spreadsheet (.ods)", map[string]string{"_rels/.rels": "", "content.xml": "x", "mimetype": "x"}, false},
		{".numbers", "", "this is a Numbers spreadsheet", map[string]string{"_rels/.rels": "", "Index/Document.iwa": "x"}, false},
		{".zip", "", "this is a ZIP archive, and no Excel workbook in it", map[string]string{"_rels/.rels": ""}, false},
	} {
		got, err := show(t, book(t, c.cells, c.more), 1<<20)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Text, c.want) || e.Full != c.full || e.Hint == "" {
			t.Errorf("%s: %q, %v; want %s", c.name, got, err, c.want)
		}
	}
	whole := book(t, strings.Repeat(one, 100), nil)
	want, err := show(t, whole, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for n := 4; n < len(whole); n += 7 { // wherever it is cut or changed: an error, and never fewer rows
		if got, err := show(t, whole[:n], 1<<20); err == nil {
			t.Errorf("cut at %d it is read as %d octets", n, len(got))
		}
		b := bytes.Clone(whole)
		b[n] ^= 0x55
		if got, err := show(t, b, 1<<20); err == nil && got != want && strings.Count(got, "\n") != 0 && strings.Count(got, "\n") < 100 {
			t.Errorf("changed at %d it is read as\n%s", n, got)
		}
	}
}

// Relationships are read for each sheet anew, and are bounded there.
func TestManyLinks(t *testing.T) {
	var b strings.Builder
	for i := range maxLinks + 1 {
		fmt.Fprintf(&b, `<Relationship Id="%d"/>`, i)
	}
	_, err := show(t, book(t, "", map[string]string{"xl/worksheets/_rels/s.xml.rels": "<Relationships>" + b.String() + "</Relationships>"}), 1<<30)
	if e := (*Error)(nil); !errors.As(err, &e) || !e.Full || !strings.Contains(e.Text, "more than 262144 relationships") {
		t.Error(err)
	}
}

// A workbook of a few octets that unpacks to many strings takes no memory for them, and its reading can be ended.
func TestManyStrings(t *testing.T) {
	const many = 500_000
	file := book(t, fmt.Sprintf(`<row><c t="s"><v>%d</v></c></row>`, many), map[string]string{"xl/strings.xml": "<sst>" + strings.Repeat("<si/>", many) + "<si><t>last</t></si></sst>"})
	if got, err := show(t, file, 1<<30); err != nil || got != "1|string last\n" {
		t.Errorf("%q, %v", got, err)
	}
	b, err := Open(t.Context(), bytes.NewReader(file), int64(len(file)), t.TempDir(), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if info, err := b.strings.ends.Stat(); err != nil || info.Size() != (many+2)*8 {
		t.Errorf("%v, %v", info, err)
	}
}

// endsAfter is a context that ends when it was looked at so many times.
type endsAfter struct {
	context.Context
	left int
}

func (c *endsAfter) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// Wherever a workbook is read, the reading ends with its context.
func TestEnds(t *testing.T) {
	file := book(t, strings.Repeat(`<row><c t="s"><v>0</v></c></row>`, 1000), map[string]string{"xl/strings.xml": "<sst>" + strings.Repeat("<si><t>x</t></si>", 1000) + "</sst>"})
	ended, opened := 0, 0
	for n := range 1000 {
		ctx := &endsAfter{t.Context(), n}
		b, err := Open(ctx, bytes.NewReader(file), int64(len(file)), t.TempDir(), 1<<20)
		if err == nil {
			opened++
			_, err = b.Each(b.Sheets[0], func(*Row) error { return nil })
			b.Close()
		}
		if err == nil {
			break
		}
		if ended++; !errors.Is(err, context.Canceled) {
			t.Fatalf("after %d looks: %v", n, err)
		}
	}
	if ended < 10 || opened < 5 {
		t.Errorf("it ended %d times, of them %d below Open", ended, opened)
	}
}

func TestSkipAll(t *testing.T) {
	file := book(t, `<row><c><v>1</v></c></row><row><c><v>2</v></c></row>`, nil)
	b, err := Open(t.Context(), bytes.NewReader(file), int64(len(file)), t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	n := 0
	if _, err := b.Each(b.Sheets[0], func(*Row) error { n++; return fs.SkipAll }); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
	stop := errors.New("enough")
	if _, err := b.Each(b.Sheets[0], func(*Row) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func FuzzSheet(f *testing.F) {
	f.Add(`<row r="1"><c r="A1" t="s"><v>0</v></c></row>`, "00000", "<sst><si><t>x</t></si></sst>", 5.0)
	f.Add(`<row><c><f>1</f></c></row>`, "[h]:mm", "", math.Inf(1))
	f.Add(`<row r="1"><c r="ZZZZ1"/></row>`, `"\`, "<sst>", -1.0)
	f.Fuzz(func(t *testing.T, cells, code, strings string, x float64) {
		_ = (&Book{}).shown(x, parseFormat(code))
		file := book(t, cells, map[string]string{"xl/strings.xml": strings})
		out, err := show(t, file, 1<<20)
		if e := (*Error)(nil); err != nil && (!errors.As(err, &e) || e.Text == "") {
			t.Fatalf("%v (%T)", err, err)
		}
		if !utf8.ValidString(out) {
			t.Fatalf("%q is no UTF-8", out)
		}
		if again, err2 := show(t, file, 1<<20); again != out || (err2 == nil) != (err == nil) {
			t.Fatalf("%q reads %q the second time, %v, %v", out, again, err, err2)
		}
	})
}
