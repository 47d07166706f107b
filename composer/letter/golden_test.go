package letter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
	"github.com/mailblast/mailblast/delivery"
)

var update = flag.Bool("update", false, "rewrite the wanted letters in testdata")

// golden is what a folder of testdata holds in campaign.json and row.json.
type golden struct {
	letter.Options
	Values []any
	TestTo string // of a test letter
	Prefix string
}

func loadGolden(t testing.TB, dir string) golden {
	t.Helper()
	var g golden
	for _, name := range []string{"campaign.json", "row.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(&g); err != nil {
			t.Fatalf("%s/%s: %v", dir, name, err)
		}
	}
	return g
}

var (
	stamp = composer.Stamp{MessageID: "mid5x4@acme.example", Boundary: "b3k2p7q5x4b3k2p7q5x4b3k2p7q5x4ab", Token: "tok3n"}
	form  = delivery.Form{Date: time.Date(2026, 11, 24, 8, 30, 0, 0, time.FixedZone("CET", 3600))}
)

// load loads a letter whose files are in dir and gives them back at the end of the test.
func load(t testing.TB, dir string, o letter.Options) (*letter.Letter, error) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	o.Root = root
	o.TempDir = t.TempDir()
	l, err := letter.Load(o)
	t.Cleanup(func() {
		if l != nil {
			err = l.Close()
		}
		if err := errors.Join(err, root.Close()); l != nil && err != nil {
			t.Error(err)
		}
	})
	return l, err
}

// rendered gives a row's letter as it goes over the wire, written twice to see that it can be.
func rendered(t testing.TB, l *letter.Letter, row *composer.Row, s composer.Stamp) ([]byte, error) {
	t.Helper()
	body, err := l.Render(context.Background(), row, s, form)
	if err != nil {
		return nil, err
	}
	var first, second bytes.Buffer
	size, _, _ := body.Needs()
	n, err1 := body.WriteTo(&first)
	_, err2 := body.WriteTo(&second)
	if err := errors.Join(err1, err2, body.Close()); err != nil {
		t.Fatal(err)
	}
	if n != size || int64(first.Len()) != size {
		t.Fatalf("needs %d octets, wrote %d, counted %d", size, first.Len(), n)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Fatal("two writes differ")
	}
	return first.Bytes(), nil
}

func goldenDirs(t testing.TB) []string {
	t.Helper()
	dirs, err := filepath.Glob("testdata/[0-9][0-9]-*")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no letters in testdata", err)
	}
	return dirs
}

// Each folder of testdata is a letter: campaign.json, row.json, its files, and want.eml.
func TestGolden(t *testing.T) {
	for _, dir := range goldenDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			g := loadGolden(t, dir)
			l, err := load(t, dir, g.Options)
			if err != nil {
				t.Fatal(err)
			}
			s := stamp
			s.To, s.SubjectPrefix = g.TestTo, g.Prefix
			got, err := rendered(t, l, &composer.Row{Number: 1, Values: g.Values}, s)
			if err != nil {
				t.Fatal(err)
			}
			checkWire(t, got)
			want := filepath.Join(dir, "want.eml")
			if *update {
				if err := os.WriteFile(want, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if b, err := os.ReadFile(want); err != nil || !bytes.Equal(b, got) {
				t.Errorf("%v; run go test -update and look at the difference\n%s", err, got)
			}
		})
	}
}

// checkWire holds what every letter must be on the wire: CRLF only, lines within the limit, no blank folded line.
func checkWire(t interface {
	Helper()
	Fatalf(string, ...any)
}, msg []byte) {
	t.Helper()
	if !bytes.HasSuffix(msg, []byte("\r\n")) {
		t.Fatalf("the letter does not end with a line end")
	}
	header, _, ok := bytes.Cut(msg, []byte("\r\n\r\n"))
	if !ok {
		t.Fatalf("the letter has no body")
	}
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			t.Fatalf("a blank line in the header:\n%s", header)
		}
	}
	for line := range bytes.SplitSeq(msg, []byte("\r\n")) {
		if len(line) > 998 {
			t.Fatalf("a line of %d octets", len(line))
		}
		if bytes.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("a bare line end or NUL in %q", line)
		}
	}
}
