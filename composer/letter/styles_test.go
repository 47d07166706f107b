package letter_test

import (
	"strings"
	"testing"

	"github.com/mailblast/mailblast/composer/letter"
)

// Style sheets of the layout reach what the letter and its partials hold, for every row; media queries stay and win.
func TestStylesAreInlined(t *testing.T) {
	var notes []string
	l, err := load(t, write(t, map[string]string{
		"a.md": "# Hi {{ .v }}\n\n{{ if .v }}\n- {{ .v }}\n{{ end }}\n\n{{ template \"foot\" . }}\n",
		"layouts/base.html": "<html><head><style>h1 { color: #123456; margin: 0 } .foot { color: red } li { color: green } a:hover { color: blue }\n" +
			"@media (prefers-color-scheme: dark) { h1 { color: white } }\nsmall { font-size: }</style></head><body>{{ template \"content\" . }}<div class=\"foot\">{{ template \"foot\" . }}</div></body></html>",
		"partials/foot.html": "<small class=\"foot\">{{ .v }}</small>",
	}), letter.Options{Template: "a.md", Subject: "s", From: "ana@acme.example", Columns: []string{"email", "v"}, Preheader: "x", Note: func(s string) { notes = append(notes, s) }})
	if err != nil {
		t.Fatal(err)
	}
	html := read(t, l, "<Jo>").HTML
	for _, want := range []string{`<h1 style="color: #123456; margin: 0">Hi &lt;Jo&gt;</h1>`, `<li style="color: green">&lt;Jo&gt;</li>`, `<small style="color: red" class="foot">&lt;Jo&gt;</small>`,
		"a:hover { color: blue }", "h1 { color: white !important }", "display:none"} {
		if !strings.Contains(html, want) {
			t.Errorf("%s is missing in\n%s", want, html)
		}
	}
	if strings.Contains(html, ".foot {") {
		t.Errorf("a rule that was moved is still there:\n%s", html)
	}
	if text := read(t, l, "Jo").Text; !strings.Contains(text, "Hi Jo\r\n=====") || !strings.Contains(text, "* Jo") {
		t.Errorf("text %q", text)
	}
}
