package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/mailblast/mailblast/composer/rows/sheet"
	"github.com/mailblast/mailblast/composer/rows/store"
)

// workbook reads the table of one sheet, in two passes: what merges cells, what they link to and which columns are in
// use is known at the end of the first only.
func (f *File) workbook(ctx context.Context, size int64, w Sink) error {
	book, err := sheet.Open(f.f, size, f.src.Dir, f.src.Max)
	if err != nil {
		return workbookFault(err)
	}
	defer book.Close()
	s, err := f.choose(book)
	if err != nil {
		return workbookFault(err)
	}
	v := &survey{ctx: ctx}
	if v.rest, err = book.Each(s, v.row); err != nil {
		return workbookFault(err)
	}
	t, err := v.table(f.src)
	if err != nil {
		return err
	}
	w.Columns(t.h.cols)
	t.w = w
	if _, err = book.Each(s, t.row); err != nil {
		return workbookFault(err)
	}
	return nil
}

func workbookFault(err error) error {
	if e := (*sheet.Error)(nil); errors.As(err, &e) {
		out := &Error{Text: e.Text, Hint: e.Hint, Err: e.Err}
		if e.Full {
			out.Kind = Full
		}
		return out
	}
	return err
}

// choose gives the sheet that is named, or the only one that has cells. Hidden ones count when no other has any.
func (f *File) choose(book *sheet.Book) (sheet.Sheet, error) {
	var names []string
	for _, s := range book.Sheets {
		if f.src.Sheet != "" && strings.EqualFold(strings.TrimSpace(s.Name), strings.TrimSpace(f.src.Sheet)) {
			return s, nil
		}
		names = append(names, fmt.Sprintf("%q", s.Name))
	}
	if f.src.Sheet != "" {
		return sheet.Sheet{}, fault(0, "there is no sheet %q", f.src.Sheet).hinted("it has " + strings.Join(names, ", "))
	}
	for _, hidden := range []bool{false, true} {
		var full []sheet.Sheet
		names = names[:0]
		for _, s := range book.Sheets {
			if s.Hidden != hidden {
				continue
			}
			some := false
			if _, err := book.Each(s, func(*sheet.Row) error { some = true; return fs.SkipAll }); err != nil {
				return s, err
			}
			if some {
				full = append(full, s)
				names = append(names, fmt.Sprintf("%q", s.Name))
			}
		}
		switch len(full) {
		case 0:
		case 1:
			return full[0], nil
		default:
			return full[0], fault(0, "several sheets have cells: %s", strings.Join(names, ", ")).
				hinted(fmt.Sprintf("write the one that is meant under recipients, such as sheet: %s", full[0].Name))
		}
	}
	return sheet.Sheet{}, fault(0, "the workbook is empty")
}

// column gives the letters of a column, from 1.
func column(n int) string {
	s := ""
	for ; n > 0; n = (n - 1) / 26 {
		s = string(rune('A'+(n-1)%26)) + s
	}
	return s
}

// sheetTable is what is read of a sheet: everything below its header.
type sheetTable struct {
	ctx    context.Context
	w      Sink
	h      *header
	top    int // row of the header
	down   map[int][]span
	across map[int][]span
	links  map[[2]int]string
	values []any
}

// span is a block of merged cells, from its point of view of one column or one row.
type span struct {
	sheet.Range
	value any
}

func (t *sheetTable) row(r *sheet.Row) error {
	if r.Number%256 == 0 && t.ctx.Err() != nil {
		return t.ctx.Err()
	}
	if r.Number <= t.top {
		return nil
	}
	t.values = t.values[:0]
	fault := ""
	for i, at := range t.h.at {
		var c sheet.Cell
		if at < len(r.Cells) {
			c = r.Cells[at]
		}
		c = t.merged(r.Number, at+1, c)
		name := fmt.Sprintf("%s%d", column(at+1), r.Number)
		if c.Fault != "" && fault == "" {
			fault = "cell " + name + " has " + c.Fault
		}
		if s, text := c.Value.(string); text || c.Value == nil {
			c.Value = t.linked(r.Number, at+1, t.h.cols[i].Name, s)
		}
		t.values = append(t.values, c.Value)
	}
	if s, ok := t.spread(r.Number); ok && fault == "" {
		fault = fmt.Sprintf("cells %s%d to %s%d are merged into one", column(s.Left), s.Top, column(s.Right), s.Bottom)
	}
	if fault != "" {
		return t.w.Add(r.Number, nil, fault)
	}
	return t.w.Add(r.Number, t.values, "")
}

// merged gives a cell the value of the one that it is merged with, further up in its column.
func (t *sheetTable) merged(row, col int, c sheet.Cell) sheet.Cell {
	spans := t.down[col]
	for len(spans) > 0 && spans[0].Bottom < row {
		spans = spans[1:]
	}
	t.down[col] = spans
	switch {
	case len(spans) == 0 || spans[0].Top > row:
	case spans[0].Top == row:
		spans[0].value = c.Value
	case c.Value == nil:
		c.Value = spans[0].value
	}
	return c
}

// spread tells that cells of several columns are merged in a row.
func (t *sheetTable) spread(row int) (span, bool) {
	if s := t.across[row]; len(s) > 0 {
		return s[0], true
	}
	return span{}, false
}

// linked gives a text as it is, and in the column of addresses the address that a word links to. An empty cell is an
// empty text, as in other files.
func (t *sheetTable) linked(row, col int, name, text string) any {
	to, ok := t.links[[2]int{row, col}]
	if !ok || strings.Contains(text, "@") || !addressColumn(name) || len(to) < 7 || !strings.EqualFold(to[:7], "mailto:") {
		return text
	}
	to, _, _ = strings.Cut(to[7:], "?")
	return to
}

// addressColumn tells that a column is the one addresses are taken from when the campaign names none.
func addressColumn(name string) bool {
	switch strings.ToLower(name) {
	case "email", "e-mail", "mail":
		return true
	}
	return false
}

// shownText is a cell as text.
func shownText(c sheet.Cell) string { return store.Text(c.Value) }
