package rows_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows"
)

func zst(t *testing.T, s string) string {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := z.EncodeAll([]byte(s), nil)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return string(packed)
}

func gz(t *testing.T, s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, s); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Standard input may be any kind of list.
func TestStdin(t *testing.T) {
	book, err := os.ReadFile(filepath.Join(corpus, "85-one-sheet-with-cells.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	const list = "email;name\r\nana@example.com;Ana\r\n"
	for name, in := range map[string]string{
		"semicolons": list, "gzip": gz(t, list), "zstd": zst(t, list), "lines": "\n" + `{"email":"ana@example.com","name":"Ana"}`,
		"array": "[{\"email\":\"ana@example.com\",\"name\":\"Ana\"}]", "packed lines": gz(t, `{"email":"ana@example.com","name":"Ana"}`),
		"UTF-16": "\xff\xfe" + strings.Join(strings.Split(list, ""), "\x00") + "\x00",
	} {
		dir := t.TempDir()
		s, err := rows.Read(t.Context(), rows.Source{Stdin: iotest.HalfReader(strings.NewReader(in))}, rows.Options{Dir: dir})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := text(t, s); !strings.HasSuffix(got, "|ana@example.com|Ana\n") {
			t.Errorf("%s: %q", name, got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: %v, %v are left", name, left, err)
		}
	}
	if got := text(t, mustRead(t, rows.Source{Stdin: bytes.NewReader(book)})); got != "1:2|ana@example.com\n" {
		t.Errorf("workbook: %q", got)
	}
}

// A read that breaks is an error: what was there cannot be read again.
func TestStdinBroken(t *testing.T) {
	broken := errors.New("connection reset")
	_, err := rows.Read(t.Context(), rows.Source{Stdin: io.MultiReader(strings.NewReader("email\na@example.com\n"), iotest.ErrReader(broken))},
		rows.Options{Dir: t.TempDir()})
	var e *rows.Error
	if !errors.As(err, &e) || e.Kind != rows.Missing || e.Error() != "standard input: reading it broke, and it cannot be started again: connection reset" {
		t.Errorf("error %v", err)
	}
	_, err = rows.Read(t.Context(), rows.Source{Stdin: strings.NewReader(strings.Repeat("somebody@example.com\n", 100))}, rows.Options{Dir: t.TempDir(), MaxStore: 1000})
	if !errors.As(err, &e) || e.Kind != rows.Full {
		t.Errorf("error %v", err)
	}
	for in, want := range map[string]string{"": "standard input: the file is empty", "\n\n": "standard input: the file is empty", gz(t, ""): "standard input: the file is empty",
		"PK\x03\x04": "standard input: the workbook is damaged", "email\x00": "standard input:1: this is no text file"} {
		if e := fault(t, rows.Source{Stdin: strings.NewReader(in)}); !strings.HasPrefix(e.Error(), want) {
			t.Errorf("%q: %v", in, e)
		}
	}
}

// Whoever waits for a program that does not write can be interrupted.
func TestStdinSilent(t *testing.T) {
	r, w := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := rows.Read(ctx, rows.Source{Stdin: r}, rows.Options{Dir: t.TempDir()}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if err := w.Close(); err != nil { // the goroutine that reads ends with its pipe
		t.Error(err)
	}
}

// An archive that is larger than a list may be ends the read, at little cost.
func TestBomb(t *testing.T) {
	path := write(t, "a.csv.gz", gz(t, "email\n"+strings.Repeat("\n", 8<<20)))
	_, err := rows.Read(t.Context(), rows.Source{Path: path}, rows.Options{Dir: t.TempDir(), MaxStore: 1 << 20})
	var e *rows.Error
	if !errors.As(err, &e) || e.Kind != rows.Full || !strings.Contains(e.Text, "1048576 octets") {
		t.Errorf("error %v", err)
	}
}

// A file that is changed while it is read is read again, and given up on when it never stays the same.
func TestChanged(t *testing.T) {
	list := "email\n" + strings.Repeat("somebody@example.com\n", 2000)
	for _, times := range []int{1, 100} {
		path := write(t, "a.csv", list)
		n := 0
		s, err := rows.Read(t.Context(), rows.Source{Path: path}, rows.Options{Dir: t.TempDir(), Progress: func(rows int) {
			if n++; rows == 1024 && n < 2*times {
				f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Fprintln(f, "one@example.com")
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}
		}})
		if times == 1 {
			if err != nil {
				t.Fatal(err)
			}
			if s.Len() != 2001 {
				t.Errorf("%d rows", s.Len())
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		var e *rows.Error
		if !errors.As(err, &e) || !strings.Contains(e.Text, "the read broke 5 times, at last: the file was changed while it was read") {
			t.Errorf("error %v", err)
		}
	}
}

// Objects have the columns of all of them together; those that had a key not yet have NULL there.
func TestLateKeys(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "{\"email\":\"p%d@example.com\"}\n", i)
	}
	b.WriteString(`{"email":"last@example.com","plan":"pro"}`)
	s := mustRead(t, rows.Source{Path: write(t, "a.jsonl", b.String())})
	if got := fmt.Sprint(s.Columns()); got != "[{email } {plan }]" {
		t.Errorf("columns %s", got)
	}
	got := text(t, s)
	if !strings.HasPrefix(got, "1:1|p0@example.com|NULL\n") || !strings.HasSuffix(got, "3001:3001|last@example.com|pro\n") {
		t.Errorf("%.50q … %q", got, got[len(got)-50:])
	}
	b.Reset()
	for i := range 5000 {
		fmt.Fprintf(&b, "{\"key%d\":1}\n", i)
	}
	if e := fault(t, rows.Source{Path: write(t, "a.jsonl", b.String())}); e.Line != 4097 || !strings.Contains(e.Text, "more than 4096 different keys") {
		t.Errorf("error %v", e)
	}
}

// Whatever comes in: a list, or an error for a person.
func FuzzStdin(f *testing.F) {
	entries, err := os.ReadDir(corpus)
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		if b, err := os.ReadFile(filepath.Join(corpus, e.Name())); err == nil && len(b) < 8<<10 {
			f.Add(b)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := rows.Read(t.Context(), rows.Source{Stdin: bytes.NewReader(b)}, rows.Options{Dir: dir, MaxStore: 4 << 20})
		if e := (*rows.Error)(nil); err != nil {
			if !errors.As(err, &e) || e.Text == "" {
				t.Fatalf("%v (%T)", err, err)
			}
			return
		}
		if len(s.Columns()) == 0 {
			t.Error("a list without columns")
		}
		last, n := 0, 0
		err = s.Each(t.Context(), func(r *composer.Row) error {
			if n++; r.Number <= last || r.Fault == "" && len(r.Values) != len(s.Columns()) || len(r.Values) > len(s.Columns()) {
				t.Errorf("row %d after %d: %d values of %d, fault %q", r.Number, last, len(r.Values), len(s.Columns()), r.Fault)
			}
			last = r.Number
			for _, v := range r.Values {
				if text, ok := v.(string); ok && !utf8.ValidString(text) {
					t.Errorf("row %d: %q is no UTF-8", r.Number, text)
				}
			}
			return nil
		})
		if err != nil || n != s.Len() {
			t.Errorf("%d rows of %d, %v", n, s.Len(), err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
