package cmd

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// rowsPeak reads, plans and keeps n rows, sends the first of them, and gives the peak memory in MiB, 0 where it is not known.
func rowsPeak(t *testing.T, n int) float64 {
	t.Helper()
	const letters = 300
	p := build(t)
	s := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	dir := volumeFolder(t, "sqlite:people.db", n, s.Port())
	peopleTable(t, "sqlite", filepath.Join(dir, "people.db"),
		fmt.Sprintf("(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d) SELECT i FROM s)", n))
	start := time.Now()
	r := p.start(t, dir, "send", "-y", "--limit", fmt.Sprint(letters))
	if code := r.code(t, 20*time.Minute); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, r.err.String())
	}
	if got := s.Accepted(); got != letters {
		t.Errorf("%d letters, want %d", got, letters)
	}
	t.Logf("%d rows in %v, peak memory %.1f MiB", n, time.Since(start).Round(10*time.Millisecond), r.peak())
	return r.peak()
}

// A list takes disk, not memory: a hundred thousand rows take little more than ten thousand.
func TestFaultManyRows(t *testing.T) {
	t.Parallel()
	few, many := rowsPeak(t, 10_000), rowsPeak(t, 100_000)
	if many > 80 || many > 1.5*few {
		t.Errorf("peak memory %.1f MiB for 100,000 rows, %.1f MiB for 10,000", many, few)
	}
	t.Attr("fault", "R20 memory, sampled: a hundred thousand rows")
	t.Attr("expected", "10 M rows in <= 200 MiB, so memory does not follow the rows")
	t.Attr("seen", fmt.Sprintf("peak %.0f MiB for 100,000 rows, %.0f MiB for 10,000", many, few))
}

// Ten million rows are read, told apart, planned and kept. TestLongMillion sends to each of a million.
func TestFaultLongTenMillion(t *testing.T) {
	long(t)
	peak := rowsPeak(t, 10_000_000)
	if peak > 200 {
		t.Errorf("peak memory %.1f MiB, over 200", peak)
	}
	t.Attr("fault", "R20 memory: ten million rows")
	t.Attr("expected", "<= 200 MiB")
	t.Attr("seen", fmt.Sprintf("peak %.0f MiB", peak))
}
