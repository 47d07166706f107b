package letter_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
	"github.com/mailblast/mailblast/composer/letter/locale"
	"github.com/mailblast/mailblast/composer/letter/vocabulary"
)

// Every function is in docs/templates.md, and what that says of it is so.
func TestDocumentedFunctions(t *testing.T) {
	b, err := os.ReadFile("../../docs/templates.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(b), `\|`, "|")
	for name := range vocabulary.Functions(func() locale.Locale { return locale.Locale{} }) {
		if !regexp.MustCompile("[{(| `]" + name + "[ }`]").MatchString(text) {
			t.Errorf("docs/templates.md does not tell of %s", name)
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `(.+)` \\| `(.+)` \\|$").FindAllStringSubmatch(text, -1)
	if len(rows) < 30 {
		t.Fatalf("%d examples", len(rows))
	}
	values := []any{"jo@acme.example", "jo o'neil", "1234.5", int64(3), "2026-11-24", "wool,tea", "01234", "a < b\nc", nil}
	for _, r := range rows {
		l, err := load(t, write(t, map[string]string{"a.txt": r[1]}), letter.Options{Template: "a.txt", Subject: "s", From: "ana@acme.example", Campaign: "spring",
			Columns: []string{"email", "name", "total", "n", "day", "tags", "zip", "note", "city"}})
		if err != nil {
			t.Errorf("%s: %v", r[1], err)
			continue
		}
		e := readEnvelope(t, l, &composer.Row{Values: values})
		if got := strings.TrimSpace(e.Text); got != r[2] {
			t.Errorf("%s: %s, the document says %s", r[1], got, r[2])
		}
	}
}
