package cmd

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer/rows/pgtest"
)

const volumeCampaign = `name: volume
from: Shop <news@shop.example>
subject: "{{ .first_name }}, your spring offer"
template: letter.txt
recipients:
  dsn: %q
  query: SELECT email, first_name, city FROM people WHERE id <= %[2]d ORDER BY id
expect: {min: %[2]d, max: %[2]d}
unsubscribe: false
smtp: {host: 127.0.0.1, port: %[3]d, tls: none}
connections: 20
queues:
  gmail: {domains: [gmail.com, googlemail.com], connections: 10}
  yahoo: {domains: [yahoo.com]}
`

// volumeEmail is SQL for the address of person i: 40 % gmail.com, 20 % yahoo.com, the rest over 5,000 domains. They are
// strings only: what is sent goes to a sink on loopback.
const volumeEmail = `'user' || i || CASE WHEN i % 10 < 4 THEN '@gmail.com' WHEN i % 10 < 6 THEN '@yahoo.com' ELSE '@d' || (i % 5000) || '.example' END`

func volumeFolder(t *testing.T, dsn string, n, port int) string {
	return folder(t, map[string]string{
		"campaign.yaml": fmt.Sprintf(volumeCampaign, dsn, n, port),
		"letter.txt":    "Dear {{ .first_name }},\n\nin {{ .city }} spring is here, and all bulbs are half their price until Sunday.\n\nAna\n",
	})
}

// peopleTable fills a table with n people, by a series that the database makes.
func peopleTable(t *testing.T, driver, dsn, series string) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, stmt := range []string{
		"CREATE TABLE people (id integer PRIMARY KEY, email text NOT NULL, first_name text, city text)",
		"INSERT INTO people SELECT i, " + volumeEmail + ", 'Name' || i % 997, 'City' || i % 311 FROM " + series,
	} {
		if _, err := db.ExecContext(t.Context(), stmt); err != nil {
			t.Fatal(err)
		}
	}
}

// A list of a real PostgreSQL goes through three queues into a sink: everybody exactly once by the sink's log, in less
// than 100 MB.
func TestVolume(t *testing.T) {
	t.Parallel()
	n := 20_000
	if os.Getenv("CI") == "true" {
		n = 100_000
	}
	volumes(t, n, 5_000)
}

// As TestVolume, with the whole list for Postfix's sink as well.
func TestLongVolume(t *testing.T) {
	long(t)
	volumes(t, 100_000, 100_000)
}

func volumes(t *testing.T, n, postfix int) {
	dsn := pgtest.DSN(t)
	peopleTable(t, "postgres", dsn, fmt.Sprintf("generate_series(1, %d) AS i", n))
	p := build(t)
	t.Run("sink", func(t *testing.T) {
		s := startSink(t, n)
		p.volume(t, volumeFolder(t, dsn, n, s.port), n)
		s.eachOnce(t, n)
	})
	t.Run("smtp-sink", func(t *testing.T) {
		s := startSMTPSink(t)
		p.volume(t, volumeFolder(t, dsn, postfix, s.port), postfix)
		s.eachOnce(t, postfix)
	})
}

// Memory does not grow with the list: a million rows take no more than a hundred thousand.
func TestLongMillion(t *testing.T) {
	long(t)
	p := build(t)
	var peaks []float64
	for _, n := range []int{100_000, 1_000_000} {
		s := startSink(t, n)
		dir := volumeFolder(t, "sqlite:people.db", n, s.port)
		peopleTable(t, "sqlite", filepath.Join(dir, "people.db"),
			fmt.Sprintf("(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d) SELECT i FROM s)", n))
		peaks = append(peaks, p.volume(t, dir, n))
		s.eachOnce(t, n)
	}
	if peaks[1] > 1.2*peaks[0] {
		t.Errorf("peak memory %.1f MiB for a million rows, %.1f MiB for a tenth of them", peaks[1], peaks[0])
	}
}

// long leaves a test out that takes minutes.
func long(t *testing.T) {
	if os.Getenv("MAILBLAST_LONG") == "" {
		t.Skip("left out: takes minutes; run it with MAILBLAST_LONG=1")
	}
}

