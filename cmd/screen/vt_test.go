package screen

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// vt is as much of a terminal as the bar uses: it wraps, and knows CR, LF, cursor up, erase to the end, and colours. Any
// other control sequence is a fault.
type vt struct {
	t        *testing.T
	mu       sync.Mutex
	width    int
	rows     [][]rune
	row, col int
}

func (v *vt) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := string(p)
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '\r':
			v.col = 0
		case r == '\n':
			v.row, v.col = v.row+1, 0
		case r == '\x1b':
			n = v.sequence(s)
		case r < ' ' || r == 0x7f || r == utf8.RuneError:
			v.t.Errorf("control character %q on the terminal", r)
		default:
			v.put(r)
		}
		s = s[n:]
	}
	return len(p), nil
}

func (v *vt) sequence(s string) int {
	end := strings.IndexFunc(s[1:], func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' })
	if len(s) < 3 || s[1] != '[' || end < 0 {
		v.t.Fatalf("broken sequence %q", s)
	}
	end++
	n, _ := strconv.Atoi(s[2:end])
	switch s[end] {
	case 'A':
		v.row = max(0, v.row-n)
	case 'J':
		v.line()
		v.rows = v.rows[:v.row+1]
		v.rows[v.row] = v.rows[v.row][:min(v.col, len(v.rows[v.row]))]
	case 'm':
	default:
		v.t.Fatalf("unknown sequence %q", s[:end+1])
	}
	return end + 1
}

func (v *vt) line() {
	for len(v.rows) <= v.row {
		v.rows = append(v.rows, nil)
	}
}

func (v *vt) put(r rune) {
	if v.col+runewidth.RuneWidth(r) > v.width {
		v.row, v.col = v.row+1, 0
	}
	v.line()
	for len(v.rows[v.row]) <= v.col {
		v.rows[v.row] = append(v.rows[v.row], ' ')
	}
	v.rows[v.row][v.col] = r
	v.col += runewidth.RuneWidth(r)
}

// resize narrows or widens the terminal as one that rewraps does.
func (v *vt) resize(width int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	old := v.rows
	v.rows, v.width = nil, width
	cursor := v.row
	v.row, v.col = 0, 0
	for i, line := range old {
		for _, r := range strings.TrimRight(string(line), " ") {
			v.put(r)
		}
		if i < len(old)-1 || cursor > i {
			v.row, v.col = v.row+1, 0
		}
	}
}

func (v *vt) cells() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.width
}

func (v *vt) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var b strings.Builder
	for _, r := range v.rows {
		b.WriteString(strings.TrimRight(string(r), " ") + "\n")
	}
	return b.String()
}
