package source

import (
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Pos is a place in a file. Line and Column count from 1, columns in characters; 0 means that the value does not come
// from a line of a file.
type Pos struct {
	File         string
	Line, Column int
}

func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Fault is one thing that is wrong, for a person to mend.
type Fault struct {
	Pos
	Text    string // what is wrong, in one line
	Hint    string // what to do about it; may be empty
	Excerpt string // the source line, with secrets masked; may be empty
	Width   int    // how many characters of it are meant, from Column on
}

// Error gives the place and the fault in one line.
func (f Fault) Error() string { return f.String() + ": " + f.Text }

// String is the place.
func (f Fault) String() string { return f.Pos.String() }

// Format gives the fault with its source line, a caret below it and the hint.
func (f Fault) Format() string {
	var b strings.Builder
	b.WriteString(f.Error())
	if f.Excerpt != "" {
		line, column, width := window(f.Excerpt, f.Column, max(f.Width, 1))
		gutter := len(fmt.Sprint(f.Line)) + 2
		pad := runewidth.StringWidth(string([]rune(line)[:column-1]))
		fmt.Fprintf(&b, "\n%*d | %s\n%*s | %s%s", gutter, f.Line, line, gutter, "", strings.Repeat(" ", pad), strings.Repeat("^", width))
	}
	if f.Hint != "" {
		b.WriteString("\n  hint: " + f.Hint)
	}
	return b.String()
}

// Faults is every fault that was found, in the order of the file.
type Faults []Fault

// Error gives all of them, one after the other.
func (fs Faults) Error() string {
	all := make([]string, len(fs))
	for i, f := range fs {
		all[i] = f.Format()
	}
	return strings.Join(all, "\n")
}

const widest = 100 // characters of a source line that are shown

// window cuts a long line to what lies around the column, and keeps column and width inside.
func window(line string, column, width int) (string, int, int) {
	r := []rune(line)
	column = min(max(column, 1), len(r)+1)
	from := 0
	if len(r) > widest && column > widest/2 {
		from = column - widest/2
	}
	to := min(len(r), from+widest)
	r, column = r[from:to], column-from
	return string(r), column, max(1, min(width, len(r)-column+1))
}
