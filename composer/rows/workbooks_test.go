package rows_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
)

// workbooks are the lists of testdata/lists that are made here, by another's hand than ours.
var workbooks = []struct {
	name string
	make func(b *maker)
}{
	{"80-workbook", func(b *maker) {
		b.rows("A1", []any{"email", "Name", "since", "zip", "phone", "vip", "share", "total", "at", "took"},
			[]any{"ana@example.com", "Ana", b.day(2026, 11, 24), 1067, 491512345678, true, 0.125, 12.5, b.day(2026, 11, 24).Add(8*time.Hour + 30*time.Minute), 1.0625},
			[]any{"bo@example.com", "Bo", nil, 80331, 4915123456789, false, 1, 0.1 + 0.2, nil, nil})
		b.format("C2:C3", "dd.mm.yyyy")
		b.format("D2:D3", "00000")
		b.format("G2:G3", "0.0%")
		b.format("I2:I3", "yyyy-mm-dd hh:mm")
		b.format("J2:J3", "[h]:mm")
	}},
	{"81-title-and-blank-lines", func(b *maker) {
		b.rows("B2", []any{"Customers 2026"}, nil, []any{"Exported by", "Ana"}, nil, []any{"email", "name", "plan", "city"},
			[]any{"ana@example.com", "Ana", "pro", "Ulm"}, nil, []any{"bo@example.com", "Bo", nil, "Köln"}, nil, nil, []any{"cy@example.com", "Cy", "free", nil})
		b.check(b.f.MergeCell("Sheet1", "B2", "E2"))
	}},
	{"82-several-sheets", func(b *maker) {
		b.rows("A1", []any{"email"}, []any{"ana@example.com"})
		b.sheet("Old & new")
		b.rows("A1", []any{"email"}, []any{"bo@example.com"})
		b.sheet("Empty")
	}},
	{"83-sheet-said", func(b *maker) {
		b.rows("A1", []any{"email"}, []any{"ana@example.com"})
		b.sheet("Old & new")
		b.rows("A1", []any{"email"}, []any{"bo@example.com"})
	}},
	{"84-sheet-misspelt", func(b *maker) { b.rows("A1", []any{"email"}, []any{"ana@example.com"}) }},
	{"85-one-sheet-with-cells", func(b *maker) {
		b.sheet("Customers")
		b.rows("A1", []any{"email"}, []any{"ana@example.com"})
		b.sheet("Lookup")
		b.rows("A1", []any{"x"})
		b.check(b.f.SetSheetVisible("Lookup", false))
	}},
	{"86-filtered", func(b *maker) {
		b.rows("A1", []any{"email", "plan"}, []any{"ana@example.com", "pro"}, []any{"bo@example.com", "free"}, []any{"cy@example.com", "free"},
			[]any{"dan@example.com", "pro"}, []any{"eve@example.com", "free"})
		b.check(b.f.AutoFilter("Sheet1", "A1:B6", []excelize.AutoFilterOptions{{Column: "B", Expression: "x == pro"}}))
		for _, row := range []int{3, 4, 6} {
			b.check(b.f.SetRowVisible("Sheet1", row, false))
		}
	}},
	{"87-hidden-column", func(b *maker) {
		b.rows("A1", []any{"email", "secret", "name"}, []any{"ana@example.com", "s", "Ana"})
		b.check(b.f.SetColVisible("Sheet1", "B", false))
	}},
	{"88-merged", func(b *maker) {
		b.rows("A1", []any{"company", "email", "first", "last"}, []any{"Acme", "ana@example.com", "Ana", "A"}, []any{nil, "bo@example.com", "Bo", "B"},
			[]any{nil, "cy@example.com", "Cy", "C"}, []any{"Other", "dan@example.com", "Dan D", nil}, []any{"Other", "eve@example.com", "Eve", "E"})
		b.check(b.f.MergeCell("Sheet1", "A2", "A4"))
		b.check(b.f.MergeCell("Sheet1", "C5", "D5"))
	}},
	{"89-formulas", func(b *maker) {
		b.rows("A1", []any{"email", "name"}, []any{"ana@example.com", nil}, []any{"bo@example.com", "Bo"})
		b.check(b.f.SetCellFormula("Sheet1", "B2", `PROPER("ana")`))
	}},
	{"90-dates-from-1904", func(b *maker) {
		yes := true
		b.check(b.f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes}))
		b.rows("A1", []any{"email", "since"}, []any{"ana@example.com", 44889})
		b.format("B2:B2", "d. mmmm yyyy")
	}},
	{"91-rich-text-and-links", func(b *maker) {
		b.rows("A1", []any{"email", "name", "site"}, []any{"ana@example.com", nil, "page"}, []any{"write to Bo", "Bo", "page"})
		b.check(b.f.SetCellRichText("Sheet1", "B2", []excelize.RichTextRun{{Text: "An"}, {Text: "a ", Font: &excelize.Font{Bold: true}}, {Text: "& Co"}}))
		b.check(b.f.SetCellHyperLink("Sheet1", "A2", "mailto:ana@example.com", "External"))
		b.check(b.f.SetCellHyperLink("Sheet1", "A3", "mailto:bo@example.com?subject=Hello", "External"))
		b.check(b.f.SetCellHyperLink("Sheet1", "C3", "https://example.com/", "External"))
	}},
	{"71-stale-links", func(b *maker) {
		b.rows("A1", []any{"email", "name"}, []any{"DO NOT MAIL", "Ann"}, []any{nil, "Bo"}, []any{"Cy@example.com", "Cy"}, []any{"dan@new.example", "Dan"},
			[]any{"Eve <eve@example.com>", "Eve"}, []any{"left us", "Fay"}, []any{7, "Gil"})
		for i, to := range []string{"ann@x.example", "bo@example.com", "cy@example.com", "dan@example.com", "eve@example.com", "", "gil@example.com"} {
			if to != "" {
				b.check(b.f.SetCellHyperLink("Sheet1", fmt.Sprintf("A%d", i+2), "mailto:"+to, "External"))
			}
		}
	}},
	{"92-formatted-to-the-end", func(b *maker) {
		b.rows("A1", []any{"email", "name"}, []any{"ana@example.com", "Ana"})
		b.format("A3:D2000", "@")
		b.format("C1:D1", "@")
	}},
	{"93-no-header", func(b *maker) { b.rows("A1", []any{"ana@example.com", "Ana"}, []any{"bo@example.com", "Bo"}) }},
	{"94-twins", func(b *maker) { b.rows("A1", []any{"email", "note", "note"}, []any{"ana@example.com", "x", "y"}) }},
	{"95-beside-the-table", func(b *maker) {
		b.rows("A1", []any{"email", "name"}, []any{"ana@example.com", "Ana"}, []any{"bo@example.com", "Bo", nil, "call her"})
	}},
	{"96-empty-workbook", func(*maker) {}},
	{"97-password", func(b *maker) { b.rows("A1", []any{"email"}); b.password = "hunter22" }},
	{"98-cut", func(b *maker) { b.rows("A1", []any{"email"}, []any{"ana@example.com"}); b.cut = 200 }},
	{"99-one-column", func(b *maker) { b.rows("A1", []any{"My list"}, nil, []any{"email"}, []any{"ana@example.com"}) }},
}

