package plain

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// document draws HTML, with numbered words in it.
type document struct {
	strings.Builder
	words int
}

func (d *document) draw(t *rapid.T, depth int) {
	for range rapid.IntRange(0, 4).Draw(t, "nodes") {
		tag := rapid.SampledFrom([]string{"", "", "", "b", "span", "p", "div", "h1", "h3", "ul", "ol", "blockquote", "table", "layout", "a", "br", "hr", "img",
			"dl", "center", "del", "section", "hidden", "comment"}).Draw(t, "tag")
		if depth == 0 {
			tag = ""
		}
		switch tag {
		case "":
			d.WriteString(rapid.SampledFrom([]string{" ", "\n", "&nbsp;", "&zwnj;", " &#847; "}).Draw(t, "space"))
			d.word()
			d.WriteByte(' ')
		case "br", "hr":
			d.WriteString("<" + tag + ">")
		case "img":
			d.WriteString(`<img alt="`)
			d.word()
			d.WriteString(`">`)
		case "hidden":
			d.WriteString(`<div style="color: red; display: NONE">unseen<p>unseen</p></div>`)
		case "comment":
			d.WriteString("<!-- unseen <p> -->")
		case "ul", "ol":
			d.rows(t, depth, "<"+tag+">", "<li>", "</li>", "</"+tag+">", 1)
		case "dl":
			d.rows(t, depth, "<dl>", "<dt>x<dd>", "</dd>", "</dl>", 1)
		case "table":
			d.rows(t, depth, "<table><tr><th>x<th>x</tr>", "<td>", "</td>", "</table>", 2)
		case "layout":
			d.rows(t, depth, `<table role="presentation">`, "<td>", "</td>", "</table>", 2)
		case "a":
			fmt.Fprintf(d, `<a href="https://x.test/%d">`, d.words)
			d.word()
			d.WriteString("</a>")
		default:
			d.WriteString("<" + tag + ">")
			d.draw(t, depth-1)
			d.WriteString("</" + tag + ">")
		}
	}
}

func (d *document) rows(t *rapid.T, depth int, before, start, end, after string, columns int) {
	d.WriteString(before)
	for range rapid.IntRange(0, 3).Draw(t, "rows") {
		if columns > 1 {
			d.WriteString("<tr>")
		}
		for range columns {
			d.WriteString(start)
			d.draw(t, depth-1)
			d.WriteString(end)
		}
	}
	d.WriteString(after)
}

func (d *document) word() {
	d.words++
	fmt.Fprintf(d, "w%dw", d.words)
}

// Every word that is seen in the HTML is in the text, in its order, and the lines are as they should be.
func TestEveryWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d document
		d.draw(t, 5)
		o := Options{Links: rapid.SampledFrom([]Links{Auto, Inline, Footnotes}).Draw(t, "links"), Width: rapid.SampledFrom([]int{0, 30, 72}).Draw(t, "width")}
		text := Text([]byte(d.String()), o)
		rest := text
		for i := range d.words {
			word := fmt.Sprintf("w%dw", i+1)
			_, after, ok := strings.Cut(rest, word)
			if !ok {
				t.Fatalf("%s is not in its place in\n%s\nfrom\n%s", word, text, d.String())
			}
			rest = after
		}
		if strings.Contains(text, "unseen") {
			t.Fatalf("something hidden is in\n%s\nfrom\n%s", text, d.String())
		}
		if o.Width == 0 {
			o.Width = 78
		}
		for line := range strings.SplitSeq(text, "\n") {
			if words := strings.TrimLeft(line, " >*0123456789.x[]"); cellsOf(strings.TrimSuffix(line, "~~")) > o.Width && strings.Contains(words, " ") {
				t.Fatalf("the line is wider than %d:\n%s\nfrom\n%s", o.Width, line, d.String())
			}
		}
		check(t, text)
	})
}

func check(t interface{ Fatalf(string, ...any) }, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.TrimRight(line, " \t\r") != line {
			t.Fatalf("white space at the end of %q", line)
		}
	}
	if strings.Contains(text, "\n\n\n") || strings.HasSuffix(text, "\n") {
		t.Fatalf("two empty lines, or one at the end, in %q", text)
	}
}

// However large and deep a document is, its text takes time in proportion to its size: eight times the document, some eight
// times the time, and not sixty-four.
func TestLinear(t *testing.T) {
	const size = 12 << 10
	for _, piece := range []string{"<table><tr><td>x", "<table><tr><th>x<th>", "<div>x", "<blockquote>x ", "<ul><li>x", "<b>x ", "<p>x", "<a href=https://x.test/>x",
		"<del>x ", "<td>x", "<tr><td>x<td>y", "<table><td>x</table>", "<pre>\n", "x", "<", "&", "<!--", "漢", "<sup>2", "<li>x", "</p>", "<dl><dt>x<dd>", "<h1>x",
		"<span style='display:block;font-size:0'>", "\u00a0", "<a href=https://x.test/><img><table><tr><td>x</table>"} {
		small, large := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
		for range 30 { // as the machine may have other things to do
			small, large = min(small, timeOf(piece, size)), min(large, timeOf(piece, 8*size))
			if large < 24*small {
				break
			}
		}
		if large >= 24*small {
			t.Errorf("%q: %v for %d bytes, %v for eight times as many", piece, small, size, large)
		}
	}
}

// timeOf is what the processor works at it: what other programs take meanwhile is theirs.
func timeOf(piece string, size int) time.Duration {
	doc := []byte(strings.Repeat(piece, size/len(piece)))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := spent()
	Text(doc, Options{})
	return spent() - began
}

// Whatever the document, there is a text, with tidy lines.
func FuzzText(f *testing.F) {
	f.Add([]byte("<ul><li><table><tr><td>a<td><blockquote>b"))
	f.Add([]byte("<h1><a href=x:y><pre>\n\n</h1>"))
	f.Add([]byte("<table><tr><th colspan=3>a<th rowspan=2><tr><td>b</table><ol type=I start=-1 reversed><li>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		text := Text(doc, Options{})
		check(t, text)
		if utf8.Valid(doc) && !utf8.ValidString(text) {
			t.Fatalf("%q is not UTF-8", text)
		}
	})
}
