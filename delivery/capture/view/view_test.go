package view

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

func TestParts(t *testing.T) {
	raw := crlf("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nFrom: Ana <ana@acme.example>\nContent-Type: multipart/mixed; boundary=a\n\n" +
		"--a\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain; charset=iso-8859-1\n\ncaf\xe9\n" +
		"--b\nContent-Type: text/html\n\n<title>no</title><p>caf&eacute; <img src=\"cid:logo\">\n--b--\n" +
		"--a\nContent-Type: image/png\nContent-ID: <logo>\nContent-Transfer-Encoding: base64\n\niVBORw==\n" +
		"--a\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=\"=?utf-8?q?=C3=BC=2Epdf?=\"\n\nPDF\n--a--\n")
	v := Parse(raw)
	text, ok := v.Text()
	if v.Fault != "" || v.Subject() != "Grüße" || !ok || strings.TrimSpace(text) != "café" || v.Snippet() != "café" {
		t.Errorf("fault %q, subject %q, text %q, snippet %q", v.Fault, v.Subject(), text, v.Snippet())
	}
	if len(v.Inline) != 1 || v.Inline[0].PartID != "2" || v.Inline[0].Size != 4 {
		t.Errorf("inline %+v", v.Inline)
	}
	if len(v.Attachments) != 1 || v.Attachments[0].FileName != "ü.pdf" {
		t.Errorf("attachments %+v", v.Attachments)
	}
	if html := v.HTMLWithImages(raw); !strings.Contains(html, `src="data:image/png;base64,iVBORw=="`) {
		t.Errorf("html %q", html)
	}
	if p, b, ok := Content(raw, "3"); !ok || strings.TrimSpace(string(b)) != "PDF" || p.ContentType != "application/pdf" {
		t.Errorf("content %+v %q %v", p, b, ok)
	}
}

// A fault is told with the part it is in, and the other parts are there.
func TestFaultNamesItsPart(t *testing.T) {
	v := Parse(crlf("Content-Type: multipart/mixed; boundary=a\n\n--a\n\nhello\n--a\nContent-Type: image/png\n" +
		"Content-Transfer-Encoding: base64\n\n!!\n--a--\n"))
	if text, _ := v.Text(); strings.TrimSpace(text) != "hello" || !strings.HasPrefix(v.Fault, "part 2: ") {
		t.Errorf("text %q, fault %q", text, v.Fault)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a", "Subject: x\n\nbody", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--",
		"Content-Type: text/html; charset=x\nContent-Transfer-Encoding: base64\n\n%%%", "From: <>,\xff\nDate: never\n\n\x00"} {
		f.Add(crlf(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v := Parse(raw)
		text, _ := v.Text()
		for _, s := range []string{text, v.HTML(), v.Subject(), v.Snippet(), v.HTMLWithImages(raw)} {
			if !utf8.ValidString(s) {
				t.Errorf("%q is not UTF-8", s)
			}
		}
		for _, field := range []string{"From", "To"} {
			v.Addresses(field)
		}
		for _, p := range append(v.Inline, v.Attachments...) {
			if _, _, ok := Content(raw, p.PartID); !ok {
				t.Errorf("part %s is listed and has no content", p.PartID)
			}
		}
	})
}
