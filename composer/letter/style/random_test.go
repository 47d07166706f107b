package style_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/composer/letter/page"
	"github.com/mailblast/mailblast/composer/letter/style"
)

// letter draws the templates of a letter, with rules and elements that often meet.
func letter(t *rapid.T) []page.Template {
	one := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	class := func() string { return one("class", "a", "b", "c", "d") }
	declaration := func() string {
		s := one("declaration", "color: red", "color: blue", "color: rgb(1 2 3)", "padding: 3px", "padding-left: 7px", "border: 1px solid red",
			"border-left: 2px dotted blue", "border-color: green", "font: italic 13px/2 serif", "font-size: 17px", "line-height: 1",
			"background: #eee", "background-color: #123", "margin: 2px 4px", "margin-top: 1em", `font-family: "A b", serif`)
		return s + one("important", "", "", "", " !important")
	}
	declarations := func() string {
		return strings.Join(rapid.SliceOfN(rapid.Custom(func(*rapid.T) string { return declaration() }), 1, 3).Draw(t, "declarations"), "; ")
	}
	simple := func() string {
		return one("simple", "."+class(), "."+class(), "."+class()+"."+class(), "p", "td", "div", "*", "#i", "p."+class(), ":not(."+class()+")", "[title]",
			"[class~="+class()+"]", "td:first-child", "p:nth-child(2)", "b:last-child", "b")
	}
	selector := func() string {
		s := simple()
		if rapid.Bool().Draw(t, "complex") {
			s = simple() + one("combinator", " ", " > ", " + ", " ~ ") + s
		}
		return s + one("pseudo", "", "", "", "", ":hover", "::before", ", "+simple())
	}
	rule := func() string {
		s := selector() + " { " + declarations() + " }"
		return fmt.Sprintf(one("rule", "%s", "%s", "%s", "%s", "@media (max-width: 480px) { %s }", "@media (prefers-color-scheme: dark) { %s }", "{{ if $.vip }}%s{{ end }}"), s)
	}
	var element func(depth int) string
	element = func(depth int) string {
		attributes := ""
		for range rapid.IntRange(0, 2).Draw(t, "attributes") {
			attributes += " " + one("attribute", `class="`+class()+`"`, `class="`+class()+" "+class()+`"`, `class='{{ $.kind }} `+class()+`'`, `{{ if $.vip }}class="`+class()+`"{{ end }}`,
				`id="i"`, `title="{{ $.name }}"`, `style="`+strings.ReplaceAll(declarations(), `"`, "'")+`"`, `style='color: {{ $.color }}'`, `{{ if $.vip }}style="color: lime"{{ end }}`, `style=padding:1px`)
		}
		inside := "x"
		if depth > 0 {
			for range rapid.IntRange(0, 3).Draw(t, "children") {
				inside += element(depth - 1)
			}
		}
		s := fmt.Sprintf(one("element", "<div%s>%s</div>", "<b%s>%s</b>", "<table><tr><td%s>%s</td><td>y</table>", "<i%s>%s</i>"), attributes, inside)
		return fmt.Sprintf(one("branch", "%s", "%s", "%s", "{{ if $.vip }}%s{{ end }}", "{{ range $.items }}%s{{ end }}", "{{ if $.vip }}<u>{{ else }}<s>{{ end }}%s{{ if $.vip }}</u>{{ else }}</s>{{ end }}"), s)
	}
	sheet := ""
	for range rapid.IntRange(1, 8).Draw(t, "rules") {
		sheet += rule() + "\n"
	}
	call := one("call", `{{ template "part" . }}`, `<div class="a">{{ template "part" . }}</div><div class="b">{{ template "part" . }}</div>`)
	return []page.Template{
		{Name: "page", Text: "<!DOCTYPE html><html><head><style>\n" + sheet + "</style></head><body>" + element(3) + call + "</body></html>"},
		{Name: "part", Text: element(1) + `<p class="` + class() + `">x</p>`},
	}
}

// Whatever the letter, its actions stay as they are, nothing but styles changes, and html/template can execute the result.
func TestRandomLetters(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		in := letter(r)
		out, _, faults := style.Inline(in...)
		if len(faults) > 0 {
			t.Errorf("faults in a good letter: %v", faults)
		}
		checkKept(t, in, out)
		for _, row := range rows {
			rendered(t, out, row)
		}
	})
}
