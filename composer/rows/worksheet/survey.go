package worksheet

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/composer/rows/dialect"
	"github.com/mailblast/mailblast/composer/rows/header"
	"github.com/mailblast/mailblast/composer/rows/sheet"
)

const (
	mostAbove = 200 // rows among which the header is
	mostSpans = 1 << 20
)

// survey is the first pass over a sheet.
type survey struct {
	ctx    context.Context
	first  []kept
	hidden []int // rows, ascending; not more than mostSpans of them
	values []int // by column: the last row with a value
	rest   sheet.Rest
}

// kept is one of the first rows.
type kept struct {
	number int
	cells  []sheet.Cell
}

func (v *survey) row(r *sheet.Row) error {
	if r.Number%256 == 0 && v.ctx.Err() != nil {
		return v.ctx.Err()
	}
	if len(v.first) < mostAbove {
		v.first = append(v.first, kept{r.Number, slices.Clone(r.Cells)})
	}
	if r.Hidden && len(v.hidden) < mostSpans {
		v.hidden = append(v.hidden, r.Number)
	}
	for len(v.values) < len(r.Cells) {
		v.values = append(v.values, 0)
	}
	for i, c := range r.Cells {
		if c != (sheet.Cell{}) {
			v.values[i] = r.Number
		}
	}
	return nil
}

// width counts the cells of a row that have something.
func (k kept) width() (n int) {
	for _, c := range k.cells {
		if c != (sheet.Cell{}) {
			n++
		}
	}
	return n
}

// address gives the column of the first cell that is an address; -1: none.
func (k kept) address() int {
	return slices.IndexFunc(k.cells, func(c sheet.Cell) bool { s, ok := c.Value.(string); return ok && dialect.Address(s) })
}

// head finds the row that names the columns: the first that is more than half as wide as the widest, and has a text
// above the first address. Of one column it is the row above the first address.
func (v *survey) head() (int, error) {
	if len(v.first) == 0 {
		return 0, header.Fault(0, "the sheet is empty: a row must name the columns")
	}
	widest, person, col := 0, -1, -1
	for i, k := range v.first {
		widest = max(widest, k.width())
		if at := k.address(); at >= 0 && person < 0 {
			person, col = i, at
		}
	}
	if person == 0 {
		k := v.first[0]
		return 0, header.Fault(k.number, "this looks like a person and not like a header: %q is an address", k.cells[col].Value).
			Hinted("write a row above it that names the columns, such as email, first_name")
	}
	if person > 0 && widest == 1 {
		return person - 1, nil
	}
	for i, k := range v.first {
		if i == person {
			break
		}
		if k.width()*2 > widest && (person < 0 || col < len(k.cells) && k.cells[col].Value != nil) {
			return i, nil
		}
	}
	if person > 0 {
		k := v.first[person]
		return 0, header.Fault(k.number, "no row above the first address (%s%d) names the columns", column(col+1), k.number).
			Hinted("write the names of the columns into the row above it")
	}
	return 0, nil
}

// table finds the header, and refuses what is doubtful about the rows below it.
func (v *survey) table(log *slog.Logger) (*sheetTable, error) {
	i, err := v.head()
	if err != nil {
		return nil, err
	}
	head := v.first[i]
	if i > 0 {
		log.Info("rows above the header are passed over", "header", head.number)
	}
	if err := v.visible(head.number); err != nil {
		return nil, err
	}
	names := make([]string, max(len(head.cells), len(v.values)))
	for i, c := range head.cells {
		if c.Fault != "" {
			return nil, header.Fault(head.number, "the header has %s in cell %s%d", c.Fault, column(i+1), head.number)
		}
		names[i] = shownText(c)
	}
	used := func() ([]int, error) {
		out := slices.Clone(v.values)
		for i, last := range out {
			if last <= head.number {
				out[i] = 0
			}
		}
		return out, nil
	}
	t := &sheetTable{ctx: v.ctx, top: head.number, links: v.rest.Links, down: map[int][]span{}, across: map[int][]span{}}
	if t.h, err = header.New(names, head.number, header.Naming{Row: "row", Column: column}, used); err != nil {
		return nil, err
	}
	v.merge(t)
	return t, nil
}

// merge sorts the merged cells below the header by what they do.
func (v *survey) merge(t *sheetTable) {
	slices.SortFunc(v.rest.Merged, func(a, b sheet.Range) int { return cmp.Compare(a.Top, b.Top) })
	n := 0
	for _, r := range v.rest.Merged {
		switch {
		case r.Top <= t.top:
		case r.Left == r.Right:
			t.down[r.Left] = append(t.down[r.Left], span{Range: r})
		default:
			for row := r.Top; row <= r.Bottom && n < mostSpans; row++ {
				t.across[row] = append(t.across[row], span{Range: r})
				n++
			}
		}
	}
}

// visible refuses a list of which rows are hidden: who filtered does not expect the others to get mail.
func (v *survey) visible(head int) error {
	rows := slices.DeleteFunc(slices.Clone(v.hidden), func(n int) bool { return n < head })
	if len(rows) == 0 {
		return nil
	}
	what := "rows are"
	if len(rows) == 1 {
		what = "row is"
	}
	return header.Fault(rows[0], "%d %s hidden, by a filter or by hand: %s", len(rows), what, ranges(rows)).
		Hinted("show all rows (Data, Clear filter), or copy the visible ones into a sheet of their own, and name it with sheet:")
}

// ranges writes ascending numbers as 3, 5-9, 12.
func ranges(rows []int) string {
	var parts []string
	for i := 0; i < len(rows); {
		j := i
		for j+1 < len(rows) && rows[j+1] == rows[j]+1 {
			j++
		}
		if len(parts) == 10 {
			parts = append(parts, "…")
			break
		}
		if i == j {
			parts = append(parts, fmt.Sprint(rows[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", rows[i], rows[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}
