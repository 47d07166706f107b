package letter_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/jhillyerd/enmime/v2"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
	"github.com/mailblast/mailblast/delivery"
)

// invoices is a letter with an invoice for each row.
func invoices(attachments ...letter.Attachment) letter.Options {
	return letter.Options{Template: "a.txt", Subject: "s", From: "ana@acme.example", Columns: []string{"email", "n"}, Attachments: attachments}
}

var invoice = letter.Attachment{Path: "invoices/{{ .n }}.pdf"}

func invoiceRow(n any) *composer.Row { return &composer.Row{Values: []any{"jo@x.test", n}} }

// names gives the attachments of a letter as "name=content".
func names(t testing.TB, msg []byte) string {
	t.Helper()
	env, err := enmime.ReadEnvelope(bytes.NewReader(msg))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, a := range env.Attachments {
		all = append(all, a.FileName+"="+string(a.Content))
	}
	return strings.Join(all, " ")
}

func TestFaultsInAttachments(t *testing.T) {
	for want, a := range map[string]letter.Attachment{
		`attachments[0].path: the list has no column "m"`:                        {Path: "invoices/{{ .m }}.pdf"},
		`attachments[0].name: the list has no column "m"`:                        {Path: "a.txt", Name: "{{ .m }}.pdf"},
		"attachments[0].path: a path of single rows must begin with the folder":  {Path: "{{ .n }}.pdf"},
		"must begin with the folder that they stay in: such as invoices/{{ .num": {Path: "./{{ .n }}.pdf"},
		"attachments[0].path: a path of single rows must begin with":             {Path: "invoice-{{ .n }}.pdf"},
		"a path of single rows must begin with the folder that they stay":        {Path: "../invoices/{{ .n }}.pdf"},
		"single rows must begin with the folder that they stay in":               {Path: "/invoices/{{ .n }}.pdf"},
		"rows must begin with the folder that they stay in":                      {Path: "a/../../{{ .n }}.pdf"},
		"must begin with the folder that they stay in":                           {Path: "{{ if .n }}invoices/{{ .n }}{{ end }}"},
		"attachments[0]: dir: it is no regular file":                             {Path: "dir", Optional: true},
		"attachments[0]: ../a.txt: it leads out of the campaign's folder":        {Path: "../a.txt", Optional: true},
		"attachments[0]: a.txt: its name is longer than 255 octets":              {Path: "a.txt", Name: strings.Repeat("x", 256)},
		"its name is longer than 255 octets or holds a slash":                    {Path: "a.txt", Name: "a/b"},
	} {
		_, err := load(t, write(t, map[string]string{"a.txt": "x", "dir/x": ""}), invoices(a))
		if f := (letter.Faults)(nil); !errors.As(err, &f) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got  %v\nwant %s", a, err, want)
		}
	}
}

