package plain

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html/atom"

	"github.com/mailblast/mailblast/composer/letter/plain/tree"
)

// Sizes of what is still taken for a table of data.
const (
	shortCell  = 60 // bytes of a cell in a table without header cells
	mostColumn = 30
)

// row of a table, and whether its cells are headers.
type row struct {
	cells  []*tree.Node
	header bool
}

// table writes a table of data in columns, and any other, which lays out a page, as what is in it.
func (w *walker) table(n *tree.Node) {
	captions, rows := rowsOf(n, nil, nil)
	if !isData(n, rows) {
		w.layout(n)
		return
	}
	for _, c := range captions {
		w.element(c)
	}
	grid := w.grid(rows)
	header := rows[0].header && len(rows) > 1
	columns, width := columnsOf(grid, header)
	switch {
	case cellsOf(w.prefix)+width <= w.width:
		w.columns(grid, columns, header)
	case header:
		w.records(grid)
	default:
		w.running(grid)
	}
}

// rowsOf gives the captions and the rows of a table.
func rowsOf(n *tree.Node, captions []*tree.Node, rows []row) ([]*tree.Node, []row) {
	for c := n.First; c != nil; c = c.Next {
		switch c.Tag {
		case atom.Caption:
			captions = append(captions, c)
		case atom.Thead, atom.Tbody, atom.Tfoot:
			captions, rows = rowsOf(c, captions, rows)
		case atom.Tr:
			r := row{header: true}
			for d := c.First; d != nil; d = d.Next {
				if d.Tag == atom.Td || d.Tag == atom.Th {
					r.cells = append(r.cells, d)
					r.header = r.header && (d.Tag == atom.Th || n.Tag == atom.Thead)
				}
			}
			if len(r.cells) > 0 {
				rows = append(rows, r)
			}
		}
	}
	return captions, rows
}

// isData tells a table of data: one with header cells, or with short cells only, as many in each of its rows.
func isData(n *tree.Node, rows []row) bool {
	role := strings.ToLower(n.Attribute("role"))
	if role == "presentation" || role == "none" || n.Tables || len(rows) == 0 || len(rows[0].cells) > mostColumn {
		return false
	}
	headers, short := false, len(rows) > 1 && len(rows[0].cells) > 1
	for _, r := range rows {
		short = short && len(r.cells) == len(rows[0].cells)
		for _, c := range r.cells {
			headers = headers || c.Tag == atom.Th
			short = short && !c.Blocks && c.Size <= shortCell
		}
		headers = headers || r.header
	}
	return headers || short
}

// layout writes a table that lays out a page: the cells of a row beside each other if they are short, else one after the other.
func (w *walker) layout(n *tree.Node) {
	for c := n.First; c != nil; c = c.Next {
		switch {
		case c.Tag == 0:
			w.text(c.Text)
		case c.Tag == atom.Thead || c.Tag == atom.Tbody || c.Tag == atom.Tfoot:
			w.layout(c)
		case c.Tag == atom.Tr:
			w.breakBlock(1)
			w.cells(c, !c.Blocks && c.Size <= w.width)
			w.breakBlock(1)
		default:
			w.element(c)
		}
	}
}

func (w *walker) cells(n *tree.Node, beside bool) {
	for c := n.First; c != nil; c = c.Next {
		switch {
		case c.Tag == 0:
			w.text(c.Text)
		case c.Tag != atom.Td && c.Tag != atom.Th:
			w.element(c)
		case beside:
			w.element(c)
			w.flush()
			w.spaces = 2
		default:
			w.breakBlock(1)
			w.element(c)
			w.breakBlock(1)
		}
	}
}

// field of a grid: a cell's text in one line, and over how many columns it goes.
type field struct {
	text string
	span int
}

// grid gives the cells in their columns; those below one that spans rows are empty.
func (w *walker) grid(rows []row) (grid [][]field) {
	sub := walker{notes: w.notes}
	var spanned [mostColumn]int // rows that are still covered from above
	for _, r := range rows {
		var fields []field
		at := 0
		covered := func() {
			for ; at < mostColumn && spanned[at] > 0; at++ {
				spanned[at]--
				fields = append(fields, field{"", 1})
			}
		}
		for _, c := range r.cells {
			covered()
			f := field{sub.line(c), span(c, "colspan")}
			for i := at; i < min(at+f.span, mostColumn); i++ {
				spanned[i] = span(c, "rowspan") - 1
			}
			at += f.span
			fields = append(fields, f)
		}
		covered()
		grid = append(grid, fields)
	}
	return grid
}

