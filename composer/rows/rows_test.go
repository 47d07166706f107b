package rows_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows"
	"github.com/mailblast/mailblast/composer/rows/pgtest"
)

var update = flag.Bool("update", false, "write the .want files anew")

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// read reads a source and closes the store when the test ends.
func read(t *testing.T, src rows.Source) (*rows.Store, error) {
	t.Helper()
	s, err := rows.Read(t.Context(), src, rows.Options{Dir: t.TempDir()})
	if err == nil {
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return s, err
}

func mustRead(t *testing.T, src rows.Source) *rows.Store {
	t.Helper()
	s, err := read(t, src)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fault gives the *rows.Error that reading the source ends in.
func fault(t *testing.T, src rows.Source) *rows.Error {
	t.Helper()
	_, err := read(t, src)
	var e *rows.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v (%T), want a *rows.Error", err, err)
	}
	return e
}

// text writes a list as one line a row: number:line fault|values by type.
func text(t *testing.T, s *rows.Store) string {
	t.Helper()
	var b strings.Builder
	err := s.Each(t.Context(), func(r *composer.Row) error {
		at, err := s.At(r.Ref)
		if err != nil {
			return err
		}
		if fmt.Sprint(*at) != fmt.Sprint(*r) {
			t.Errorf("At gives %v, Each %v", *at, *r)
		}
		fmt.Fprintf(&b, "%d:%d", r.Number, r.Line)
		if r.Fault != "" {
			fmt.Fprintf(&b, " %s", r.Fault)
		}
		for _, v := range r.Values {
			fmt.Fprintf(&b, "|%s", show(v))
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		return v
	case fmt.Stringer:
		return "moment " + v.String()
	case []any, map[string]any:
		return "json " + rows.Text(v)
	}
	return fmt.Sprintf("%T %v", v, v)
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "d.csv"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		src  rows.Source
		kind rows.Kind
		want string
	}{
		{rows.Source{Path: "gone.csv", Base: dir}, rows.Missing, "gone.csv: no such file or directory"},
		{rows.Source{Path: "d.csv", Base: dir}, rows.Invalid, "d.csv: this is no regular file"},
		{rows.Source{Path: "list.xlsx", Base: dir}, rows.Missing, "list.xlsx: no such file or directory"},
		{rows.Source{Path: "list.pdf", Base: dir}, rows.Invalid, "list.pdf: a list is a .csv, .tsv, .txt, .jsonl, .ndjson or .json file, each also as .gz or .zst, or an .xlsx workbook"},
		{rows.Source{DSN: "mysql://u:hunter22@h/d", Query: "SELECT 1"}, rows.Invalid, "recipients: the dsn names no database known here"},
		{rows.Source{DSN: "sqlite:x.db", Query: " \n"}, rows.Invalid, "recipients: the query is empty"},
		{rows.Source{DSN: "postgres://u:hunter 22%@h:p/d", Query: "SELECT 1"}, rows.Invalid, "recipients: the dsn is no valid PostgreSQL URL"},
		{rows.Source{DSN: "sqlite:people.db?mode=rw", Query: "SELECT 1"}, rows.Invalid, "recipients: the dsn names no SQLite file"},
	} {
		e := fault(t, c.src)
		if e.Kind != c.kind || e.Error() != c.want {
			t.Errorf("%+v: kind %d, %q, want kind %d, %q", c.src, e.Kind, e, c.kind, c.want)
		}
	}
}

// The store's file is for its owner alone and is gone as soon as nobody needs it.
func TestStoreFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "run")
	path := write(t, "a.csv", "email\na@example.com\n")
	s, err := rows.Read(t.Context(), rows.Source{Path: path}, rows.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder %v, %v; want mode 0700", info, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v are left after Close", left, err)
	}
	if _, err := s.At(0); err == nil {
		t.Error("At reads from a closed store")
	}
}

func TestStoreLimit(t *testing.T) {
	path := write(t, "a.csv", "email\n"+strings.Repeat("somebody@example.com\n", 100))
	dir := t.TempDir()
	_, err := rows.Read(t.Context(), rows.Source{Path: path}, rows.Options{Dir: dir, MaxStore: 1000})
	var e *rows.Error
	if !errors.As(err, &e) || e.Kind != rows.Full || !strings.Contains(e.Text, "1000 octets at row 38") {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v are left", left, err)
	}
}

func TestCancelled(t *testing.T) {
	path := write(t, "a.csv", "email\na@example.com\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rows.Read(ctx, rows.Source{Path: path}, rows.Options{Dir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("Read: %v", err)
	}
	s := mustRead(t, rows.Source{Path: path})
	if err := s.Each(ctx, func(*composer.Row) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Each: %v", err)
	}
	stop := errors.New("enough")
	if err := s.Each(t.Context(), func(*composer.Row) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Each: %v", err)
	}
}

// A reference that no row has gives an error, whatever lies there.
func TestBadRef(t *testing.T) {
	s := mustRead(t, rows.Source{Path: write(t, "a.csv", "email\na@example.com\nb@example.com\n")})
	for _, ref := range []int64{-1, 1 << 40} {
		if r, err := s.At(ref); err == nil {
			t.Errorf("At(%d) gives %v", ref, r)
		}
	}
}
