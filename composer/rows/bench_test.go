package rows

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

func BenchmarkReadCSV(b *testing.B) {
	const n = 1_000_000
	var s strings.Builder
	s.WriteString("email,first,last,city,plan,since\n")
	for i := range n {
		fmt.Fprintf(&s, "somebody%d@example.com,Some,Body,Berlin,pro,2026-11-24\n", i)
	}
	readAll(b, "a.csv", s.String(), n)
}

func BenchmarkReadObjects(b *testing.B) {
	const n = 200_000
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, `{"email":"somebody%d@example.com","first":"Some","last":"Body","address":{"city":"Berlin"},"plan":"pro","points":%d}`+"\n", i, i)
	}
	readAll(b, "a.jsonl", s.String(), n)
}

func BenchmarkReadWorkbook(b *testing.B) {
	const n = 200_000
	f := excelize.NewFile()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		b.Fatal(err)
	}
	for i := range n + 1 {
		row := []any{fmt.Sprintf("somebody%d@example.com", i), "Some", "Body", "Berlin", "pro", i}
		if i == 0 {
			row = []any{"email", "first", "last", "city", "plan", "points"}
		}
		if err := w.SetRow(fmt.Sprint("A", i+1), row); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	out, err := f.WriteToBuffer()
	if err != nil {
		b.Fatal(err)
	}
	readAll(b, "a.xlsx", out.String(), n)
}

func readAll(b *testing.B, name, content string, n int) {
	path := filepath.Join(b.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		st, err := Read(b.Context(), Source{Path: path}, Options{Dir: b.TempDir()})
		if err != nil || st.Len() != n {
			b.Fatal(err)
		}
		_ = st.Close()
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
}
