package vocabulary

import (
	"bytes"
	"fmt"
	htmltemplate "html/template"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/composer/letter/locale"
)

type texted string

func (t texted) String() string { return string(t) }

func speak(t testing.TB, lang string) func() locale.Locale {
	t.Helper()
	l, err := locale.Parse(lang)
	if err != nil {
		t.Fatal(err)
	}
	return func() locale.Locale { return l }
}

func run(t testing.TB, lang, source string, data any) (string, error) {
	t.Helper()
	tmpl, err := template.New("x").Funcs(Functions(speak(t, lang))).Parse(source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	var b bytes.Buffer
	err = tmpl.Execute(&b, data)
	return b.String(), err
}

func TestFunctions(t *testing.T) {
	data := map[string]any{"null": nil, "empty": "", "name": "jo o'neil", "n": "1234.5", "i": int64(7), "f": 0.1, "big": "12345678901234567890.10",
		"when": time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC), "tags": []any{"a", int64(2), nil}, "doc": map[string]any{"b": []any{1.5, "<x>"}, "a": nil},
		"money": texted("12.50"), "yes": true, "zip": "01234"}
	for _, c := range []struct{ lang, source, want string }{ // want "!…": an error that holds it
		{"en", `{{ default "friend" .null }} {{ .empty | default "friend" }} {{ .name | default "friend" }}`, "friend friend jo o'neil"},
		{"en", `{{ coalesce .null .empty .name }}`, "jo o'neil"},
		{"en", `{{ ternary "a" "b" .yes }}{{ .null | ternary "a" "b" }}`, "ab"},
		{"en", `{{ ternary "a" "b" .name }}`, "!ternary wants true or false, not text"},
		{"en", `{{ upper .name }} {{ title .name }} {{ lower "ÄÖ" }} {{ trim " x " }}`, "JO O'NEIL Jo O'neil äö x"},
		{"en", `{{ trunc 2 "häagen" }} {{ trunc -2 "häagen" }} {{ trunc 9 "x" }}`, "hä en x"},
		{"en", `{{ replace "o" "0" .name }} {{ .name | contains "neil" }} {{ hasPrefix "jo" .name }} {{ hasSuffix "jo" .name }}`, "j0 0'neil true true false"},
		{"en", `{{ range split "," "a, b,c" }}[{{ . }}]{{ end }}{{ len (split "," "") }}`, "[a][b][c]0"},
		{"en", `{{ join "/" .tags }} {{ first .tags }} {{ last (list 1 2 3) }} {{ (dict "k" .i).k }}`, "a/2/ a 3 7"},
		{"en", `{{ first .name }}`, "!text is no list"},
		{"en", `{{ dict "a" }}`, "!a value for each key"},
		{"en", `{{ add .i 1 }} {{ add .f 0.2 }} {{ sub 10 .n }} {{ mul .money 2 }} {{ div 10 4 }} {{ div 1 3 }} {{ div 6 3 }}`, "8 0.3 -1224.5 25.00 2.5 0.3333333333 2"},
		{"en", `{{ add .name 1 }}`, `!"jo o'neil" is no number`},
		{"en", `{{ div 1 3000000000000 }} {{ div 2 "1.99999999999999" }} {{ div "100000000000000000000" 1 }}`, "0 1 100000000000000000000"},
		{"en", `{{ div 1 0 }}`, "!division by zero"},
		{"en", `{{ if gt .n 1000 }}a{{ end }}{{ if lt .i 10.5 }}b{{ end }}{{ if eq .i "7" 8 }}c{{ end }}{{ if ge "9" "10" }}d{{ end }}`, "abc"},
		{"en", `{{ if eq .zip "1234" }}a{{ end }}{{ if eq .zip 1234 }}b{{ end }}{{ if ne .zip "01234" }}c{{ end }}`, "b"},
		{"en", `{{ if gt .empty 1 }}a{{ end }}{{ if le .null 1 }}b{{ end }}{{ if eq .null .null }}c{{ end }}{{ if eq .null "" }}d{{ end }}`, "c"},
		{"en", `{{ gt .name 5 }}`, "!one of them is no number"},
		{"en", `{{ if lt "2026-01-02" "2026-11-01" }}a{{ end }}`, "a"},
		{"en", `{{ date "long" .when }} {{ date "iso" "2026-11-24 08:30" }}`, "November 24, 2026 2026-11-24"},
		{"de", `{{ date "long" .when }} {{ date "2 January 2006 15:04" .when }}`, "24. November 2026 24 November 2026 08:30"},
		{"en", `{{ date "long" .name }}`, "!is no date such as 2006-01-02"},
		{"en", `{{ number .n }} {{ number 2 .n }} {{ number .big }}`, "1,234.5 1,234.50 12,345,678,901,234,567,890.10"},
		{"de", `{{ .n | number 2 }}`, "1.234,50"},
		{"en", `{{ number "12,5" }}`, `!"12,5" is no number such as 1234.5`},
		{"en", `{{ number 99 .n }}`, "!0 to 20"},
		{"en", `{{ money "eur" .money }}`, "€12.50"},
		{"de", `{{ money "EUR" .n }}`, "1.234,50\u00a0€"},
		{"en", `{{ money "XXQ" .n }}`, "!XXQ"},
		{"en", `{{ plural "item" "items" 1 }} {{ .i | plural "item" "items" }}`, "item items"},
		{"pl", `{{ plural (dict "one" "plik" "few" "pliki" "many" "plików" "other" "pliku") 3 }} {{ plural (dict "one" "plik" "other" "pliku") 5 }}`, "pliki pliku"},
		{"en", `{{ plural "x" 3 }}`, "!plural wants a dict"},
		{"en", `{{ plural (dict "one" "day") 5 }}`, `!neither "other" nor "other", which en needs for 5`},
		{"en", `{{ safe_html "<b>x<!-- " }}|{{ safe_html "a</div></td></tr></table><i>b" }}|{{ safe_html "<tr><td>x" }}`, "<b>x</b>|a<i>b</i>|<tr><td>x</td></tr>"},
		{"en", `{{ safe_html "<textarea>x" }}`, "!the element <textarea>"},
		{"en", `{{ safe_html "<p><plaintext>" }}`, "!the element <plaintext>"},
		{"ar", `{{ lang }} {{ dir }}`, "ar rtl"},
		{"en", `{{ urlquery "a b&c" }} {{ safe_url "acmeapp://x" }}`, "a+b%26c acmeapp://x"},
		{"en", `{{ safe_url "JavaScript:alert(1)" }}`, "!begins with javascript: is not safe"},
		{"en", `{{ safe_url " java\tscript:x" }}`, "!white space"},
		{"en", `{{ safe_html "<b onclick=x>" }}`, "!the attribute onclick"},
		{"en", `{{ safe_html "<SCRIPT>" }}`, "!the element <script>"},
		{"en", `{{ safe_html "<a href=' java\nscript:x'>" }}`, "!javascript"},
		{"en", `{{ safe_html "<b>x</b>" }}{{ nl2br "a<\r\nb" }}`, "<b>x</b>a&lt;<br>\nb"},
		{"en", `{{ markdown "> - 1. x" }}`, "<blockquote>\n<ul>\n<li>\n<ol>\n<li>x</li>\n</ol>\n</li>\n</ul>\n</blockquote>\n"},
		{"en", `{{ markdown "` + strings.Repeat("> ", 101) + `x" }}`, "!at most 100 quotes and lists"},
		{"en", `{{ markdown "` + strings.Repeat("1. ", 101) + `x" }}`, "!at most 100 quotes and lists"},
		{"en", `{{ markdown "` + strings.Repeat("-", 200) + `" }}`, "<hr>\n"},
		{"en", `{{ markdown "**a** <b>x</b> [l](javascript:x)" }}`, "<p><strong>a</strong> <!-- raw HTML omitted -->x<!-- raw HTML omitted --> <a href=\"\">l</a></p>\n"},
		{"en", `{{ printf "%05.1f" .f }} {{ print .i " " .name }}`, "000.1 7 jo o'neil"},
		{"en", `{{ replace "" "xxxxxxxxxxxxxxxxxxxx" (printf "%0100000d" 1) }}`, "!grows longer"},
		{"en", `{{ range (list "upper" "trim") }}{{ end }}{{ upper .null }}{{ trim .null }}{{ number .null }}{{ money "EUR" .null }}{{ date "long" .null }}{{ add .null 1 }}`,
			strings.Repeat("<no value>", 0) + "<nil><nil><nil><nil><nil><nil>"},
	} {
		got, err := run(t, c.lang, c.source, data)
		got = strings.ReplaceAll(got, "<no value>", "<nil>")
		if want, bad := strings.CutPrefix(c.want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q, %v; want an error with %q", c.source, got, err, want)
			}
		} else if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.source, got, err, c.want)
		}
	}
}

