package markup

import (
	"strings"
	"testing"
)

func TestPlain(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"paragraphs", "<p>One\n two.</p><p>Three &amp; four</p>", "One two.\n\nThree & four"},
		{"inline", "<p>a <b>b</b><i>c</i> d</p>", "a bc d"},
		{"breaks", "a<br>b<br><br>c", "a\nb\n\nc"},
		{"headings", "<h1>Hällo</h1><p>x</p><h2>Two</h2>y<h3>Three</h3>z", "Hällo\n=====\n\nx\n\nTwo\n---\n\ny\n\nThree\n\nz"},
		{"list", "<p>x</p><ul><li>one</li><li><p>two</p></li></ul><p>y</p>", "x\n\n* one\n* two\n\ny"},
		{"numbers", `<ol start="9"><li>nine</li><li>ten<br>more</li></ol>`, "9. nine\n10. ten\n    more"},
		{"nested", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "* a\n  * b\n* c"},
		{"link", `<a href="https://x.test/a">the page</a>.`, "the page (https://x.test/a)."},
		{"bare link", `<a href="https://x.test/">https://x.test/</a> <a href="mailto:a@x.test">a@x.test</a>`, "https://x.test/ a@x.test"},
		{"picture link", `<a href="https://x.test/"><img src="x.png"></a>`, "https://x.test/"},
		{"anchor", `<a href="#top">up</a>`, "up"},
		{"alt", `<img alt="Our logo" src="x.png"> Acme`, "Our logo Acme"},
		{"quotation", "<blockquote><p>a</p><p>b<br>c</p></blockquote>d", "> a\n>\n> b\n> c\n\nd"},
		{"pre", "<pre>a  b\n  c</pre>", "a  b\n  c"},
		{"rule", "a<hr>b", "a\n\n" + strings.Repeat("-", 40) + "\n\nb"},
		{"table", "<table><tr><th>Plan</th><th>Price</th></tr><tr><td>pro</td><td>5</td></tr></table>", "Plan | Price\npro | 5"},
		{"layout table", `<table role="presentation"><tr><td><p>a</p></td></tr><tr><td>b</td><td>c</td></tr></table>`, "a\n\nb  c"},
		{"hidden", `<style>p{}</style><script>x</script><title>t</title><!-- c --><div style="display: none">pre</div>seen`, "seen"},
		{"empty", "", ""},
	} {
		got, err := Plain([]byte(c.in))
		if err != nil || got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s\n(%v)", c.name, got, c.want, err)
		}
	}
}

// Whatever the document, its text is made, and ends in a word.
func FuzzPlain(f *testing.F) {
	f.Add([]byte("<ul><li><table><tr><td>a<td><blockquote>b"))
	f.Add([]byte("<h1><a href=x:y><pre>\n\n</h1>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		s, err := Plain(doc)
		if err == nil && strings.HasSuffix(s, "\n") {
			t.Fatalf("%q ends in an empty line", s)
		}
	})
}
