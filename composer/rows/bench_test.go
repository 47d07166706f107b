package rows

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func BenchmarkReadCSV(b *testing.B) {
	const n = 1_000_000
	path := filepath.Join(b.TempDir(), "a.csv")
	var s strings.Builder
	s.WriteString("email,first,last,city,plan,since\n")
	for i := range n {
		fmt.Fprintf(&s, "somebody%d@example.com,Some,Body,Berlin,pro,2026-11-24\n", i)
	}
	if err := os.WriteFile(path, []byte(s.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		st, err := Read(b.Context(), Source{Path: path}, Options{Dir: b.TempDir()})
		if err != nil || st.Len() != n {
			b.Fatal(err)
		}
		_ = st.Close()
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
}