// span of a cell, over columns or rows.
func span(c *tree.Node, name string) int {
	return min(max(c.Integer(name, 1), 1), mostColumn)
}

// line gives the text of a cell as one line; it uses the memory of the cell before.
func (w *walker) line(n *tree.Node) string {
	w.lines = lines{width: 1 << 30, out: w.out[:0], word: w.word[:0]}
	w.link = false
	w.children(n)
	w.flush()
	text := string(w.out)
	if strings.ContainsAny(text, "\n\t") {
		return strings.Join(strings.Fields(text), " ")
	}
	return text
}

// column of a grid.
type column struct {
	width  int
	digits bool // numbers stand right-aligned
}

func columnsOf(grid [][]field, header bool) (columns []column, width int) {
	for i, fields := range grid {
		at := 0
		for _, f := range fields {
			for at+f.span > len(columns) {
				columns = append(columns, column{digits: true})
			}
			if f.span == 1 {
				c := &columns[at]
				c.width = max(c.width, cellsOf(f.text))
				c.digits = c.digits && (i == 0 && header || f.text == "" || numeric(f.text))
			}
			at += f.span
		}
	}
	for _, fields := range grid {
		at := 0
		for _, f := range fields {
			at += f.span
			columns[at-1].width += max(0, cellsOf(f.text)-widthOf(columns[at-f.span:at]))
		}
	}
	return columns, widthOf(columns)
}

// widthOf is the width of columns beside each other.
func widthOf(columns []column) int {
	width := -2
	for _, c := range columns {
		width += c.width + 2
	}
	return width
}

// numeric tells a number, perhaps with a sign, a currency or a unit.
func numeric(s string) bool {
	letters := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, s)
	return strings.ContainsAny(s, "0123456789") && utf8.RuneCountInString(letters) <= 3
}

// columns writes a grid as aligned columns, with a line under its header.
func (w *walker) columns(grid [][]field, columns []column, header bool) {
	was := w.pre
	w.pre = true // the spaces are ours
	for i, fields := range grid {
		w.breakBlock(1)
		w.put(align(fields, columns))
		w.breakLine(1)
		if i == 0 && header {
			rules := make([]field, len(columns))
			for j, c := range columns {
				rules[j] = field{strings.Repeat("-", c.width), 1}
			}
			w.put(align(rules, columns))
			w.breakLine(1)
		}
	}
	w.pre = was
}

func align(fields []field, columns []column) string {
	var b strings.Builder
	for _, f := range fields {
		pad := strings.Repeat(" ", widthOf(columns[:f.span])-cellsOf(f.text))
		if f.span == 1 && columns[0].digits {
			b.WriteString(pad + f.text)
		} else {
			b.WriteString(f.text + pad)
		}
		b.WriteString("  ")
		columns = columns[f.span:]
	}
	return strings.TrimRight(b.String(), " ")
}

// records writes a grid that is too wide for columns: each row as a paragraph with a line for each cell, after its header.
func (w *walker) records(grid [][]field) {
	var names []string
	for _, f := range grid[0] {
		names = append(names, f.text)
		for range f.span - 1 {
			names = append(names, "")
		}
	}
	for _, fields := range grid[1:] {
		w.breakBlock(2)
		at := 0
		for _, f := range fields {
			if f.text != "" {
				w.breakBlock(1)
				if f.span == 1 && at < len(names) && names[at] != "" {
					w.text(names[at] + ": ")
				}
				w.text(f.text)
				w.breakLine(1)
			}
			at += f.span
		}
	}
}

// running writes a grid that is too wide for columns and has no header.
func (w *walker) running(grid [][]field) {
	for _, fields := range grid {
		w.breakBlock(1)
		for _, f := range fields {
			w.text(f.text)
			w.flush()
			w.spaces = 2
		}
		w.breakLine(1)
	}
}
