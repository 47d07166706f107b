package report

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/delivery"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func seq[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func meaning(_ delivery.Class, _ int, enhanced string) string {
	return map[string]string{"5.1.1": "no such user", "5.2.2": "mailbox full"}[enhanced]
}

func outcome(n int, s delivery.Status, to string) delivery.Outcome {
	o := delivery.Outcome{To: to, Status: s, Try: 1, At: start.Add(time.Duration(n) * time.Second), Took: time.Duration(n%40+1) * 50 * time.Millisecond}
	o.ID.Key[0], o.ID.Key[1] = byte(n), byte(n>>8)
	return o
}

// spring is a finished run of 2,420 people; cut is one that is not finished.
func spring() Source {
	var os []delivery.Outcome
	for n := range 2400 {
		o := outcome(n, delivery.Sent, fmt.Sprintf("p%d@%s", n, []string{"gmail.com", "gmx.de", "gmail.com", fmt.Sprintf("d%d.test", n%9)}[n%4]))
		o.Try += n % 50 / 49
		os = append(os, o)
	}
	fail := func(s delivery.Status, code int, enhanced, text, to string) {
		o := outcome(len(os), s, to)
		o.Code, o.Enhanced, o.Text, o.Class, o.Host = code, enhanced, text, delivery.ClassHard, "mx.test"
		os = append(os, o)
	}
	for _, to := range []string{"ana@gmail.com", "bob@gmx.de", "=cmd@gmail.com"} {
		fail(delivery.Failed, 550, "5.1.1", "5.1.1 <"+to+"> user unknown", to)
	}
	fail(delivery.Failed, 552, "5.2.2", "\x1b[2Jquota\u202e exceeded", "dan@gmail.com")
	fail(delivery.Unknown, 0, "", "connection lost after the dot", "eve@gmx.de")
	os = append(os, outcome(2406, delivery.Suppressed, "fay@x.test"))
	return Source{Run: "spring-offer/2026-W48", Campaign: "spring-offer", Started: start, Finished: start.Add(2468 * time.Second),
		Rows: 2409, Deliveries: 2406, Outcomes: seq(os), Meaning: meaning, Columns: []string{"Email", "first_name", "phone"},
		Skipped: seq([]Skipped{{7, 8, "GMX", delivery.ClassInvalid, "no @"}, {9, 10, "p1@gmx.de", delivery.ClassDuplicate, "the same as row 2"},
			{11, 12, "p2@gmx.de", delivery.ClassDuplicate, "the same as row 3"}}),
		Fields: func(_ context.Context, id delivery.ID) ([]string, error) {
			if id.Key[0] != 2400%256 || id.Key[1] != 2400/256 {
				return nil, nil
			}
			return []string{"ana@gmail.com", "Ana \"A\", B", "+49 1"}, nil
		}}
}

func cut() Source {
	s := spring()
	s.Finished, s.Deliveries, s.Run, s.Rows = time.Time{}, 3000, "spring-offer#2", 2500
	s.Outcomes = seq([]delivery.Outcome{outcome(4, delivery.Sent, "a@x.test"), outcome(5, delivery.Deferred, "b@x.test"), outcome(6, delivery.NotTried, "c@x.test")})
	return s
}

// However many failed, those in doubt are listed by name.
func TestUnknownAreNeverCrowdedOut(t *testing.T) {
	var os []delivery.Outcome
	for n := range 3000 {
		os = append(os, outcome(n, delivery.Failed, fmt.Sprintf("p%d@x.test", n)))
	}
	os = append(os, outcome(3000, delivery.Unknown, "eve@x.test"))
	r, err := Build(context.Background(), Source{Outcomes: seq(os)})
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]int{}
	for _, reason := range r.Reasons {
		named[reason.Status] += len(reason.People)
	}
	if named["failed"] != 1000 || named["unknown"] != 1 || r.More != 2000 {
		t.Errorf("%v by name, %d more", named, r.More)
	}
}

