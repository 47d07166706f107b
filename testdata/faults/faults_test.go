package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestRows(t *testing.T) {
	for fault, want := range map[string]string{
		"S9 reset": "S9", "S9-S11 refused": "S9 S10 S11", "S9–11 refused": "S9 S10 S11", "S38/S39 cut": "S38 S39", "R5, R6 signals": "R5 R6",
		"S24, S27: 8 connections": "S24 S27", "S7 554, R8": "S7", "S1": "S1", "250 ok": "", "SIGTERM": "", "R4": "R4", "B1 restarted": "B1",
	} {
		if got := strings.Join(rows(fault), " "); got != want {
			t.Errorf("%q: %q, want %q", fault, got, want)
		}
	}
}

// events are those of tests that inject all rows that are due, one a test; change is asked what else to say of a row.
func events(change func(row string) (seen, action string)) string {
	var out strings.Builder
	for letter, most := range promised {
		for n := most; n > 0; n-- {
			row := fmt.Sprint(letter, n)
			seen, action := change(row)
			if notDue[row] != "" || action == "" {
				continue
			}
			say := func(more string) { fmt.Fprintf(&out, `{"Package":"p","Test":"TestFault/%s",%s}`+"\n", row, more) }
			say(`"Action":"attr","Key":"fault","Value":"` + row + ` it breaks"`)
			say(`"Action":"attr","Key":"expected","Value":"works"`)
			if seen != "" {
				say(`"Action":"attr","Key":"seen","Value":"` + seen + `"`)
			}
			say(`"Action":"output","Output":"words of ` + row + `\n"`)
			say(`"Action":"` + action + `"`)
		}
	}
	return out.String()
}

func good(string) (string, string) { return "worked", "pass" }

// but is good, except that one row is otherwise.
func but(row, seen, action string) func(string) (string, string) {
	return func(r string) (string, string) {
		if r == row {
			return seen, action
		}
		return good(r)
	}
}

func TestJudgement(t *testing.T) {
	for _, c := range []struct {
		name, events, summary, failures string
		failed                          bool
	}{
		{"all is well", events(good), "84 rows on 84 lines, none missing, 0 failed", "", false},
		{"one is not as expected", events(but("S7", "", "fail")), "84 rows on 84 lines, none missing, 1 failed", "words of S7", true},
		{"one within another fails", events(but("S7", "no", "fail")) + `{"Package":"p","Test":"TestFault","Action":"fail"}`,
			"84 rows on 84 lines, none missing, 1 failed", "words of S7", true},
		{"one has no end", events(but("S7", "worked", "run")), "84 rows on 84 lines, none missing, 1 failed", "words of S7", true},
		{"one says nothing of what it saw", events(but("S7", "", "pass")), "84 rows on 84 lines, none missing, 1 failed", "", true},
		{"two have no test", events(func(r string) (string, string) {
			if r == "R3" || r == "S61" {
				return "", ""
			}
			return good(r)
		}), "82 rows on 82 lines, missing S61 R3, 0 failed", "", false},
		{"one was skipped", events(but("R4", "worked", "skip")), "84 rows on 84 lines, none missing, 1 failed", "", true},
		{"another test failed", events(good) + `{"Package":"p","Test":"TestFaultX","Action":"output","Output":"no\n"}` + "\n" +
			`{"Package":"p","Test":"TestFaultX","Action":"fail"}`, "84 rows on 84 lines, none missing, 1 failed", "p TestFaultX\nno", true},
	} {
		var g gathered
		if err := g.take(strings.NewReader(c.events)); err != nil {
			t.Fatal(err)
		}
		table := g.table()
		if s := table.summary(); !strings.HasSuffix(s, "\n"+c.summary) || !strings.Contains(s, "not due: R10, ") || table.failed() != c.failed {
			t.Errorf("%s: %v, %s", c.name, table.failed(), s)
		}
		if got := g.failures(); !strings.Contains(got, c.failures) || (got == "") != (c.failures == "") {
			t.Errorf("%s: failures %q", c.name, got)
		}
	}
}

func TestBrokenPackage(t *testing.T) {
	var g gathered
	text := `{"ImportPath":"p [p.test]","Action":"build-output","Output":"p.go:1: no\n"}` + "\n" + `{"ImportPath":"p [p.test]","Action":"build-fail"}` + "\n" +
		`{"Package":"p","Action":"fail","FailedBuild":"p [p.test]"}` + "\n"
	if err := g.take(strings.NewReader(events(good) + text)); err != nil || !slices.Equal(g.broken, []string{"p"}) {
		t.Errorf("%v, %q", err, g.broken)
	}
	table := g.table()
	if s := table.summary(); !table.failed() || !strings.HasSuffix(s, ", 1 failed") {
		t.Error(s)
	}
	if !strings.Contains(g.failures(), "p.go:1: no") {
		t.Errorf("%q", g.failures())
	}
}

// The table is in the order of its rows, and each of its lines fits.
func TestText(t *testing.T) {
	table := table{lines: []line{
		{"R1 kill", "nobody is lost", "0 lost", true},
		{"S10 half a banner", "tried later", "deferred", true},
		{"S9 reset right after the connection was let in", "the next host at once, and this one is left alone for a while", "sent", false},
	}}
	table.order()
	const want = `        fault               expected            seen
FAILED  S9 reset right      the next host at    sent
        after the           once, and this one
        connection was let  is left alone for
        in                  a while
ok      S10 half a banner   tried later         deferred
ok      R1 kill             nobody is lost      0 lost
`
	if got := table.text(72); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if part, rest := cut("abcdefgh", 3); part != "abc" || rest != "defgh" {
		t.Errorf("%q, %q", part, rest)
	}
}
