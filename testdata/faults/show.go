package main

import (
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth"
)

// text is the table for a terminal of so many cells.
func (t *table) text(width int) string {
	const verdict, gap = 6, 2
	width = max(width, 60)
	first := (width - verdict - 3*gap) * 3 / 10
	cells := []int{verdict, first, first, width - verdict - 3*gap - 2*first}
	var out strings.Builder
	show := func(texts ...string) {
		for first := true; first || strings.Join(texts, "") != ""; first = false {
			row := ""
			for i := range texts {
				var part string
				part, texts[i] = cut(texts[i], cells[i])
				row += runewidth.FillRight(part, cells[i]+gap)
			}
			out.WriteString(strings.TrimRight(row, " ") + "\n")
		}
	}
	show("", "fault", "expected", "seen")
	for _, l := range t.lines {
		show(map[bool]string{true: "ok", false: "FAILED"}[l.ok], l.fault, l.expected, l.seen)
	}
	return out.String()
}

// cut gives what of s fits into so many cells, up to the end of a word if there is one, and the rest.
func cut(s string, cells int) (part, rest string) {
	if runewidth.StringWidth(s) <= cells {
		return s, ""
	}
	part = runewidth.Truncate(s, cells, "")
	if i := strings.LastIndexByte(s[:len(part)+1], ' '); i > 0 {
		part = s[:i]
	}
	return part, strings.TrimLeft(s[len(part):], " ")
}

const head = `# Faults

What can go wrong with servers (S) and with the machine (R), each injected by a test: what must come of it, and what was seen. Rows
with other letters are about a [guarantee](guarantees.md) that a fault might break.
` + "`make faults`" + ` runs these tests, prints this table, and fails if a row is not as expected or has no test; ` + "`make faults INTO=docs/faults.md`" + `
writes this page. Kills are a sample there; ` + "`make killtest`" + ` has them by the hundred, and the [README](../README.md) its last table.

"Tried later" is an outcome for now: the mail goes out again as ` + "`retry`" + ` says. "Charged" counts as one of its tries. "Unknown" is mail
that may have been taken: it is [held](queues.md), and listed by name. "Kept" and "closed" are about the connection; a host that
"cools" is left alone for a while.

`

// markdown is the table for the document.
func (t *table) markdown() string {
	var out strings.Builder
	out.WriteString(head + "| fault | expected | seen |\n|---|---|---|\n")
	plain := strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`, "`", "\\`")
	for _, l := range t.lines {
		fmt.Fprintf(&out, "| %s | %s | %s |\n", plain.Replace(l.fault), plain.Replace(l.expected), plain.Replace(l.seen))
	}
	fmt.Fprintf(&out, "\n```\n%s\n```\n", t.summary())
	return out.String()
}