func TestText(t *testing.T) {
	for want, v := range map[string]any{"": nil, "x": "x", "-7": int64(-7), "0.1": 0.1, "100000000000000000000000": 1e23, "true": true, "12.50": texted("12.50"),
		`{"a":null,"b":[1.5,"<x>"]}`: map[string]any{"b": []any{1.5, "<x>"}, "a": nil}, `["ä",{}]`: []any{"ä", map[string]any{}}, "<b>": htmltemplate.HTML("<b>")} {
		if got := Text(v); got != want {
			t.Errorf("%#v: %s, want %s", v, got, want)
		}
	}
}

// A number and the text that writes it are one to comparisons, and order is the same for both.
func TestNumbersInTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		lt := order(func(c int) bool { return c < 0 })
		for _, pair := range [][2]any{{a, b}, {fmt.Sprint(a), b}, {a, fmt.Sprint(b)}, {texted(fmt.Sprint(a)), fmt.Sprint(b)}} {
			less, err := lt(pair[0], pair[1])
			if err != nil || less != (a < b) {
				t.Fatalf("%v < %v: %v, %v", pair[0], pair[1], less, err)
			}
			if e, err := equal(pair[0], pair[1]); err != nil || e != (a == b) {
				t.Fatalf("%v = %v: %v, %v", pair[0], pair[1], e, err)
			}
		}
		sum, err := add(a, fmt.Sprint(b))
		if back, _ := sub(sum, b); err != nil || Text(back) != fmt.Sprint(a) {
			t.Fatalf("%v + %v = %v, less %v: %v", a, b, sum, b, back)
		}
	})
}

// No value that is taken for HTML or an address brings anything active into a letter.
func FuzzSafe(f *testing.F) {
	for _, s := range []string{"<b>x</b>", "<a href=javascript:x>", "<img src=x onerror=y>", "<svg/onload=x>", "<!--><script>", "x:y", "data:text/html,x", "<a\nhref\n=\n'java\tscript:'>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := safeURL(s); err == nil && strings.HasPrefix(strings.ToLower(Text(v)), "javascript:") {
			t.Fatalf("%q is an address", s)
		}
		if v, err := safeHTML(s); err == nil {
			dead(t, s, Text(v))
		}
		if v, err := markdown(s); err == nil {
			dead(t, s, Text(v))
		}
	})
}

// dead holds HTML, as a browser reads it inside of a body, against what is active.
func dead(t *testing.T, from, text string) {
	t.Helper()
	nodes, err := html.ParseFragment(strings.NewReader(text), &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body})
	if err != nil {
		return
	}
	for _, top := range nodes {
		for n := range top.Descendants() {
			if n.Type == html.ElementNode && slices.Contains(active, n.Data) {
				t.Fatalf("%q makes <%s>", from, n.Data)
			}
		}
	}
}
