// Package worksheet reads the table of one sheet of a workbook:
//
//  1. the sheet is the one that is named, or the only one that has cells;
//  2. a first pass finds the header, hidden rows, merged cells, links and the columns in use;
//  3. a second one gives the rows below the header.
package worksheet

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows/header"
	"github.com/mailblast/mailblast/composer/rows/sheet"
	"github.com/mailblast/mailblast/composer/rows/store"
)

// Sink takes the columns and the rows. Values are not kept.
type Sink interface {
	Columns(cols []composer.Column)
	Add(line int, values []any, fault string) error
}

// Source is a workbook.
type Source struct {
	In    io.ReaderAt
	Size  int64
	Sheet string // empty: the only one that has cells
	Dir   string // for a file that is gone at the end
	Max   int64  // octets that a part may have when it is unpacked
	Log   *slog.Logger
}

// Read reads the table. What is wrong with it is a *header.Error, with the workbook a *sheet.Error.
func Read(ctx context.Context, src Source, w Sink) error {
	book, err := sheet.Open(ctx, src.In, src.Size, src.Dir, src.Max)
	if err != nil {
		return err
	}
	defer book.Close()
	s, err := choose(book, src.Sheet)
	if err != nil {
		return err
	}
	v := &survey{ctx: ctx}
	if v.rest, err = book.Each(s, v.row); err != nil {
		return err
	}
	t, err := v.table(src.Log)
	if err != nil {
		return err
	}
	w.Columns(t.h.Columns)
	t.w = w
	_, err = book.Each(s, t.row)
	return err
}

// choose gives the sheet that is named, or the only one that has cells. Hidden ones count when no other has any.
func choose(book *sheet.Book, named string) (sheet.Sheet, error) {
	var names []string
	for _, s := range book.Sheets {
		if named != "" && strings.EqualFold(strings.TrimSpace(s.Name), strings.TrimSpace(named)) {
			return s, nil
		}
		names = append(names, fmt.Sprintf("%q", s.Name))
	}
	if named != "" {
		return sheet.Sheet{}, header.Fault(0, "there is no sheet %q", named).Hinted("it has " + strings.Join(names, ", "))
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
			return full[0], header.Fault(0, "several sheets have cells: %s", strings.Join(names, ", ")).
				Hinted(fmt.Sprintf("write the one that is meant under recipients, such as sheet: %s", full[0].Name))
		}
	}
	return sheet.Sheet{}, header.Fault(0, "the workbook is empty")
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
	h      *header.Header
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
	for i, at := range t.h.At {
		var c sheet.Cell
		if at < len(r.Cells) {
			c = r.Cells[at]
		}
		c = t.merged(r.Number, at+1, c)
		name := fmt.Sprintf("%s%d", column(at+1), r.Number)
		if c.Fault != "" && fault == "" {
			fault = "cell " + name + " has " + c.Fault
		}
		if c.Value == nil {
			c.Value = "" // as in other files
		}
		if to, other := t.linked(r.Number, at+1, t.h.Columns[i].Name, c.Value); other && fault == "" {
			fault = fmt.Sprintf("%s says %.60q and links to %.254s: write the address into the cell", name, c.Value, to)
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

// linked tells that a cell in the column of addresses has words which are none, and a link to an address. The link may be
// an old one that stayed when somebody wrote something else over it, so nobody is mailed for it; nor for one behind an
// empty cell.
func (t *sheetTable) linked(row, col int, name string, value any) (to string, other bool) {
	to, ok := t.links[[2]int{row, col}]
	text, words := value.(string)
	if !ok || !words || strings.TrimSpace(text) == "" || strings.Contains(text, "@") || !addressColumn(name) {
		return "", false
	}
	if len(to) < 7 || !strings.EqualFold(to[:7], "mailto:") {
		return "", false
	}
	to, _, _ = strings.Cut(to[7:], "?")
	return to, !strings.EqualFold(to, text)
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
