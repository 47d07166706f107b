package mime

import (
	"bytes"
	"encoding/base64"
	"io"
	stdmime "mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/delivery/address"
)

func field(write func(*Header)) (string, error) {
	var h Header
	h.Reset(nil)
	write(&h)
	return string(h.Bytes()), h.Err()
}

func TestFolding(t *testing.T) {
	ana := address.Address{Local: "ana", Domain: "acme.example"}
	long := strings.TrimSpace(strings.Repeat("word ", 30))
	for name, c := range map[string]struct {
		write func(*Header)
		want  string
	}{
		"plain":         {func(h *Header) { h.Text("Subject", "Hi there") }, "Subject: Hi there\r\n"},
		"empty":         {func(h *Header) { h.Text("Subject", "") }, "Subject: \r\n"},
		"long":          {func(h *Header) { h.Text("Subject", long) }, "Subject: " + strings.TrimSpace(strings.Repeat("word ", 13)) + "\r\n " + strings.TrimSpace(strings.Repeat("word ", 15)) + "\r\n word word\r\n"},
		"two spaces":    {func(h *Header) { h.Text("Subject", "a  b") }, "Subject: =?utf-8?q?a__b?=\r\n"},
		"encoded look":  {func(h *Header) { h.Text("Subject", "=?utf-8?q?x?=") }, "Subject: =?utf-8?b?PT91dGYtOD9xP3g/PQ==?=\r\n"},
		"umlaut":        {func(h *Header) { h.Text("Subject", "Grün mag ich sehr gern") }, "Subject: =?utf-8?q?Gr=C3=BCn_mag_ich_sehr_gern?=\r\n"},
		"atoms":         {func(h *Header) { h.Mailboxes("To", Mailbox{"Ana at Acme", ana}) }, "To: Ana at Acme <ana@acme.example>\r\n"},
		"quoted":        {func(h *Header) { h.Mailboxes("To", Mailbox{`A. "B" \`, ana}) }, `To: "A. \"B\" \\" <ana@acme.example>` + "\r\n"},
		"phrase":        {func(h *Header) { h.Mailboxes("To", Mailbox{"Änne", ana}) }, "To: =?utf-8?b?w4RubmU=?= <ana@acme.example>\r\n"},
		"several":       {func(h *Header) { h.Mailboxes("Cc", Mailbox{"", ana}, Mailbox{"Bert", ana}, Mailbox{"Carla M.", ana}) }, "Cc: ana@acme.example, Bert <ana@acme.example>, \"Carla M.\"\r\n <ana@acme.example>\r\n"},
		"none":          {func(h *Header) { h.Mailboxes("Cc") }, ""},
		"structured":    {func(h *Header) { h.Structured("L", "<"+strings.Repeat("x", 70)+">,", "<y>") }, "L: <" + strings.Repeat("x", 70) + ">,\r\n <y>\r\n"},
		"long and word": {func(h *Header) { h.Text("Subject", strings.Repeat("x", 100)) }, "Subject: =?utf-8?q?" + strings.Repeat("x", 55) + "?=\r\n =?utf-8?q?" + strings.Repeat("x", 45) + "?=\r\n"},
	} {
		if got, err := field(c.write); err != nil || got != c.want {
			t.Errorf("%s: %q, %v\nwant %q", name, got, err, c.want)
		}
	}
	for _, write := range []func(*Header){
		func(h *Header) { h.Text("Subject", "a\r\nBcc: b") },
		func(h *Header) { h.Mailboxes("To", Mailbox{"a\nb", ana}) },
		func(h *Header) { h.Structured("L", "<a\nb>") },
		func(h *Header) { h.Structured("L", "<é>") },
		func(h *Header) { h.Structured("L", strings.Repeat("x", 999)) },
	} {
		if got, err := field(write); err == nil {
			t.Errorf("%q was taken", got)
		}
	}
}

// unfolded holds the rules of every field and gives its value on one line.
func unfolded(t interface{ Fatalf(string, ...any) }, f string) string {
	for line := range strings.SplitSeq(strings.TrimSuffix(f, "\r\n"), "\r\n") {
		if strings.TrimSpace(line) == "" || strings.ContainsAny(line, "\r\n") {
			t.Fatalf("a blank or broken line in %q", f)
		}
		if len(line) > foldAt && strings.Contains(strings.TrimSpace(line), " ") && !strings.HasPrefix(line, "X-") {
			t.Fatalf("a line of %d octets that has a space: %q", len(line), line)
		}
		for w := range strings.FieldsSeq(line) {
			if strings.HasPrefix(w, "=?utf-8?") && len(strings.TrimRight(w, ",")) > maxWord {
				t.Fatalf("an encoded word of %d", len(w))
			}
		}
	}
	_, v, _ := strings.Cut(strings.ReplaceAll(strings.TrimSuffix(f, "\r\n"), "\r\n", ""), ": ")
	return v
}

func checkText(t interface{ Fatalf(string, ...any) }, s string) {
	f, err := field(func(h *Header) { h.Text("Subject", s) })
	if err != nil {
		if CheckValue(s) == nil {
			t.Fatalf("%q: %v", s, err)
		}
		return
	}
	got, err := new(stdmime.WordDecoder).DecodeHeader(unfolded(t, f))
	if err != nil || got != s {
		t.Fatalf("%q reads as %q, %v", s, got, err)
	}
	name := strings.TrimSpace(s)
	if name == "" {
		return
	}
	a := address.Address{Local: "ana", Domain: "acme.example"}
	f, err = field(func(h *Header) { h.Mailboxes("To", Mailbox{name, a}, Mailbox{"", a}, Mailbox{name, a}) })
	if err != nil {
		t.Fatalf("%q: %v", name, err)
	}
	list, err := mail.ParseAddressList(unfolded(t, f))
	if err != nil || len(list) != 3 || list[0].Name != name || list[2].Name != name || list[1].Address != a.String() {
		t.Fatalf("%q reads as %v, %v", f, list, err)
	}
}

func TestAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkText(t, rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z",<>=?_ é日]{0,300}`)).Draw(t, "s"))
	})
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "ä", " a", "a\tb", "=?utf-8?q?a?=", "🎉", strings.Repeat("x", 400), strings.Repeat("é ", 99), `"\`, "a\r\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkText(t, s) })
}

func checkEncodings(t interface{ Fatalf(string, ...any) }, b []byte) {
	text := Canon(nil, b)
	if bytes.Contains(bytes.ReplaceAll(text, []byte("\r\n"), nil), []byte("\n")) || bytes.Contains(bytes.ReplaceAll(text, []byte("\r\n"), nil), []byte("\r")) {
		t.Fatalf("%q has bare line ends", text)
	}
	for e := quotedPrintable; e <= base64Text; e++ {
		out := encode(nil, text, e)
		for line := range bytes.SplitSeq(out, []byte("\r\n")) {
			if len(line) > qpLine {
				t.Fatalf("%v: a line of %d", e, len(line))
			}
			if bytes.HasPrefix(line, []byte("From ")) || bytes.Contains(line, []byte("=_")) || bytes.HasPrefix(line, []byte(".")) || bytes.HasSuffix(line, []byte(" ")) {
				t.Fatalf("%v: %q may be changed on its way", e, line)
			}
		}
		var r io.Reader = quotedprintable.NewReader(bytes.NewReader(out))
		if e == base64Text {
			r = base64.NewDecoder(base64.StdEncoding, bytes.NewReader(out))
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%v: %q reads as %q, %v", e, text, got, err)
		}
	}
	if choose(text) == sevenBit {
		for line := range bytes.SplitSeq(text, []byte("\r\n")) {
			if len(line) > textLine || mangled(line) {
				t.Fatalf("%q goes out as it is", line)
			}
		}
	}
}

func TestAnyBody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkEncodings(t, []byte(strings.Join(rapid.SliceOf(rapid.OneOf(rapid.String(),
			rapid.SampledFrom([]string{"\r\n", "\n", "\r", " ", "From ", ".", "--=_a", "=", "\t\n"}), rapid.StringMatching(`[ -~é]{70,80}`))).Draw(t, "s"), "")))
	})
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{"", "a\rb\nc\r\nd", "From me", ".", " \n", "=", "\x00\xff", strings.Repeat("é", 99)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkEncodings(t, b) })
}
