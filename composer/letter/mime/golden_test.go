package mime

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/address"
)

var update = flag.Bool("update", false, "rewrite the wanted letters in testdata")

// The shapes of letters with inline parts; other people's parsers read the wanted letters in composer/letter.
func TestGolden(t *testing.T) {
	file := func(name, kind, cid, data string) *Attachment {
		f := encodedBytes(t, []byte(data))
		f.Name, f.Type, f.ContentID = name, kind, cid
		return must(Attach(f))
	}
	logo := file("logo.png", "image/png", "logo@mailblast", "\x89PNG\r\n\x1a\n logo")
	photo := file("Frühling am Bodensee – 二月 – und alles was man sonst noch sah.jpg", "image/jpeg", "photo@mailblast", "\xff\xd8 photo")
	terms := file("terms.pdf", "application/pdf", "", "%PDF-1.4\n")
	text := Part{Type: "text/plain", Text: []byte("Dear Jo\r\n")}
	html := func(inline ...*Attachment) Part {
		var b strings.Builder
		b.WriteString("<p>Dear Jo</p>\r\n")
		for range inline {
			b.WriteString("<img src=\"cid:logo@mailblast\">\r\n")
		}
		return Part{Type: "text/html", Text: []byte(b.String()), Inline: inline}
	}
	for name, c := range map[string]struct {
		parts []Part
		files []*Attachment
	}{
		"01-related":             {[]Part{html(logo)}, nil},
		"02-alternative-related": {[]Part{text, html(logo, photo)}, nil},
		"03-all":                 {[]Part{text, html(logo, photo)}, []*Attachment{terms, terms}},
		"04-mixed-related":       {[]Part{html(photo)}, []*Attachment{terms}},
		"05-mixed-text":          {[]Part{text}, []*Attachment{terms}},
	} {
		var h Header
		ana := Mailbox{Name: "Ana", Address: address.Address{Local: "ana", Domain: "acme.example"}}
		h.Mailboxes("From", ana)
		h.Mailboxes("To", ana)
		h.Text("Subject", name)
		h.Date(time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC))
		h.Structured("Message-ID", "<mid@acme.example>")
		var got bytes.Buffer
		b := NewBody(&h, c.parts, c.files, "b3k2p7q5x4b3k2p7q5x4b3k2p7q5x4ab")
		if _, err := b.WriteTo(&got); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".eml")
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || !bytes.Equal(want, got.Bytes()) {
			t.Errorf("%s: %v; run go test -update and look at the difference\n%s", name, err, got.Bytes())
		}
	}
}
