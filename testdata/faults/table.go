package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Rows that are promised: S1 to S61 of a server's faults, R1 to R24 of the machine's.
var promised = map[string]int{"S": 61, "R": 24}

// notDue are promised rows that cannot have a test yet, and why.
var notDue = map[string]string{
	"R10": "a full disk when mail comes in: there is no relay that takes mail yet",
}

// line is one fault that was injected.
type line struct {
	fault, expected, seen string
	ok                    bool
}

// table is all of them, by their rows.
type table struct {
	lines   []line
	missing []string // promised and due, and no test had them
	leftOut []string // tests that were skipped
	tests   int      // failed tests that are no line, and packages that failed
}

// named is how a fault begins: its row, or several.
var named = regexp.MustCompile(`^[A-Z]\d+(?:(?:-|–|/|, ?)[A-Z]?\d+)*\b`)

// rows are the rows a fault is about: "S9-S10 …" is two, and so is "S38/S39 …".
func rows(fault string) (all []string) {
	parts := regexp.MustCompile(`[A-Z]?\d+|[-–/,]`).FindAllString(named.FindString(fault), -1)
	letter, last, through := "", 0, false
	for _, p := range parts {
		if strings.ContainsAny(p, "-–/,") {
			through = p == "-" || p == "–"
			continue
		}
		digits := strings.TrimLeft(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
		letter = cmp.Or(p[:len(p)-len(digits)], letter)
		n, _ := strconv.Atoi(digits)
		first := n
		if through {
			first = last + 1
		}
		for i := first; i <= n; i++ {
			all = append(all, letter+strconv.Itoa(i))
		}
		last = n
	}
	return all
}

// rank orders rows: servers, then the machine, then whatever else there is.
func rank(fault string) (letter string, n int) {
	all := rows(fault)
	if len(all) == 0 {
		return "~", 0
	}
	n, _ = strconv.Atoi(all[0][1:])
	return map[string]string{"S": "0", "R": "1"}[all[0][:1]] + all[0][:1], n
}

// order sorts the lines, and finds out which rows are missing.
func (t *table) order() {
	slices.SortStableFunc(t.lines, func(a, b line) int {
		al, an := rank(a.fault)
		bl, bn := rank(b.fault)
		return cmp.Or(cmp.Compare(al, bl), cmp.Compare(an, bn), cmp.Compare(a.fault, b.fault), cmp.Compare(a.seen, b.seen))
	})
	there := t.rows()
	for _, letter := range []string{"S", "R"} {
		for n := 1; n <= promised[letter]; n++ {
			row := letter + strconv.Itoa(n)
			if notDue[row] == "" && !there[row] {
				t.missing = append(t.missing, row)
			}
		}
	}
}

func (t *table) rows() map[string]bool {
	there := map[string]bool{}
	for _, l := range t.lines {
		for _, r := range rows(l.fault) {
			there[r] = true
		}
	}
	return there
}

func (t *table) failed() bool {
	return t.tests > 0 || slices.ContainsFunc(t.lines, func(l line) bool { return !l.ok })
}

// summary is how it went, and what was not tried.
func (t *table) summary() string {
	var out strings.Builder
	for _, name := range t.leftOut {
		fmt.Fprintf(&out, "left out: %s\n", name)
	}
	for _, row := range slices.Sorted(maps.Keys(notDue)) {
		if !t.rows()[row] {
			fmt.Fprintf(&out, "not due: %s, %s\n", row, notDue[row])
		}
	}
	bad := t.tests
	for _, l := range t.lines {
		if !l.ok {
			bad++
		}
	}
	missing := "none missing"
	if len(t.missing) > 0 {
		missing = "missing " + strings.Join(t.missing, " ")
	}
	fmt.Fprintf(&out, "%d rows on %d lines, %s, %d failed", len(t.rows()), len(t.lines), missing, bad)
	return out.String()
}