// What a row makes of a path: a file below the folder that the campaign names, or a row that fails and says why.
func TestRowPaths(t *testing.T) {
	dir := write(t, map[string]string{"a.txt": "x", "invoices/7.pdf": "seven", "invoices/ä b.pdf": "umlaut", "invoices/2026/1.pdf": "one",
		"invoices/dir.pdf/x": "", "invoices/large.pdf": strings.Repeat("x", 8000), "invoices/.pdf": "nothing", "secret.pdf": "secret", "invoices-old/7.pdf": "old",
		"inside.pdf": "inside"})
	in := func(name string) string { return filepath.Join(dir, "invoices", name) }
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "../out.pdf"), []byte("out"), 0o600), os.Symlink("../../out.pdf", in("out.pdf")), mkfifo(in("fifo.pdf")),
		os.Symlink("../inside.pdf", in("in.pdf"))); err != nil {
		t.Fatal(err)
	}
	o := invoices(invoice)
	o.MaxMessage = 10_000
	l, err := load(t, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		n           any
		want, fault string
	}{
		{"7", "7.pdf=seven", ""}, {7, "7.pdf=seven", ""}, {"ä b", "ä b.pdf=umlaut", ""}, {"2026/1", "1.pdf=one", ""},
		{"in", "in.pdf=inside", ""}, {"", "", "attachment invoices/.pdf: its name is empty"},
		{"8", "", "attachment invoices/8.pdf: there is no such file"},
		{nil, "", "attachments[0]: n is NULL"},
		{"../secret", "", "attachment invoices/../secret.pdf: it does not stay in invoices/"},
		{"../../secret", "", "attachment invoices/../../secret.pdf: it does not stay in invoices/"},
		{"../invoices/7", "", "it does not stay in invoices/"},
		{"x/../../secret", "", "it does not stay in invoices/"},
		{"/../secret", "", "it does not stay in invoices/"},
		{"..", "", "there is no such file"}, // it is named ...pdf
		{"/etc/passwd", "", "attachment invoices//etc/passwd.pdf: it does not stay in invoices/"},
		{"./7", "", "it does not stay in invoices/"}, {"2026//1", "", "it does not stay in invoices/"},
		{`..\secret`, "", `attachment "invoices/..\\secret.pdf": it holds a \`},
		{"7.pdf\x00", "", `attachment "invoices/7.pdf\x00.pdf": it holds the control character U+0000`},
		{"7\n", "", "it holds a line break"}, {"7\x1b[2J", "", `\x1b[2J`},
		{"7\xff", "", "is not valid UTF-8"},
		{"out", "", "attachment invoices/out.pdf: it lies outside of the campaign's folder"},
		{"fifo", "", "attachment invoices/fifo.pdf: it is no regular file"},
		{"dir", "", "attachment invoices/dir.pdf: it is no regular file"},
		{"7.pdf/x", "", "attachment invoices/7.pdf/x.pdf: not a directory"},
		{"large", "", "attachment invoices/large.pdf: it is larger than max_message, 10000 octets"},
		{strings.Repeat("x", 5000), "", "xxx…: file name too long"},
	} {
		msg, err := rendered(t, l, invoiceRow(c.n), stamp)
		if c.fault == "" {
			if err != nil || names(t, msg) != c.want {
				t.Errorf("%.20q: %v; want %s", c.n, err, c.want)
			}
			continue
		}
		if u := (*delivery.Unfit)(nil); !errors.As(err, &u) || u.Status != delivery.Failed || u.Class != delivery.ClassContent || !strings.Contains(u.Text, c.fault) {
			t.Errorf("%.20q: %v; want %s", c.n, err, c.fault)
		} else if strings.ContainsAny(u.Text, "\n\x00\x1b") || !utf8.ValidString(u.Text) {
			t.Errorf("%.20q: %q cannot be shown", c.n, u.Text)
		}
	}
}

// Names are a row's as well.
func TestRowNames(t *testing.T) {
	l, err := load(t, write(t, map[string]string{"a.txt": "x", "d/7.pdf": "seven", "d/7": "plain"}), invoices(
		letter.Attachment{Path: "d/7.pdf", Name: "{{ .n }}.pdf"}, letter.Attachment{Path: "d/{{ len .n }}", Name: "{{ .n }}"}))
	if err != nil {
		t.Fatal(err)
	}
	if msg, err := rendered(t, l, invoiceRow("1234567"), stamp); err != nil || names(t, msg) != "1234567.pdf=seven 1234567=plain" {
		t.Errorf("%s, %v", msg, err)
	}
	for n, want := range map[string]string{"a/b c d": "holds a slash", `a\b c d`: "holds a slash", "a\nb c d": "line break", "1234567": ""} {
		_, err := rendered(t, l, invoiceRow(n), stamp)
		if (want == "") != (err == nil) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q: %v; want %q", n, err, want)
		}
	}
}

func TestOptional(t *testing.T) {
	optional := invoice
	optional.Optional = true
	dir := write(t, map[string]string{"a.txt": "x", "invoices/7.pdf": "seven", "invoices/dir.pdf/x": ""})
	l, err := load(t, dir, invoices(letter.Attachment{Path: "gone.pdf", Optional: true}, optional))
	if err != nil {
		t.Fatal(err)
	}
	if msg, err := rendered(t, l, invoiceRow(7), stamp); err != nil || names(t, msg) != "7.pdf=seven" {
		t.Errorf("%s, %v", msg, err)
	}
	first, err := rendered(t, l, invoiceRow(8), stamp)
	if err != nil || names(t, first) != "" || bytes.Contains(first, []byte("multipart")) {
		t.Errorf("%s, %v", first, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "invoices/8.pdf"), []byte("late"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := rendered(t, l, invoiceRow(8), stamp); err != nil || !bytes.Equal(first, again) {
		t.Errorf("a retry is another letter: %s, %v", again, err)
	}
	for n, want := range map[string]string{"dir": "no regular file", "../x": "does not stay", "x\x00": "U+0000"} {
		if _, err := rendered(t, l, invoiceRow(n), stamp); !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("only a missing file may be left out: %v", err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "invoices/7.pdf")); err != nil {
		t.Fatal(err)
	}
	if _, err := rendered(t, l, invoiceRow(7), stamp); !strings.Contains(fmt.Sprint(err), "invoices/7.pdf: it is gone since it was first used in this run") {
		t.Errorf("a file that went: %v", err)
	}
}

// A letter that is tried again is the same, or does not go; and one that is being written stays as it is.
func TestRetry(t *testing.T) {
	dir := write(t, map[string]string{"a.txt": "x", "invoices/7.pdf": "seven"})
	l, err := load(t, dir, invoices(invoice, invoice, letter.Attachment{Path: "a.txt"}))
	if err != nil {
		t.Fatal(err)
	}
	body, err := l.Render(t.Context(), invoiceRow(7), stamp, form)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.txt", "invoices/7.pdf"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("changed, and longer"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err = rendered(t, l, invoiceRow(7), stamp)
	u := (*delivery.Unfit)(nil)
	if want := "attachment invoices/7.pdf: it changed since it was first used in this run"; !errors.As(err, &u) || u.Text != want {
		t.Errorf("%v; want %s", err, want)
	}
	var msg bytes.Buffer
	_, err = body.WriteTo(&msg)
	if err := errors.Join(err, body.Close()); err != nil || names(t, msg.Bytes()) != "7.pdf=seven 7.pdf=seven a.txt=x" {
		t.Errorf("%s, %v", msg.Bytes(), err)
	}
}

// Many threads render rows with files of their own and a shared one.
func TestConcurrentAttachments(t *testing.T) {
	in := map[string]string{"a.txt": "x", "shared.pdf": strings.Repeat("s", 80_000)}
	const rows = 20
	for i := range rows {
		in[fmt.Sprintf("invoices/%d.pdf", i)] = fmt.Sprint("invoice ", i)
	}
	l, err := load(t, write(t, in), invoices(letter.Attachment{Path: "shared.pdf"}, invoice))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range rows {
				i = (i + g) % rows
				msg, err := rendered(t, l, invoiceRow(i), stamp)
				if want := fmt.Sprintf("shared.pdf=%s %d.pdf=invoice %d", in["shared.pdf"], i, i); err != nil || names(t, msg) != want {
					t.Errorf("row %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

// A large file is refused by default. Where it is allowed it is encoded once, and letters are written from the disk.
func TestLargeAttachment(t *testing.T) {
	const size = 18_800_000 // more than max_message only when it is encoded
	dir := write(t, map[string]string{"a.txt": "x", "invoices/7.pdf": "", "invoices/8.pdf": ""})
	if err := errors.Join(os.Truncate(filepath.Join(dir, "invoices/7.pdf"), size), os.Truncate(filepath.Join(dir, "invoices/8.pdf"), 100_000_000)); err != nil {
		t.Fatal(err)
	}
	refused := "larger than max_message, 25000000 octets"
	if _, err := load(t, dir, invoices(letter.Attachment{Path: "invoices/8.pdf"})); !strings.Contains(fmt.Sprint(err), refused) {
		t.Errorf("%v; want %s", err, refused)
	}
	l, err := load(t, dir, invoices(invoice))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{7, 8} {
		if _, err := rendered(t, l, invoiceRow(n), stamp); !strings.Contains(fmt.Sprint(err), refused) {
			t.Errorf("%v; want %s", err, refused)
		}
	}
	o := invoices(invoice)
	o.MaxMessage = 30_000_000
	if l, err = load(t, dir, o); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 3 {
		body, err := l.Render(t.Context(), invoiceRow(7), stamp, form)
		if err != nil {
			t.Fatal(err)
		}
		n, err := body.WriteTo(io.Discard)
		if need, _, _ := body.Needs(); errors.Join(err, body.Close()) != nil || n != need || n < size/3*4 {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 5<<20 {
		t.Errorf("%d octets of memory were used", took)
	}
}

// What many attachments come to is held against max_message before a letter is begun.
func TestAttachmentsTooLarge(t *testing.T) {
	o := invoices(invoice, invoice, invoice)
	o.MaxMessage = 10_000
	l, err := load(t, write(t, map[string]string{"a.txt": "x", "invoices/7.pdf": strings.Repeat("x", 3000)}), o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = rendered(t, l, invoiceRow(7), stamp)
	if u := (*delivery.Unfit)(nil); !errors.As(err, &u) || !strings.Contains(u.Text, "the attachments have 12") {
		t.Error(err)
	}
}

func BenchmarkRowAttachment(b *testing.B) {
	files := newsletter()
	const rows = 5000
	for i := range rows {
		files[fmt.Sprintf("invoices/%d.pdf", i)] = fmt.Sprint(i) + strings.Repeat("x", 20<<10)
	}
	l, err := load(b, write(b, files), letter.Options{Template: "a.html", Text: "a.txt", Subject: "News for {{ .name }}",
		From: "Shop <shop@shop.test>", To: "{{ .name }} <{{ .email }}>", Columns: []string{"email", "name", "city", "code"},
		Attachments: []letter.Attachment{{Path: "invoices/{{ .code }}.pdf"}}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body, err := l.Render(b.Context(), &composer.Row{Values: []any{"jo@example.com", "Jo Doe", "Berlin", next.Add(1) % rows}}, stamp, form)
			if err != nil {
				b.Fatal(err)
			}
			_, err = body.WriteTo(io.Discard)
			if err := errors.Join(err, body.Close()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
