package rows_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/composer/rows"
	"github.com/mailblast/mailblast/composer/rows/dialect"
)

const corpus = "../../testdata/lists"

// Each case of testdata/lists is a list, NN-name.csv and so on, and what it is read as, in NN-name.want: the columns, then
// number:line|values, each faulty row with its fault; or the error that a person gets. NN-name.with has what the campaign
// says under recipients.
func TestLists(t *testing.T) {
	entries, err := os.ReadDir(corpus)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), ".")
		if strings.HasSuffix(e.Name(), ".want") || strings.HasSuffix(e.Name(), ".with") {
			continue
		}
		n++
		t.Run(e.Name(), func(t *testing.T) {
			src := rows.Source{Path: e.Name(), Base: corpus}
			with(t, &src, filepath.Join(corpus, name+".with"))
			s, err := read(t, src)
			golden(t, filepath.Join(corpus, name+".want"), outcome(t, s, err))
		})
	}
	if n < 60 {
		t.Errorf("%d lists", n)
	}
}

// outcome writes a list as it was read, or the error.
func outcome(t *testing.T, s *rows.Store, err error) string {
	t.Helper()
	if e := (*rows.Error)(nil); errors.As(err, &e) {
		out := fmt.Sprintf("kind %d: %v\n", e.Kind, e)
		if e.Hint != "" {
			out += "hint: " + e.Hint + "\n"
		}
		return out
	}
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	for _, c := range s.Columns() {
		out += "[" + c.Name + "]"
	}
	return out + "\n" + text(t, s)
}

// with reads what the campaign says beside the name.
func with(t *testing.T, src *rows.Source, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	key, value, _ := strings.Cut(strings.TrimSuffix(string(b), "\n"), ": ")
	switch key {
	case "charset":
		src.Charset = value
	case "sheet":
		src.Sheet = value
	case "delimiter":
		src.Delimiter, _ = dialect.Parse(value)
	default:
		t.Fatalf("%s: %s", path, b)
	}
}
