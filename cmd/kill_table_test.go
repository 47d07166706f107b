package cmd

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// score is what came of one ordeal.
type score struct {
	order       int
	name        string
	signal      string
	ends        int
	phases      map[string]int
	held        *verdict // before anybody was tried again
	bound       int
	worst       int
	pending     int      // to be resent once their time has come
	doubted     int      // tried again in the end
	retried     *verdict // after that; nil: nobody was
	unexplained int      // doubles then of people who were not in doubt before
}

// board collects scores and shows them as the tables of README.md.
type board struct {
	mu     sync.Mutex
	scores []score
}

func (b *board) add(s score) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.scores = append(b.scores, s)
}

// String gives the tables.
func (b *board) String() string {
	slices.SortFunc(b.scores, func(x, y score) int { return x.order - y.order })
	var out strings.Builder
	line := func(cells ...any) {
		for _, c := range cells {
			fmt.Fprintf(&out, "| %v ", c)
		}
		out.WriteString("|\n")
	}
	line("peer", "ended by", "times", "people", "accepted", "lost", "doubles", "false success", "false failure", "changed Message-IDs",
		"unknown", "unknown by one end, mean", "most", "bound")
	out.WriteString("|---|---" + strings.Repeat("|--:", 12) + "|\n")
	for _, s := range b.scores {
		v, most := s.held, fmt.Sprint(s.worst)
		if s.pending > 0 { // they are not counted one end by one
			most = "–"
		}
		line(s.name, s.signal, s.ends, v.people, v.accepted, len(v.lost), len(v.doubles), len(v.falseSuccess), len(v.falseFailure),
			len(v.changedIDs), len(v.unknown)+s.pending, fmt.Sprintf("%.1f", float64(len(v.killed))/float64(s.ends)), most, s.bound)
	}
	out.WriteString("\nWhere they were when the end came:\n\n")
	head := []any{"peer", "ended by"}
	for _, p := range phases {
		head = append(head, p)
	}
	line(head...)
	out.WriteString("|---|---" + strings.Repeat("|--:", len(phases)) + "|\n")
	for _, s := range b.scores {
		cells := []any{s.name, s.signal}
		for _, p := range phases {
			cells = append(cells, s.phases[p])
		}
		line(cells...)
	}
	out.WriteString("\nAfter `send --retry unknown`, which was killed some times as well:\n\n")
	line("peer", "were unknown", "unknown", "doubles", "of people who were not unknown", "changed Message-IDs", "changed Dates")
	out.WriteString("|---" + strings.Repeat("|--:", 6) + "|\n")
	for _, s := range b.scores {
		if v := s.retried; v != nil && s.doubted > 0 {
			line(s.name, s.doubted, len(v.unknown), len(v.doubles), s.unexplained, len(v.changedIDs), len(v.changedDates))
		}
	}
	return out.String()
}

// Where the tables stand in README.md.
const tablesBegin, tablesEnd = "<!-- kills -->\n", "<!-- end -->"

// show prints the tables, and puts them into the file that MAILBLAST_KILLS_INTO names.
func (b *board) show(t *testing.T, seed uint64) {
	text := fmt.Sprintf("`make killtest`, seed %d:\n\n%s", seed, b)
	t.Log("\n" + text)
	path := os.Getenv("MAILBLAST_KILLS_INTO")
	if path == "" || t.Failed() {
		return
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(old), tablesBegin)
	_, after, ok2 := strings.Cut(rest, tablesEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the tables, between %q and %q", path, tablesBegin, tablesEnd)
	}
	if err := os.WriteFile(path, []byte(before+tablesBegin+text+tablesEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
