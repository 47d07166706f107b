package cmd

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer"
)

// nested is a letter with inline images in multipart/related, and a file beside it.
const nested = "From: a@x.test\r\nTo: b@x.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n" +
	"Message-ID: <1@x.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n" +
	"--m\r\nContent-Type: multipart/related; boundary=r\r\n\r\n" +
	"--r\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n" +
	"--a\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHi\r\n" +
	"--a\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<img src=\"cid:logo\"><img src=\"cid:logo2\">\r\n--a--\r\n" +
	"--r\r\nContent-Type: image/png\r\nContent-ID: <logo>\r\nContent-Disposition: inline; filename=logo.png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n" +
	"--r\r\nContent-Type: image/gif\r\nContent-ID: <logo2>\r\nContent-Transfer-Encoding: base64\r\n\r\n/w==\r\n--r--\r\n" +
	"--m\r\nContent-Type: text/plain; name=terms.txt\r\nContent-Disposition: attachment; filename=terms.txt\r\n\r\nTerms\r\n--m--\r\n"

func TestViewOfNestedParts(t *testing.T) {
	v, err := parse(strings.NewReader(nested))
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(v.text) != "Hi" || !strings.HasPrefix(v.html, "<img") {
		t.Errorf("text %q, html %q", v.text, v.html)
	}
	var got []string
	for _, o := range v.others {
		got = append(got, fmt.Sprintf("%s %s %s %v %d", o.name, o.kind, o.id, o.inline, o.size))
	}
	if want := "logo.png image/png logo true 3; image/gif logo2 true 1;terms.txt text/plain  false 5"; strings.Join(got, ";") != want {
		t.Errorf("parts %q", got)
	}
	page := v.page("")
	if !strings.Contains(page, `<img src="data:image/png;base64,AAEC"><img src="data:image/gif;base64,/w==">`) {
		t.Errorf("page %q", page)
	}
	if text := v.page("text"); !strings.Contains(text, "<pre") || strings.Contains(text, "<img") {
		t.Errorf("text page %q", text)
	}
	plain, err := v.plain()
	if err != nil || !strings.Contains(plain, "Inline: logo.png (3 octets)\n") || !strings.Contains(plain, "Attached: terms.txt (5 octets)\n") {
		t.Errorf("%v: %s", err, plain)
	}
	s := &sheet{row: &composer.Row{Number: 3}, raw: []byte(nested), view: v}
	b, err := s.json()
	if err != nil || !bytes.Contains(b, []byte(`{"name":"logo.png","type":"image/png","size":3,"inline":true,"content_id":"logo"}`)) ||
		!bytes.Contains(b, []byte(`"subject":"Grüße"`)) {
		t.Errorf("%v: %s", err, b)
	}
}

func TestLetterName(t *testing.T) {
	for _, c := range []struct {
		row  int
		to   string
		want string
	}{
		{7, "jo@acme.example", "00007-jo@acme.example.eml"},
		{1234567, "jo@acme.example", "1234567-jo@acme.example.eml"},
		{1, "../../etc/passwd@x.test", "00001-.._.._etc_passwd@x.test.eml"},
		{2, `a\b:c*d?e"f|g@x.test`, "00002-a_b_c_d_e_f_g@x.test.eml"},
		{3, "用户@x.test", "00003-__@x.test.eml"},
		{4, strings.Repeat("a", 300), "00004-" + strings.Repeat("a", 80) + ".eml"},
	} {
		got := letterName(c.row, c.to)
		if got != c.want || !ownName.MatchString(got) || !filepath.IsLocal(got) {
			t.Errorf("%d %q: %q, want %q", c.row, c.to, got, c.want)
		}
	}
}

// Whatever the list: at most six rows, each once and with a reason, and among them the first of those with the most of each
// measure.
func TestHardest(t *testing.T) {
	// By hand, not by rapid: its package takes 30 ms to start, and this binary is started as mailblast a thousand times.
	random := rand.New(rand.NewPCG(1, 2))
	value := func() any {
		switch random.IntN(4) {
		case 0:
			return nil
		case 1:
			return ""
		}
		letters := make([]rune, 1+random.IntN(9))
		for i := range letters {
			letters[i] = []rune("abcxyzé\u05d0")[random.IntN(8)]
		}
		return string(letters)
	}
	for range 1000 {
		columns := make([]composer.Column, 1+random.IntN(5))
		h := newHardest(columns, nil)
		rows := make([][]any, 1+random.IntN(30))
		for i := range rows {
			for range columns {
				rows[i] = append(rows[i], value())
			}
			h.add(&composer.Row{Number: i + 1, Ref: int64(i), Values: rows[i]}, composer.Stamp{})
		}
		picks := h.picks()
		if len(picks) == 0 || len(picks) > mostHard {
			t.Fatalf("%d rows", len(picks))
		}
		var refs []int64
		for _, p := range picks {
			if len(p.why) == 0 || slices.Contains(refs, p.ref) {
				t.Fatalf("row %d: %q", p.ref, p.why)
			}
			refs = append(refs, p.ref)
		}
		for name, measure := range map[string]func([]any) int{
			"empty": func(vs []any) (n int) {
				for _, v := range vs {
					if v == nil || v == "" {
						n++
					}
				}
				return n
			},
			"long": func(vs []any) (n int) {
				for _, v := range vs {
					if v != nil {
						n += len([]rune(v.(string)))
					}
				}
				return n
			},
		} {
			most := slices.MaxFunc(rows, func(a, b []any) int { return cmp.Compare(measure(a), measure(b)) })
			at := slices.IndexFunc(rows, func(r []any) bool { return measure(r) == measure(most) })
			if measure(most) > 0 && !slices.Contains(refs, int64(at)) {
				t.Fatalf("%s: row %d is not among %v", name, at, refs)
			}
		}
	}
}

