package vocabulary

import (
	"bytes"
	"fmt"
	htmltemplate "html/template"
	"slices"
	"strings"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// TextForms are the functions that make HTML, as texts and header fields have them: they leave the value as it is.
func TextForms() map[string]any {
	asIs := func(v any) any { return v }
	return map[string]any{"safe_url": safeURLText, "safe_html": asIs, "markdown": asIs, "nl2br": asIs}
}

// refused are schemes that run or carry what is not a page.
var refused = []string{"javascript", "vbscript", "data", "file", "about", "blob"}

// safeURL vouches for an address whose scheme is neither http, https nor mailto, such as an app's own.
func safeURL(v any) (any, error) {
	s, err := safeURLText(v)
	if s, ok := s.(string); ok {
		return htmltemplate.URL(s), nil
	}
	return nil, err
}

func safeURLText(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	s := strings.TrimSpace(Text(v))
	if i := strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }); i >= 0 {
		return nil, fmt.Errorf("the address %.40q holds white space or a control character", s)
	}
	scheme, _, ok := strings.Cut(s, ":")
	if ok && slices.Contains(refused, strings.ToLower(scheme)) {
		return nil, fmt.Errorf("an address that begins with %s: is not safe", strings.ToLower(scheme))
	}
	return s, nil
}

// active are elements that do something, which no mail reader lets them, or that make something else of what follows.
var active = []string{"script", "iframe", "object", "embed", "form", "link", "meta", "base", "style", "svg", "math", "template",
	"textarea", "title", "xmp", "plaintext", "noscript", "noembed", "noframes", "frameset", "select", "listing"}

// contexts are elements around those that stand nowhere else.
var contexts = map[string]atom.Atom{"tr": atom.Tbody, "td": atom.Tr, "th": atom.Tr, "tbody": atom.Table, "thead": atom.Table, "li": atom.Ul}

// safeHTML takes a value as HTML. Its author vouches for its looks; what is active in it is refused all the same. It comes out
// as a browser reads it: closed, and without comments, so that it ends where it ends.
func safeHTML(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	s := Text(v)
	for z := html.NewTokenizer(strings.NewReader(s)); z.Next() != html.ErrorToken; {
		if t := z.Token(); (t.Type == html.StartTagToken || t.Type == html.SelfClosingTagToken) && slices.Contains(active, t.Data) {
			return nil, fmt.Errorf("it holds the element <%s>", t.Data)
		}
	}
	around := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	if a, ok := contexts[firstTag(s)]; ok {
		around = &html.Node{Type: html.ElementNode, Data: a.String(), DataAtom: a}
	}
	nodes, err := html.ParseFragment(strings.NewReader(s), around)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, n := range nodes {
		if err := passive(n); err != nil {
			return nil, err
		}
		if n.Type == html.CommentNode {
			continue
		}
		if err := html.Render(&b, n); err != nil {
			return nil, err
		}
	}
	return htmltemplate.HTML(b.String()), nil
}

func firstTag(s string) string {
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return ""
		case html.StartTagToken, html.SelfClosingTagToken:
			return z.Token().Data
		}
	}
}

// passive holds an element and those in it against what is active, and drops comments.
func passive(n *html.Node) error {
	if n.Type == html.ElementNode {
		if slices.Contains(active, n.Data) {
			return fmt.Errorf("it holds the element <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") {
				return fmt.Errorf("it holds the attribute %s", a.Key)
			}
			if a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "background" {
				if _, err := safeURLText(strings.Map(visible, a.Val)); err != nil {
					return err
				}
			}
		}
	}
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		if c.Type == html.CommentNode {
			n.RemoveChild(c)
		} else if err := passive(c); err != nil {
			return err
		}
		c = next
	}
	return nil
}

// visible drops what browsers overlook inside of an address.
func visible(r rune) rune {
	if r <= ' ' {
		return -1
	}
	return r
}

// columns reads the Markdown of values.
var columns = sync.OnceValue(func() goldmark.Markdown {
	return goldmark.New(goldmark.WithExtensions(extension.Table, extension.Linkify, extension.Strikethrough))
})

// Bounds of a value that is read as Markdown, which takes quadratic time in what may open a link or an emphasis, and in how
// deep quotes and lists lie in each other.
const (
	maxMarkdown = 64 << 10 // octets
	maxOpeners  = 4000
	maxNesting  = 100 // quotes and lists that begin in one line
)

// markdown makes HTML of a value that is Markdown. HTML in it is left out, and so are links that would run something.
func markdown(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	text := Text(v)
	if len(text) > maxMarkdown || strings.Count(text, "[")+strings.Count(text, "*")+strings.Count(text, "_")+strings.Count(text, "`") > maxOpeners {
		return nil, fmt.Errorf("it is too large to be read as Markdown: at most %d octets and %d marks", maxMarkdown, maxOpeners)
	}
	for line := range strings.Lines(text) {
		if nesting(line) > maxNesting {
			return nil, fmt.Errorf("it is too deep to be read as Markdown: at most %d quotes and lists in each other", maxNesting)
		}
	}
	var b bytes.Buffer
	if err := columns().Convert([]byte(text), &b); err != nil {
		return nil, err
	}
	if b.Len() > MaxText {
		return nil, errGrows
	}
	return htmltemplate.HTML(b.String()), nil
}

// nesting counts the quotes and lists that a line may begin, one in the other (CommonMark §5).
func nesting(line string) (deep int) {
	lead := line[:len(line)-len(strings.TrimLeft(line, " \t>-+*.)0123456789"))]
	for i, c := range []byte(lead) {
		switch {
		case c == '>':
			deep++
		case strings.IndexByte("-+*.)", c) >= 0 && (i+1 == len(line) || strings.IndexByte(" \t\n", line[i+1]) >= 0):
			deep++
		}
	}
	return deep
}

// nl2br keeps the lines of a text apart in HTML.
func nl2br(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	s := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(Text(v))
	s = strings.ReplaceAll(htmltemplate.HTMLEscapeString(s), "\n", "<br>\n")
	if len(s) > MaxText {
		return nil, errGrows
	}
	return htmltemplate.HTML(s), nil
}
