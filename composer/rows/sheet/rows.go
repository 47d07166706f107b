package sheet

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strconv"
	"strings"
)

// The largest row and column a sheet has.
const (
	maxRows    = 1 << 20
	maxColumns = 1 << 14
	maxRanges  = 1 << 20 // merged cells, and links
)

// Row is one row that has a value. It is valid during the call only.
type Row struct {
	Number int // from 1, as the sheet shows it
	Hidden bool
	Cells  []Cell // from column A
}

// Cell is a string, int64, float64, bool or store.Moment; nil when it is empty.
type Cell struct {
	Value any
	Fault string // why it has no value, such as "#N/A"
}

// Range is a block of cells, from 1.
type Range struct{ Top, Left, Bottom, Right int }

// Rest is what follows a sheet's rows.
type Rest struct {
	Merged []Range
	Links  map[[2]int]string // the address a cell links to, by row and column
}

// Each calls f with the rows that have a value until it returns an error, which is returned; fs.SkipAll ends it without
// one, and without a Rest.
func (b *Book) Each(s Sheet, f func(*Row) error) (Rest, error) {
	links, err := b.relations(s.part)
	if err != nil {
		return Rest{}, err
	}
	w := &walk{b: b, f: f, links: links, rest: Rest{Links: map[[2]int]string{}}}
	err = b.each(s.part, w.element)
	if errors.Is(err, fs.SkipAll) {
		return Rest{}, nil
	}
	if err == nil && !w.data {
		err = damaged(fmt.Errorf("%s has no cells", s.part))
	}
	return w.rest, err
}

type walk struct {
	b     *Book
	f     func(*Row) error
	links map[string]link
	rest  Rest
	row   Row
	last  int // column of the cell before
	data  bool
}

func (w *walk) element(p *reader, e xml.StartElement) error {
	switch e.Name.Local {
	case "sheetData":
		w.data = true
	case "row":
		return w.readRow(p, e)
	case "mergeCell":
		if r, ok := parseRange(attr(e, "ref")); ok && len(w.rest.Merged) < maxRanges {
			w.rest.Merged = append(w.rest.Merged, r)
		}
	case "hyperlink":
		r, ok := parseRange(attr(e, "ref"))
		if l := w.links[attr(e, "id")]; ok && l.target != "" && len(w.rest.Links) < maxRanges {
			w.rest.Links[[2]int{r.Top, r.Left}] = l.target
		}
	}
	return nil
}

// readRow reads a row up to its end.
func (w *walk) readRow(p *reader, e xml.StartElement) error {
	number := w.row.Number + 1
	if s := attr(e, "r"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < number || n > maxRows {
			return damaged(fmt.Errorf("%s has row %q after row %d", p.name, s, w.row.Number))
		}
		number = n
	}
	w.row = Row{Number: number, Hidden: truth(attr(e, "hidden")), Cells: w.row.Cells[:0]}
	top, filled := p.depth, false
	w.last = 0
	for {
		t, err := p.next()
		switch {
		case errors.Is(err, io.EOF):
			return damaged(fmt.Errorf("%s ends too early", p.name))
		case err != nil:
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Local == "c" {
				some, err := w.cell(p, t)
				if err != nil {
					return err
				}
				filled = filled || some
			}
		case xml.EndElement:
			if p.depth < top {
				if filled {
					return w.f(&w.row)
				}
				return nil
			}
		}
	}
}

// cell reads one cell, and tells whether it has a value or a fault.
func (w *walk) cell(p *reader, e xml.StartElement) (bool, error) {
	column := w.last + 1
	if ref := attr(e, "r"); ref != "" {
		row, at, ok := parseCell(ref)
		if !ok || row != w.row.Number || at < column {
			return false, damaged(fmt.Errorf("%s has a cell %q in row %d", p.name, ref, w.row.Number))
		}
		column = at
	}
	if column > maxColumns {
		return false, damaged(fmt.Errorf("%s has more than %d columns", p.name, maxColumns))
	}
	w.last = column
	text, uncalculated, err := content(p)
	if err != nil {
		return false, err
	}
	c := Cell{Fault: "a formula that was never calculated"}
	if !uncalculated {
		c, err = w.value(attr(e, "t"), attr(e, "s"), text)
	}
	if err != nil || c == (Cell{}) {
		return false, err
	}
	for len(w.row.Cells) < column-1 {
		w.row.Cells = append(w.row.Cells, Cell{})
	}
	w.row.Cells = append(w.row.Cells, c)
	return true, nil
}

// content reads a cell up to its end: its text, and whether it is a formula without a value. One that gives an empty text
// has an empty value.
func content(p *reader) (text string, uncalculated bool, err error) {
	top, formula, value := p.depth, false, false
	for {
		t, err := p.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = damaged(fmt.Errorf("%s ends too early", p.name))
			}
			return "", false, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "v", "is":
				value = true
				if text, err = p.text(); err != nil {
					return "", false, err
				}
			case "f":
				formula = true
			}
		case xml.EndElement:
			if p.depth < top {
				return text, formula && !value, nil
			}
		}
	}
}

func (w *walk) value(typ, style, text string) (c Cell, err error) {
	if text == "" { // of whatever type: Excel writes it so when only the format is left
		return c, nil
	}
	switch typ {
	case "s":
		n, err := strconv.Atoi(text)
		if err != nil {
			return c, damaged(fmt.Errorf("a shared string has the number %q", text))
		}
		if text, err = w.b.strings.at(n); err != nil {
			return c, err
		}
	case "str", "inlineStr":
	case "b":
		return Cell{Value: truth(text)}, nil
	case "e":
		return Cell{Fault: text}, nil
	case "d":
		return Cell{Value: iso(text)}, nil
	default:
		return w.number(style, text), nil
	}
	if text == "" {
		return c, nil
	}
	return Cell{Value: text}, nil
}

func (w *walk) number(style, text string) Cell {
	x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		return Cell{Fault: fmt.Sprintf("%.40q, which is no number", text)}
	}
	var f format
	if n, err := strconv.Atoi(style); err == nil && n >= 0 && n < len(w.b.formats) {
		f = w.b.formats[n]
	}
	return Cell{Value: w.b.shown(x, f)}
}

// parseRange reads A1:B2, or A1 alone.
func parseRange(ref string) (r Range, ok bool) {
	from, to, two := strings.Cut(ref, ":")
	if r.Top, r.Left, ok = parseCell(from); !ok {
		return r, false
	}
	r.Bottom, r.Right = r.Top, r.Left
	if two {
		r.Bottom, r.Right, ok = parseCell(to)
	}
	return r, ok && r.Top <= r.Bottom && r.Left <= r.Right
}

// parseCell reads a name such as AB12.
func parseCell(ref string) (row, column int, ok bool) {
	i := 0
	for ; i < len(ref) && ref[i]|0x20 >= 'a' && ref[i]|0x20 <= 'z' && i < 4; i++ {
		column = column*26 + int(ref[i]|0x20-'a') + 1
	}
	row, err := strconv.Atoi(ref[i:])
	return row, column, err == nil && column > 0 && row > 0 && row <= maxRows && column <= maxColumns
}
