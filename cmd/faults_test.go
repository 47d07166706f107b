package cmd

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every row of faults that is promised an outcome is in the document: in its table, or below it if there is no test yet. What a
// test injects must be in the table.
func TestDocumentOfFaults(t *testing.T) {
	b, err := os.ReadFile("../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	table, rest, _ := strings.Cut(string(b), "\n```\n")
	has := func(text, row string) bool { return regexp.MustCompile(`\b` + row + `\b`).MatchString(text) }
	var faults strings.Builder // the first column
	for line := range strings.Lines(table) {
		if cells := strings.SplitN(line, " | ", 2); len(cells) == 2 {
			faults.WriteString(cells[0] + "\n")
		}
	}
	for letter, most := range map[string]int{"S": 61, "R": 24} {
		for n := range most {
			if r := fmt.Sprint(letter, n+1); !has(faults.String(), r) && !has(rest, r) {
				t.Errorf("docs/faults.md says nothing of %s", r)
			}
		}
	}
	for r := range injected(t) {
		if !has(faults.String(), r) {
			t.Errorf("docs/faults.md has no line of %s: make faults INTO=docs/faults.md", r)
		}
	}
}

// injected gives the rows that tests name as the fault they inject.
func injected(t *testing.T) map[string]bool {
	rows, name := map[string]bool{}, regexp.MustCompile(`"([A-Z]\d+) [^"]*"`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(`.Attr("fault"`)) {
			for _, m := range name.FindAllSubmatch(b, -1) {
				rows[string(m[1])] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
