package cmd

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the documents point at is there: files by their links, tests by their names.
func TestDocuments(t *testing.T) {
	docs, err := filepath.Glob("../docs/*.md")
	if err != nil || len(docs) < 5 {
		t.Fatalf("documents: %q, %v", docs, err)
	}
	tests := testNames(t)
	for _, doc := range append(docs, "../README.md", "../SECURITY.md") {
		b, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range deadLinks(filepath.Dir(doc), string(b)) {
			t.Errorf("%s links to %s, which is not there", doc, target)
		}
		for _, name := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)`").FindAllStringSubmatch(string(b), -1) {
			if !tests[name[1]] {
				t.Errorf("%s names %s, which no package has", doc, name[1])
			}
		}
	}
}

// The table of capabilities names a file and a test for each row that is not put off.
func TestCapabilitiesAreProven(t *testing.T) {
	b, err := os.ReadFile("../docs/queues.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\d+) \| .*$`).FindAllStringSubmatch(string(b), -1)
	if len(rows) != 12 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		proven := strings.Contains(r[0], "`Test") && strings.Contains(r[0], "](../")
		if later := r[1] == "7" || r[1] == "9"; later == proven || later != strings.Contains(r[0], "not yet") {
			t.Errorf("row %s: %s", r[1], r[0])
		}
	}
}

// Every row of the tables of guarantees and of known holes names what proves it, and no promise is left out.
func TestPromisesAreProven(t *testing.T) {
	rows := regexp.MustCompile(`(?m)^\| (.*) \| .* \| (.*) \|$`)
	for doc, least := range map[string]int{"security": 35, "guarantees": 12} {
		b, err := os.ReadFile("../docs/" + doc + ".md")
		if err != nil {
			t.Fatal(err)
		}
		proven := 0
		for _, r := range rows.FindAllStringSubmatch(string(b), -1) {
			if r[2] == "proven by" {
				continue
			}
			if proven++; !strings.HasPrefix(r[2], "`Test") {
				t.Errorf("%s: %s is proven by %q", doc, r[1], r[2])
			}
		}
		if proven < least {
			t.Errorf("%s: %d rows", doc, proven)
		}
		for _, p := range []string{"1", "2", "3", "4", "5", "7", "8", "9", "11", "12", "13", "14"} {
			if doc == "guarantees" && !strings.Contains(string(b), "| **P"+p+"** ") {
				t.Errorf("P%s is not in the table", p)
			}
		}
	}
}

// testNames gives all tests and fuzz targets of the tree.
func testNames(t *testing.T) map[string]bool {
	names, decl := map[string]bool{}, regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w*)\(`)
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range decl.FindAllSubmatch(b, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// code is what a document quotes.
var code = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")

// deadLinks gives the relative links of a document in dir that lead nowhere.
func deadLinks(dir, text string) (dead []string) {
	text = code.ReplaceAllString(text, "")
	for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
		target, _, _ := strings.Cut(m[1], "#")
		if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(target))); err != nil {
			dead = append(dead, target)
		}
	}
	return dead
}
