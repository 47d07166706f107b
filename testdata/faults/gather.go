package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is a line of `go test -json`.
type event struct {
	Action, Package, ImportPath, Test, Key, Value, Output string
}

// result is a test or a part of one: what it says of itself, and how it ended.
type result struct {
	name                  string // with its package
	fault, expected, seen string
	action                string // pass, fail or skip; "" if it never ended
	output                strings.Builder
}

// gathered is what the tests said, in the order of their first words.
type gathered struct {
	all    []*result
	byName map[string]*result
	broken []string // packages that did not build, or failed though none of their tests did
}

// take reads events to their end. What is no event is not of a test.
func (g *gathered) take(r io.Reader) error {
	g.byName = map[string]*result{}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil {
			g.hear(e)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (g *gathered) hear(e event) {
	pkg := cmp.Or(e.Package, e.ImportPath) // of a build there is only the latter
	name := pkg + " " + e.Test
	t := g.byName[name]
	if t == nil {
		t = &result{name: name}
		g.byName[name] = t
		g.all = append(g.all, t)
	}
	switch e.Action {
	case "attr":
		switch e.Key {
		case "fault":
			t.fault = e.Value
		case "expected":
			t.expected = e.Value
		case "seen":
			t.seen = e.Value
		}
	case "output", "build-output":
		t.output.WriteString(e.Output)
	case "pass", "skip":
		t.action = e.Action
	case "fail":
		t.action = e.Action
		if e.Test == "" && !g.failedIn(pkg+" Test") {
			g.broken = append(g.broken, pkg)
		}
	}
}

// failedIn tells whether a test has failed whose name begins like this: of a package, or within a test.
func (g *gathered) failedIn(prefix string) bool {
	for _, t := range g.all {
		if t.action == "fail" && strings.HasPrefix(t.name, prefix) {
			return true
		}
	}
	return false
}

// table gives the rows that were seen, and those that were not.
func (g *gathered) table() table {
	t := table{tests: len(g.broken)}
	for _, r := range g.all {
		switch {
		case r.fault != "":
			t.lines = append(t.lines, line{r.fault, r.expected, r.seen, r.action == "pass" && r.seen != ""})
		case r.action == "fail" && strings.Contains(r.name, " Test") && !g.failedIn(r.name+"/"):
			t.tests++
		case r.action == "skip" && strings.Contains(r.name, " Test"):
			t.leftOut = append(t.leftOut, r.name[strings.LastIndexByte(r.name, ' ')+1:])
		}
	}
	t.order()
	return t
}

// failures is what the tests wrote that failed, and what did not build.
func (g *gathered) failures() string {
	var out strings.Builder
	for _, r := range g.all {
		if built := !strings.Contains(r.name, " ["); built && r.action != "fail" && (r.action != "" || r.fault == "") {
			continue
		}
		if text := strings.TrimSpace(r.output.String()); text != "" {
			fmt.Fprintf(&out, "\n%s\n%s\n", r.name, text)
		}
	}
	return out.String()
}
