package mime

import (
	"bytes"
	"net/mail"
	"slices"
	"strings"
	"testing"
)

// Whatever a letter's texts and files hold, its own delimiters too, it has as many parts as it was given, in their order and
// with their octets.
func FuzzParts(f *testing.F) {
	for _, s := range []string{"", "x", "--b", "--=_b\r\n", "\r\n--=_b--\r\n", "\n--=_b/1\n\nContent-Type: text/html\n\n<script>", "a\r\n--=_b--", ".\r\n", "\x00\xff", "From me",
		"=\r\n--=_b", strings.Repeat("-", 200), "--=5F_b", "--=_m-b\r\n--=_a-b\r\n--=_r-b\r\n", strings.Repeat("é--=_b ", 40)} {
		f.Add(s, "<p>"+s, []byte(s), "b")
		f.Add("hello", s, []byte(s+"\r\n"), strings.Repeat("b3k2p7q5", 4))
	}
	f.Fuzz(func(t *testing.T, text, html string, data []byte, boundary string) {
		if boundary == "" || len(boundary) > 32 || strings.Trim(boundary, "abcdefghijklmnopqrstuvwxyz234567") != "" {
			t.Skip() // the composer makes them
		}
		inline, file := encodedBytes(t, data), encodedBytes(t, data)
		inline.Name, inline.ContentID, file.Name = "a.png", "a@mailblast", "a.bin"
		parts := []Part{{Type: "text/plain", Text: Canon(nil, []byte(text))}, {Type: "text/html", Text: Canon(nil, []byte(html)), Inline: []*Attachment{must(Attach(inline))}}}
		var h Header
		h.Reset(nil)
		h.Text("Subject", "s")
		b := NewBody(&h, parts, []*Attachment{must(Attach(file))}, boundary)
		defer func() { _ = b.Close() }()
		var out bytes.Buffer
		if _, err := b.WriteTo(&out); err != nil {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(&out)
		if err != nil {
			t.Fatal(err)
		}
		got := leaves(t, "", m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), "", m.Body)
		want := []leaf{{"mixed/alternative/", "", string(parts[0].Text)}, {"mixed/alternative/related/", "", string(parts[1].Text)},
			{"mixed/alternative/related/", "<a@mailblast>", string(data)}, {"mixed/", "", string(data)}}
		if !slices.Equal(got, want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}
