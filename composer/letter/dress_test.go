package letter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jhillyerd/enmime/v2"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
)

// read gives the letter to jo@x.test as a parser finds it.
func read(t *testing.T, l *letter.Letter, values ...any) *enmime.Envelope {
	t.Helper()
	return readEnvelope(t, l, &composer.Row{Values: append([]any{"jo@x.test"}, values...)})
}

func readEnvelope(t *testing.T, l *letter.Letter, row *composer.Row) *enmime.Envelope {
	t.Helper()
	msg, err := rendered(t, l, row, stamp)
	if err != nil {
		t.Fatal(err)
	}
	checkWire(t, msg)
	e, err := enmime.ReadEnvelope(strings.NewReader(string(msg)))
	if err != nil || len(e.Errors) > 0 {
		t.Fatal(err, e.Errors)
	}
	return e
}

// Images that lie in the folder go with the letter, once each, wherever a template shows them.
func TestImages(t *testing.T) {
	png := "\x89PNG\r\n\x1a\n"
	files := map[string]string{
		"mail/a.md":          "![Logo](logo.png) ![Logo again](logo.png)\n\n![Top](img/top%20hat.png){{ template \"foot\" . }}\n\n![far](https://x.test/a.png) ![data](data:image/png;base64,AA==) ![row]({{ .v }})\n",
		"layouts/base.html":  "<html><body background='mail/logo.png'><table background=logo.png><tr><td>{{ template \"content\" . }}</table></body></html>",
		"partials/foot.html": "<img src=\"logo.png?v=2\" alt=\"\"><!--[if mso]><img src=\"none.png\"><![endif]-->",
		"mail/logo.png":      png + "in the template's folder", "logo.png": png + "in the campaign's", "img/top hat.png": png + "hat",
	}
	o := letter.Options{Template: "mail/a.md", Subject: "s", From: "ana@acme.example", Columns: []string{"email", "v"}, Campaign: "spring"}
	l, err := load(t, write(t, files), o)
	if err != nil {
		t.Fatal(err)
	}
	e := read(t, l, "photo.png")
	if len(e.Inlines) != 3 || len(e.Attachments) != 0 {
		t.Fatalf("%d inline parts, %d attachments, want 3 and none", len(e.Inlines), len(e.Attachments))
	}
	for _, p := range e.Inlines {
		if p.ContentType != "image/png" || strings.Count(e.HTML, "cid:"+p.ContentID) == 0 {
			t.Errorf("%s %s is not shown", p.FileName, p.ContentID)
		}
	}
	if n := strings.Count(e.HTML, "cid:"); n != 6 || !strings.Contains(e.HTML, `src="https://x.test/a.png"`) || !strings.Contains(e.HTML, `src="photo.png"`) {
		t.Errorf("%d images by content id\n%s", n, e.HTML)
	}
	o.Images = "link"
	if l, err = load(t, write(t, files), o); err != nil {
		t.Fatal(err)
	}
	if e := read(t, l, ""); len(e.Inlines) != 0 || !strings.Contains(e.HTML, `src="logo.png"`) {
		t.Errorf("images: link changes them:\n%s", e.HTML)
	}
}

func TestImageFaults(t *testing.T) {
	for text, want := range map[string]string{
		"# x\n\n![a](gone.png)":    "a.md:3:6: gone.png: there is no such file: images: link leaves addresses as they are written",
		"![a](../secret.png)":      "a.md:1:6: ../secret.png: ",
		"![a](.env)":               "a.md:1:6: .env: it is no image, by its name",
		"<img src='x\\..\\y.png'>": "a.md:1:11: x\\..\\y.png: it holds a",
	} {
		_, err := load(t, write(t, map[string]string{"a.md": text}), letter.Options{Template: "a.md", Subject: "s", From: "ana@acme.example"})
		if f := (letter.Faults)(nil); !errors.As(err, &f) || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// Addresses that lead nowhere from a letter are told of, each once.
func TestAddressesThatLeadNowhere(t *testing.T) {
	var notes []string
	o := letter.Options{Template: "a.html", Subject: "s", From: "ana@acme.example", Columns: []string{"email", "v"}, Note: func(s string) { notes = append(notes, s) }}
	if _, err := load(t, write(t, map[string]string{"a.html": "<p>\n<a href=\"terms.pdf\">x</a> <a href='https://x.test/'>y</a> <a href='#top'>z</a> <a href='mailto:a@x.test'>m</a> <a href='{{ .v }}'>v</a>" +
		"<td style=\"background: url('top.png')\"><img src=\"/logo.png\"><img src=\"file:///etc/passwd\"></p>"}), o); err != nil {
		t.Fatal(err)
	}
	want := []string{`a.html:2:10: href="terms.pdf" leads nowhere`, `style="background: url('top.png')" leads nowhere`, `src="/logo.png" leads nowhere`, `src="file:///etc/passwd" leads nowhere`}
	if len(notes) != len(want) {
		t.Fatalf("%d notes: %q", len(notes), notes)
	}
	for i := range want {
		if !strings.Contains(notes[i], want[i]) {
			t.Errorf("note %q, want %q", notes[i], want[i])
		}
	}
}

// What an inbox shows beside the subject stands first in the HTML, and nowhere in the text.
func TestPreheader(t *testing.T) {
	o := letter.Options{Template: "a.html", Subject: "s", Preheader: "Three things for {{ .v }}", From: "ana@acme.example", Columns: []string{"email", "v"}}
	for _, c := range []struct{ html, want string }{
		{"<html><head><title>x</title></head><body class=\"a\"><p>Hello</p></body></html>", `<body class="a"><div style="display:none;`},
		{"<html><head><title>x</title></head><p>Hello</p></html>", `</head><div style="display:none;`},
		{"<p>Hello</p>", `<div style="display:none;`},
		{"<!doctype html>\n<p>Hello {{/* preheader */}}</p>", "<!doctype html>\r\n<div style=\"display:none;"},
		{"<body><span>{{ preheader }}</span><p>Hello</p>", "<body><span>Three things for &lt;Jo&gt;</span>"},
	} {
		l, err := load(t, write(t, map[string]string{"a.html": c.html}), o)
		if err != nil {
			t.Fatal(err)
		}
		e := read(t, l, "<Jo>")
		if !strings.Contains(e.HTML, c.want) || strings.Count(e.HTML, "Three things for &lt;Jo&gt;") != 1 {
			t.Errorf("%s:\n%s\nwant %s", c.html, e.HTML, c.want)
		}
		if strings.Contains(e.Text, "Three") != strings.Contains(c.html, "span") {
			t.Errorf("%s: text %q", c.html, e.Text)
		}
	}
	o.Preheader = "{{ .v }}"
	l, err := load(t, write(t, map[string]string{"a.html": "<body><p>Hello</p>"}), o)
	if err != nil {
		t.Fatal(err)
	}
	if e := read(t, l, ""); strings.Contains(e.HTML, "display:none") {
		t.Errorf("an empty preheader leaves something behind:\n%s", e.HTML)
	}
}