func TestGolden(t *testing.T) {
	ctx := context.Background()
	for name, s := range map[string]Source{"finished": spring(), "cut": cut()} {
		r, err := Build(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		if sum := r.Sent + r.Failed + r.Unknown + r.Suppressed + r.Skipped + r.Pending; sum != r.Total {
			t.Errorf("%s: %d counted, total %d", name, sum, r.Total)
		}
		golden(t, name+".txt", func(b *bytes.Buffer) error { return r.Text(b, TextOptions{Width: 110, People: 4}) })
		golden(t, name+"-narrow.txt", func(b *bytes.Buffer) error {
			return r.Text(b, TextOptions{Width: 60, Color: true, Send: "mailblast send w.yaml"})
		})
		golden(t, name+".json", func(b *bytes.Buffer) error { return r.JSON(b) })
		golden(t, name+".receipt", func(b *bytes.Buffer) error { fmt.Fprintln(b, r.Receipt(TextOptions{})); return nil })
	}
	for _, only := range []string{"failed", "unknown", "suppressed", "skipped"} {
		golden(t, "finished-"+only+".csv", func(b *bytes.Buffer) error { return CSV(ctx, b, spring(), only) })
	}
	golden(t, "cut-pending.csv", func(b *bytes.Buffer) error { return CSV(ctx, b, cut(), "pending") })
	golden(t, "cut-all.csv", func(b *bytes.Buffer) error { return CSV(ctx, b, cut(), "") })
}

func golden(t *testing.T, name string, write func(*bytes.Buffer) error) {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Error(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
	} else if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s differs; got:\n%s", name, b.Bytes())
	}
}

// Whatever became of the deliveries, the counts add up, everybody is in exactly one CSV file, and no field is a formula.
func TestCountsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var os []delivery.Outcome
		n := rapid.IntRange(0, 200).Draw(t, "n")
		for i := range n {
			s := delivery.Status(rapid.IntRange(0, int(delivery.Skipped)).Draw(t, "status"))
			o := outcome(i, s, rapid.StringMatching(`[=+\-@a-z\t]{1,9}(@[a-c]\.test)?`).Draw(t, "to"))
			o.Code, o.Text = rapid.IntRange(0, 599).Draw(t, "code"), rapid.String().Draw(t, "text")
			os = append(os, o)
		}
		src := Source{Run: "r", Started: start, Outcomes: seq(os), Deliveries: n + rapid.IntRange(0, 9).Draw(t, "left")}
		r, err := Build(context.Background(), src)
		if err != nil {
			t.Fatal(err)
		}
		if r.Total != src.Deliveries || r.Sent+r.Failed+r.Unknown+r.Suppressed+r.Skipped+r.Pending != r.Total {
			t.Fatalf("%+v", r)
		}
		listed := 0
		for _, reason := range r.Reasons {
			listed += reason.Count
		}
		if listed != r.Failed+r.Unknown {
			t.Fatalf("%d people have a reason, %d are failed or unknown", listed, r.Failed+r.Unknown)
		}
		var text bytes.Buffer
		if err := r.Text(&text, TextOptions{}); err != nil || strings.ContainsAny(text.String(), "\x1b\r\x00") {
			t.Fatalf("%v: %q", err, text.String())
		}
		rows := 0
		for _, only := range States {
			rows += checkCSV(t, src, only)
		}
		if rows != n {
			t.Fatalf("%d rows in the files of all states, %d deliveries", rows, n)
		}
	})
}

func checkCSV(t *rapid.T, s Source, only string) int {
	var b bytes.Buffer
	if err := CSV(context.Background(), &b, s, only); err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range all {
		for _, f := range record {
			if f != "" && strings.ContainsRune("=+-@\t\r", rune(f[0])) {
				t.Fatalf("formula %q", f)
			}
		}
	}
	return len(all) - 1
}

// Who is in cc is listed by the own address, not by that of the row's first recipient, who may well have the letter.
func TestCSVOfCopies(t *testing.T) {
	to, cc := outcome(1, delivery.Sent, "ana@x.test"), outcome(1, delivery.Unknown, "boss@x.test")
	cc.ID.Copy = 1
	row := []string{"Ana", "ana@x.test"}
	s := Source{Outcomes: seq([]delivery.Outcome{to, cc}), Columns: []string{"name", "email"},
		Fields: func(context.Context, delivery.ID) ([]string, error) { return row, nil }}
	var b bytes.Buffer
	if err := CSV(t.Context(), &b, s, ""); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "\nAna,ana@x.test,sent,") || !strings.Contains(got, "\nAna,boss@x.test,unknown,") || row[1] != "ana@x.test" {
		t.Errorf("%s%v", got, row)
	}
}