func TestHardestOfGroups(t *testing.T) {
	h := newHardest([]composer.Column{{Name: "lang"}}, func(r *composer.Row) string { return fmt.Sprint(r.Values[0]) })
	for i, lang := range []string{"de", "de", "en", "fr", "en"} {
		h.add(&composer.Row{Number: i + 1, Ref: int64(i), Values: []any{lang}}, composer.Stamp{})
	}
	var got []string
	for _, p := range h.picks() {
		got = append(got, fmt.Sprint(p.ref, p.why))
	}
	if want := "0 [longest values (2 characters in all) the first in de] 2 [the first in en] 3 [the first in fr]"; strings.Join(got, " ") != want {
		t.Errorf("got %q", got)
	}
}

// The opener gets a file that only its owner can read; what it cannot show is named.
func TestPreviewOpens(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	for name, text := range map[string]string{
		"campaign.yaml": "name: hello\nfrom: ana@acme.example\nsubject: hello\ntemplate: letter.md\nrecipients: people.csv\nsmtp: capture\nunsubscribe: {required: false}\n",
		"letter.md":     "# Grüße {{ .name }}\n", "people.csv": "email,name\njo@acme.example,Jö\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args      []string
		fault     error
		out, hint string
	}{
		{nil, nil, "opened ", ""},
		{[]string{"-o", "text"}, nil, "opened ", ""},
		{nil, errNoDesktop, string(filepath.Separator), "no graphical session"},
		{nil, errors.New("exec format error"), string(filepath.Separator), "does not start: exec format error"},
	} {
		opened := ""
		var out, complaint bytes.Buffer
		e := &env{args: append([]string{"preview", filepath.Join(dir, "campaign.yaml"), "--open"}, c.args...), in: strings.NewReader(""), out: &out, err: &complaint, now: time.Now,
			lookup: func(string) (string, bool) { return "", false }, opener: func(path string) error { opened = path; return c.fault }}
		if code := e.main(); code != exitOK || !strings.HasPrefix(out.String(), c.out) || !strings.Contains(complaint.String(), c.hint) || !strings.Contains(out.String(), opened) {
			t.Errorf("%v: code %d, %q, %q", c, code, &out, &complaint)
		}
		b, err := os.ReadFile(opened)
		if err != nil || !strings.HasPrefix(string(b), "\ufeff") || !strings.Contains(string(b), "Grüße Jö") {
			t.Errorf("%v: %s", err, b)
		}
		for path, want := range map[string]os.FileMode{opened: 0o600, filepath.Dir(opened): 0o700} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v", path, info.Mode(), err)
			}
		}
	}
}

// A page of yesterday goes with the next one.
func TestPagesGo(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	first, err1 := cached("one", time.Now())
	second, err2 := cached("two", time.Now().Add(time.Hour))
	third, err3 := cached("three", time.Now().Add(stale+time.Minute))
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{first: false, second: false, third: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// halfway is a letter that breaks while it is written.
type halfway struct{}

func (halfway) Needs() (int64, bool, bool) { return 2, false, false }
func (halfway) Close() error               { return nil }
func (halfway) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, "Subject: ")
	return int64(n), errors.Join(err, errors.New("the attachment is gone"))
}

func TestNoHalfLetters(t *testing.T) {
	dir := t.TempDir()
	root, err := openOut(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	if _, err := writeLetter(root, letterName(1, "a@x.test"), halfway{}, newWriter()); err == nil {
		t.Error("no error")
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 || list[0].Name() != outMark {
		t.Errorf("%v, %v", list, err)
	}
}

func TestMbox(t *testing.T) {
	got := mboxed([]byte("Subject: a\r\n\r\nFrom here\r\n>From there\r\n"), time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC))
	if want := "From mailblast Tue Nov 24 08:00:00 2026\nSubject: a\n\n>From here\n>>From there\n\n"; got != want {
		t.Errorf("got %q", got)
	}
}