// maker makes one workbook.
type maker struct {
	t        *testing.T
	f        *excelize.File
	on       string // the sheet
	password string
	cut      int // octets off its end
}

func (b *maker) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *maker) day(y, m, d int) time.Time {
	return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
}

func (b *maker) sheet(name string) {
	_, err := b.f.NewSheet(name)
	b.check(err)
	b.on = name
}

func (b *maker) rows(from string, rows ...[]any) {
	col, row, err := excelize.CellNameToCoordinates(from)
	b.check(err)
	for i, values := range rows {
		cell, err := excelize.CoordinatesToCellName(col, row+i)
		b.check(err)
		b.check(b.f.SetSheetRow(b.on, cell, &values))
	}
}

func (b *maker) format(cells, code string) {
	style, err := b.f.NewStyle(&excelize.Style{CustomNumFmt: &code})
	b.check(err)
	var from, to string
	_, err = fmt.Sscanf(cells, "%2s:%s", &from, &to)
	b.check(err)
	b.check(b.f.SetCellStyle(b.on, from, to, style))
}

// With -update the workbooks are made anew, when there is a reason to.
func TestWorkbooks(t *testing.T) {
	if !*update {
		return // TestLists reads them
	}
	for _, w := range workbooks {
		b := &maker{t: t, f: excelize.NewFile(), on: "Sheet1"}
		w.make(b)
		var out bytes.Buffer
		b.check(b.f.Write(&out, excelize.Options{Password: b.password}))
		whole := out.Bytes()[:out.Len()-b.cut]
		path := filepath.Join(corpus, w.name+".xlsx")
		if old, err := os.ReadFile(path); err == nil && (bytes.Equal(old, whole) || b.password != "") {
			continue // a password makes other octets each time
		}
		b.check(os.WriteFile(path, whole, 0o644))
	}
}