func TestManyDomains(t *testing.T) {
	d := newDomains()
	for n := range mostDomains + 500 {
		d.add(&delivery.Outcome{To: fmt.Sprintf("a@d%d.test", n), Status: delivery.Sent, Try: 2, Took: time.Second})
	}
	if len(d.by) != mostDomains {
		t.Errorf("%d domains held", len(d.by))
	}
	top, more := d.top(3)
	if sum := len(top) + more.Sent; sum != mostDomains+500 || more.DeferredOK != more.Sent {
		t.Errorf("%d sent of %d", sum, mostDomains+500)
	}
}

func TestP95(t *testing.T) {
	for _, want := range []time.Duration{time.Millisecond, 40 * time.Millisecond, 3 * time.Second, 9 * time.Minute} {
		var h histogram
		for n := range 100 {
			h.add(want)
			if n < 5 {
				h[len(h)-1]++
			}
		}
		if got := h.p95(); got < want || got > want*12/10 {
			t.Errorf("p95 of %v is %v", want, got)
		}
	}
}

func TestFaults(t *testing.T) {
	broken := errors.New("disk")
	s := Source{Outcomes: func(yield func(delivery.Outcome, error) bool) { yield(delivery.Outcome{}, broken) }}
	if _, err := Build(context.Background(), s); !errors.Is(err, broken) {
		t.Errorf("build: %v", err)
	}
	if err := CSV(context.Background(), new(bytes.Buffer), s, ""); !errors.Is(err, broken) {
		t.Errorf("csv: %v", err)
	}
	if err := CSV(context.Background(), new(bytes.Buffer), s, "lost"); err == nil || errors.Is(err, broken) {
		t.Errorf("unknown state: %v", err)
	}
}

func TestGuarded(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Ana": "Ana", "a-b=c": "a-b=c", "=1+1": "'=1+1", "+49 1": "'+49 1", "-1": "'-1", "@A1": "'@A1", "\tx": "'\tx", "\r=1": "'\r'=1",
		" =1": "' =1", "\"=1": "'\"=1", "＝1": "'＝1", "a;=1;b": "a;'=1;b", "a\t@x": "a\t'@x", "a\n- b\n- c": "a\n'- b\n'- c", "a; \"=cmd|' /C calc'!A0": "a;' \"=cmd|' /C calc'!A0",
		"a;b": "a;b", "a,=1": "a,=1", "\xff;=\xff": "\xff;'=\xff",
	} {
		if got := Guarded(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// FuzzCSV writes any values: they read back, and however a spreadsheet parts its cells, none is a formula.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"=1+1", ";=1", "a\t=1", "\"=1", "x\n=1", "a,\"=cmd|' /C calc'!A0\"", "-", ";\";=1", "\r\n@", "＝1", "'=1", "a;\";\"=1"} {
		f.Add(s, "jo@x.test", s)
	}
	f.Fuzz(func(t *testing.T, value, to, text string) {
		o := outcome(1, delivery.Failed, to)
		o.Text, o.Enhanced = text, value
		s := Source{Outcomes: seq([]delivery.Outcome{o}), Columns: []string{"email", "a", value},
			Fields: func(context.Context, delivery.ID) ([]string, error) { return []string{to, value, "x"}, nil }}
		var b bytes.Buffer
		if err := CSV(t.Context(), &b, s, ""); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Fatalf("%q: %d rows, %v", b.String(), len(rows), err)
		}
		bare := func(s string) string { return strings.NewReplacer("'", "", "\r", "").Replace(s) }
		if got := rows[1][1]; bare(got) != bare(value) {
			t.Errorf("%q reads back %q", value, got)
		}
		for _, comma := range ",;\t" {
			r := csv.NewReader(strings.NewReader(b.String()))
			r.Comma, r.LazyQuotes, r.FieldsPerRecord = comma, true, -1
			rows, err := r.ReadAll()
			if err != nil {
				t.Fatalf("%q: %v", b.String(), err)
			}
			for _, row := range rows {
				for _, cell := range row {
					if formula(cell) && strings.Trim(cell, "\t\r\" ") != "" {
						t.Errorf("parted at %q, %q is a formula in %q", comma, cell, b.String())
					}
				}
			}
		}
	})
}
