package letter_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
)

// newsletter is a letter of four kilobytes in its two parts.
func newsletter() map[string]string {
	const p = "The spring catalogue is out, with forty new items and the old favourites at the old prices, for %s {{ .city }}.\n"
	var html, text strings.Builder
	html.WriteString("<!doctype html>\n<html><head><meta charset=\"utf-8\"><style>p{color:#222}</style></head><body>\n<h1>Hello {{ .name }},</h1>\n")
	for i := range 16 {
		fmt.Fprintf(&html, "<p>"+p+"</p>", "people in")
		if i%2 == 0 {
			fmt.Fprintf(&text, p+"\n", "you in")
		}
	}
	html.WriteString("<p><a href=\"https://shop.test/c/{{ .code }}\">Open</a> {{ .code }}</p></body></html>\n")
	text.WriteString("{{ .code }} https://shop.test/c/{{ .code }}\n")
	return map[string]string{"a.html": html.String(), "a.txt": text.String()}
}

func BenchmarkRender(b *testing.B) {
	for _, text := range []string{"a.txt", "auto", "none"} {
		b.Run("html+"+text, func(b *testing.B) {
			l, err := load(b, write(b, newsletter()), letter.Options{Template: "a.html", Text: text, Subject: "News for {{ .name }}",
				From: "Shop <shop@shop.test>", To: "{{ .name }} <{{ .email }}>", Columns: []string{"email", "name", "city", "code"},
				Unsubscribe: letter.Unsubscribe{URL: "https://shop.test/u?t={token}"}})
			if err != nil {
				b.Fatal(err)
			}
			row := &composer.Row{Values: []any{"jo@example.com", "Jo Doe", "Berlin", "SPRING10"}}
			b.ReportAllocs()
			for b.Loop() {
				body, err := l.Render(context.Background(), row, stamp, form)
				if err != nil {
					b.Fatal(err)
				}
				n, err := body.WriteTo(io.Discard)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(n)
				if err := body.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEnvelope(b *testing.B) {
	l, err := load(b, write(b, newsletter()), letter.Options{Template: "a.html", Subject: "x", From: "Shop <shop@shop.test>",
		Columns: []string{"email", "name", "city", "code"}})
	if err != nil {
		b.Fatal(err)
	}
	row := &composer.Row{Values: []any{"jo@example.com", "Jo Doe", "Berlin", "SPRING10"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Envelope(row); err != nil {
			b.Fatal(err)
		}
	}
}
