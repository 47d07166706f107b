package letter_test

import (
	"bytes"
	"errors"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jhillyerd/enmime/v2"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
	"github.com/mailblast/mailblast/delivery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// everywhere is a letter with a column in every place that takes one.
var everywhere = letter.Options{
	Template: "a.html", Text: "a.txt", Subject: "Re: {{ .v }}", From: "{{ .v }} <ana@acme.example>", To: "{{ .v }} <{{ .email }}>",
	CC: []string{"{{ .v }} <cc@acme.example>"}, BCC: []string{"bcc@acme.example"}, ReplyTo: "{{ .v }} <help@acme.example>",
	Headers: []letter.Header{{Name: "X-Value", Value: "{{ .v }}"}}, Columns: []string{"email", "v"},
}

func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func loadEverywhere(t testing.TB) *letter.Letter {
	t.Helper()
	dir := write(t, map[string]string{
		"a.html": `<html><body><p title="{{ .v }}">[{{ .v }}]</p><a href="https://x.test/?q={{ .v }}">x</a></body></html>`,
		"a.txt":  "[{{ .v }}]",
	})
	l, err := load(t, dir, everywhere)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// hold checks a letter against its row: one each of the single fields, nobody added, every text as the row has it.
func hold(t failer, msg []byte, v string) {
	t.Helper()
	checkWire(t, msg)
	m, err := mail.ReadMessage(bytes.NewReader(msg))
	if err != nil {
		t.Fatalf("net/mail: %v", err)
	}
	want := map[string]int{"From": 1, "To": 1, "Cc": 1, "Bcc": 0, "Reply-To": 1, "Subject": 1, "Date": 1, "Message-Id": 1, "Mime-Version": 1, "Content-Type": 1, "X-Value": 1}
	for key, values := range m.Header {
		if n, ok := want[key]; !ok || n != len(values) {
			t.Fatalf("%d fields %s", len(values), key)
		}
	}
	env, err := enmime.ReadEnvelope(bytes.NewReader(msg))
	if err != nil {
		t.Fatalf("enmime: %v", err)
	}
	if got := env.GetHeader("Subject"); got != strings.TrimSpace("Re: "+v) && got != "Re: "+v {
		t.Fatalf("subject %q, want %q", got, v)
	}
	for key, addr := range map[string]string{"From": "ana@acme.example", "To": "jo@example.com", "Cc": "cc@acme.example", "Reply-To": "help@acme.example"} {
		list, err := m.Header.AddressList(key)
		if err != nil || len(list) != 1 || list[0].Address != addr || list[0].Name != strings.TrimSpace(v) {
			t.Fatalf("%s: %v, %v; want %q\n%s", key, list, err, v, msg)
		}
	}
	lines := strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(v)
	if got := env.Text; got != "["+lines+"]\r\n" {
		t.Fatalf("text %q, want %q", got, lines)
	}
	if len(env.Root.FirstChild.NextSibling.Content) == 0 || env.Root.FirstChild.NextSibling.NextSibling != nil {
		t.Fatalf("the parts are not two")
	}
}

// hostile values, and whether a letter with one in its header may go.
var hostile = map[string]bool{
	"Ana": true, "": true, `"`: true, `\`: true, `a"b\c`: true, "O'Neil, Ana": true, "<eve@x.test>": true, "eve@x.test,": true,
	"a\r\nBcc: eve@x.test": false, "a\nb": false, "a\rb": false, "a\x00b": false, "a\x1b[31mb": false, "a\u0085b": false, "a\u2028b": false,
	"a\u2029b": false, "a\xffb": false, "a\x0bb": false, "\r\n.\r\nMAIL FROM:<eve@x.test>": false,
	"{{ .email }}": false, "<no value>": false, "%!s(MISSING)": false, "ZgotmplZ": false, "{{": false,
	"<script>alert(1)</script>": true, "javascript:alert(1)": true, "=?utf-8?q?eve?=": true, "a\u202eb": true, "a\u200bb": true,
	"a  b": true, "a\tb": true, "=20": true, "From me": true, ".": true, "(comment)": true, "a;b:c": true, "日本語": true, "🎉": true,
	strings.Repeat("w", 5000): true, strings.Repeat("ü", 3000): true, strings.Repeat("a b ", 700) + "c": true, strings.Repeat(".", 998): true,
	"--=_ab3k2p7q5x4b3k2p7q5x4b3k2p7q5x4ab--": true,
}

func TestHostileValues(t *testing.T) {
	l := loadEverywhere(t)
	for v, goes := range hostile {
		msg, err := rendered(t, l, &composer.Row{Values: []any{"jo@example.com", v}}, stamp)
		unfit := (*delivery.Unfit)(nil)
		switch {
		case goes && err != nil:
			t.Errorf("%.40q: %v", v, err)
		case goes:
			hold(t, msg, v)
		case !errors.As(err, &unfit) || unfit.Status != delivery.Failed || unfit.Class != delivery.ClassContent:
			t.Errorf("%.40q: %v; want a failed row", v, err)
		}
	}
}

// Whatever a column holds: the letter is held back, or it is whole.
func TestAnyValue(t *testing.T) {
	l := loadEverywhere(t)
	rapid.Check(t, func(rt *rapid.T) {
		v := strings.Join(rapid.SliceOfN(rapid.OneOf(
			rapid.String(), rapid.SampledFrom([]string{"\r\n", "\n", " ", "  ", ",", "<", ">", "\"", "\\", "=?", "?=", ":", "é", "x@y.test", "=", "."}),
			rapid.StringMatching(`[a-z ]{0,90}`),
		), 0, 6).Draw(rt, "parts"), "")
		msg, err := rendered(t, l, &composer.Row{Values: []any{"jo@example.com", v}}, stamp)
		if unfit := (*delivery.Unfit)(nil); errors.As(err, &unfit) {
			return
		}
		if err != nil {
			rt.Fatalf("%v", err)
		}
		hold(rt, msg, v)
	})
}

// In a body, line breaks are text like any other.
func TestBodyText(t *testing.T) {
	dir := write(t, map[string]string{"a.txt": "{{ .v }}"})
	l, err := load(t, dir, letter.Options{Template: "a.txt", Subject: "s", From: "a@x.test", Columns: []string{"email", "v"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{
		"a\r\nb\nc\rd", strings.Repeat(".\n", 500), strings.Repeat("x", 5000), "From me\n From me\nFrom ", "tail \ntail\t\n", "NUL\x00 ESC\x1b",
		strings.Repeat("y", 998) + "\n" + strings.Repeat("z", 999), strings.Repeat("ж", 5000), strings.Repeat("0123456789", 100_000), "=\n==\n=3D", "\n\n\n.", "..\n.\n",
	} {
		msg, err := rendered(t, l, &composer.Row{Values: []any{"jo@example.com", v}}, stamp)
		if err != nil {
			t.Errorf("%.20q: %v", v, err)
			continue
		}
		checkWire(t, msg)
		e, err := enmime.ReadEnvelope(bytes.NewReader(msg))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(v)
		if !strings.HasSuffix(want, "\r\n") {
			want += "\r\n"
		}
		if e.Text != want {
			t.Errorf("%.20q came out as %.60q", v, e.Text)
		}
	}
}

// Many threads may render at once; each row's letter is its own.
func TestConcurrent(t *testing.T) {
	l := loadEverywhere(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			v := strings.Repeat(string(rune('a'+i)), 40)
			for range 50 {
				body, err := l.Render(t.Context(), &composer.Row{Values: []any{"jo@example.com", v}}, stamp, form)
				if err != nil {
					t.Error(err)
					return
				}
				var b bytes.Buffer
				_, err = body.WriteTo(&b)
				n := strings.Count(strings.ReplaceAll(b.String(), "=\r\n", ""), v)
				if err := errors.Join(err, body.Close()); err != nil || n != 10 { // six fields, once in the text, thrice in the HTML
					t.Errorf("%v; the value is there %d times", err, n)
					return
				}
			}
		})
	}
	wg.Wait()
}
