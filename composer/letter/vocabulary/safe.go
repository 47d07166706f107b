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

// active are elements that do something, which no mail reader lets them.
var active = []string{"script", "iframe", "object", "embed", "form", "link", "meta", "base", "style", "svg", "math", "template"}

// safeHTML takes a value as HTML. Its author vouches for its looks; what is active in it is refused all the same.
func safeHTML(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	s := Text(v)
	for z := html.NewTokenizer(strings.NewReader(s)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return htmltemplate.HTML(s), nil
		case html.StartTagToken, html.SelfClosingTagToken:
			if err := passive(z.Token()); err != nil {
				return nil, err
			}
		}
	}
}

func passive(t html.Token) error {
	if slices.Contains(active, t.Data) {
		return fmt.Errorf("it holds the element <%s>", t.Data)
	}
	for _, a := range t.Attr {
		if strings.HasPrefix(a.Key, "on") {
			return fmt.Errorf("it holds the attribute %s", a.Key)
		}
		if a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "background" {
			if _, err := safeURLText(strings.Map(visible, a.Val)); err != nil {
				return err
			}
		}
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

// markdown makes HTML of a value that is Markdown. HTML in it is left out, and so are links that would run something.
func markdown(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	var b bytes.Buffer
	if err := columns().Convert([]byte(Text(v)), &b); err != nil {
		return nil, err
	}
	if b.Len() > MaxText {
		return nil, fmt.Errorf("a text grows longer than %d octets", MaxText)
	}
	return htmltemplate.HTML(b.String()), nil
}

// nl2br keeps the lines of a text apart in HTML.
func nl2br(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	s := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(Text(v))
	s = strings.ReplaceAll(htmltemplate.HTMLEscapeString(s), "\n", "<br>\n")
	if len(s) > MaxText {
		return nil, fmt.Errorf("a text grows longer than %d octets", MaxText)
	}
	return htmltemplate.HTML(s), nil
}