// volume sends to n people and gives the peak memory in MiB, which must be at most 100 MB.
func (p program) volume(t *testing.T, dir string, n int) (peak float64) {
	t.Helper()
	start := time.Now()
	r := p.start(t, dir, "send", "-y", "--json", "--progress=none")
	if code := r.code(t, 20*time.Minute); code != exitOK {
		t.Fatalf("exit code %d\n%s%s", code, r.out.String(), r.err.String())
	}
	took := time.Since(start)
	lines := strings.Split(strings.TrimSpace(r.out.String()), "\n")
	var sum struct {
		Type                                                                                   string
		Rows, Total, Sent, Failed, Unknown, Suppressed, Skipped, Pending, Deferred, DeferredOK int
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil {
		t.Fatal(err)
	}
	if sum.Type != "summary" || sum.Rows != n || sum.Total != n || sum.Sent != n {
		t.Errorf("the summary does not add up: %+v", sum)
	}
	peak = r.peak()
	cpu := r.ProcessState.UserTime() + r.ProcessState.SystemTime()
	t.Logf("%d people in %v, %.0f a second; %v CPU a message; peak memory %.1f MiB", n, took.Round(10*time.Millisecond),
		float64(n)/took.Seconds(), cpu/time.Duration(n), peak)
	if peak*(1<<20) > 100e6 {
		t.Errorf("peak memory %.1f MiB, over 100 MB", peak)
	}
	return peak
}

// sink is a mail server that only counts.
type sink struct {
	port int
	log  string          // one recipient a line, or letters with the recipients among them
	mark string          // what stands before a recipient there
	done <-chan struct{} // closed when it has taken all its messages; nil: it does not tell
}

// startSink runs the sink of the benchmarks for n messages.
func startSink(t *testing.T, n int) *sink {
	t.Helper()
	if runtime.GOOS != "linux" {
		lack(t, "the sink runs on Linux only")
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "sink")
	c := exec.Command("go", "build", "-race=false", "-o", bin, ".")
	c.Dir = "../testdata/bench/sink"
	if b, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, b)
	}
	s := &sink{port: freePort(t), log: filepath.Join(dir, "recipients")}
	s.done = serve(t, exec.Command(bin, "-addr", fmt.Sprintf("127.0.0.1:%d", s.port), "-n", fmt.Sprint(n), "-idle", "1m",
		"-summary", filepath.Join(dir, "summary.json"), "-rcptlog", s.log))
	return s
}

// startSMTPSink runs Postfix's sink, which keeps all letters in one file.
func startSMTPSink(t *testing.T) *sink {
	t.Helper()
	bin := need(t, "smtp-sink", "postfix")
	dir := t.TempDir()
	s := &sink{port: freePort(t), log: filepath.Join(dir, "letters"), mark: "X-Rcpt-Args: "}
	args := []string{"-D", s.log, fmt.Sprintf("127.0.0.1:%d", s.port), "1000"}
	if os.Getuid() == 0 {
		args = append([]string{"-u", "root"}, args...)
	}
	serve(t, exec.Command(bin, args...))
	await(t, "smtp-sink", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return s
}

// serve runs the sink's program until the test ends, and gives a channel that is closed when it has ended by itself.
func serve(t *testing.T, c *exec.Cmd) <-chan struct{} {
	t.Helper()
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = c.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-done
	})
	return done
}

// eachOnce holds the sink's log against the list: everybody is in it, and nobody twice.
func (s *sink) eachOnce(t *testing.T, n int) {
	t.Helper()
	if s.done != nil {
		select {
		case <-s.done:
		case <-time.After(5 * time.Second):
			t.Error("the sink still waits for messages")
		}
	}
	f, err := os.Open(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	seen := make([]bool, n+1)
	count := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		to, ok := strings.CutPrefix(lines.Text(), s.mark)
		if !ok {
			continue
		}
		var i int
		if _, err := fmt.Sscanf(strings.Trim(to, "<>"), "user%d@", &i); err != nil || i < 1 || i > n {
			t.Fatalf("%q is not on the list: %v", to, err)
		}
		if seen[i] {
			t.Errorf("%s has two letters", to)
		}
		seen[i] = true
		count++
	}
	if count != n {
		t.Errorf("%d of %d were reached", count, n)
	}
}
