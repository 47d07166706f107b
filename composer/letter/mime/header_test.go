package mime

import (
	stdmime "mime"
	"net/mail"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/address"
)

// FuzzHeader lays out a header with any value in each kind of field: it is refused, or its lines are as long as lines may be,
// and a reader finds these fields, each once, with what was written into them.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{
		"", "Ana", "Änne", strings.Repeat("word ", 60), strings.Repeat("x", 2000), strings.Repeat("é", 400), "a\r\nBcc: eve@x.test", "a\nb", "a\rb", "a\x00b", "a\u0085b", "a\u2028b", "a\u2029b",
		"=?utf-8?q?x?=", `"`, `\`, `a"b\c, <d@e>`, "a\tb", " a ", "a  b", "\xff", "From: x", "🎉🎉", "a,b;c:d", "(a)", strings.Repeat(`"\`, 300), strings.Repeat(" ", 100) + "x",
	} {
		f.Add(s, "jo@example.com")
		f.Add(s, "jürgen@bücher.example")
	}
	f.Fuzz(func(t *testing.T, value, to string) {
		a, err := address.Parse(to)
		if err != nil {
			a = address.Address{Local: "jo", Domain: "example.com"}
		}
		name := strings.TrimSpace(value)
		var h Header
		h.Reset(nil)
		h.Text("Subject", value)
		h.Text("X-A-Name-That-Is-As-Long-As-A-Name-Of-A-Field-May-Be-Here", value)
		h.Mailboxes("To", Mailbox{name, a}, Mailbox{"", a}, Mailbox{name, a})
		h.Mailboxes("From", Mailbox{name, a})
		if h.Err() != nil {
			if CheckValue(value) == nil && CheckValue(name) == nil {
				t.Fatalf("%q: %v", value, h.Err())
			}
			return
		}
		text := string(h.Bytes())
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
			long := len(line) > 78 && strings.Contains(strings.TrimSpace(strings.TrimPrefix(line, "X-A-Name-That-Is-As-Long-As-A-Name-Of-A-Field-May-Be-Here: ")), " ")
			if strings.TrimSpace(line) == "" || strings.ContainsAny(line, "\r\n\x00") || len(line) > maxLine || long {
				t.Fatalf("the line %q of %q", line, text)
			}
		}
		m, err := mail.ReadMessage(strings.NewReader(text + "\r\n"))
		if err != nil || len(m.Header) != 4 {
			t.Fatalf("%q reads as %v, %v", text, m, err)
		}
		for key, values := range m.Header {
			if len(values) != 1 {
				t.Fatalf("%d fields %s in %q", len(values), key, text)
			}
			if key == "To" || key == "From" {
				continue
			}
			if got, err := new(stdmime.WordDecoder).DecodeHeader(values[0]); err != nil || got != value && got != strings.TrimSpace(value) {
				t.Fatalf("%s: %q reads as %q, %v", key, value, got, err)
			}
		}
		for key, n := range map[string]int{"To": 3, "From": 1} {
			list, err := m.Header.AddressList(key)
			if err != nil || len(list) != n || list[0].Name != name || list[n-1].Address != a.String() {
				t.Fatalf("%s: %q, %s reads as %v, %v", key, name, a, list, err)
			}
		}
	})
}
