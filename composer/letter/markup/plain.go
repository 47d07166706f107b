package markup

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Plain makes the text part of an HTML document: blocks apart by empty lines, headings underlined, lists with their marks,
// links with their address behind them, quotations marked. What a reader of the HTML does not see is left out.
func Plain(doc []byte) (string, error) {
	node, err := html.Parse(bytes.NewReader(doc))
	if err != nil {
		return "", fmt.Errorf("text from HTML: %w", err)
	}
	var p plain
	p.children(node)
	return strings.TrimRight(p.b.String(), " \n"), nil
}

// plain is a text in the making.
type plain struct {
	b      strings.Builder
	breaks int    // line ends wanted before the next word, at most 2
	space  bool   // white space came since the last word
	prefix string // of every line: quotation marks and indents
	mark   string // of the next line only, in place of the prefix's end: a list's "* "
	pre    bool   // white space is kept
	cells  string // what parts cells of the table we are in
}

// apart are elements with an empty line around them, lines those that begin and end a line, hidden those that are not shown.
var (
	apart = []atom.Atom{atom.P, atom.Blockquote, atom.Pre, atom.Table, atom.Ul, atom.Ol, atom.Dl, atom.Form, atom.Fieldset, atom.Figure,
		atom.Address, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Hr}
	lines = []atom.Atom{atom.Div, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Main, atom.Nav, atom.Aside, atom.Tr, atom.Li,
		atom.Dt, atom.Dd, atom.Caption, atom.Figcaption, atom.Center}
	hidden = []atom.Atom{atom.Head, atom.Style, atom.Script, atom.Title, atom.Template}
)

func (p *plain) children(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch c.Type {
		case html.TextNode:
			p.text(c.Data)
		case html.ElementNode:
			p.element(c)
		}
	}
}

func (p *plain) element(n *html.Node) {
	style := strings.ToLower(strings.ReplaceAll(attribute(n, "style"), " ", ""))
	if slices.Contains(hidden, n.DataAtom) || strings.Contains(style, "display:none") {
		return
	}
	around := 0
	switch {
	case slices.Contains(apart, n.DataAtom):
		around = 2
	case slices.Contains(lines, n.DataAtom):
		around = 1
	}
	if (n.DataAtom == atom.Ul || n.DataAtom == atom.Ol) && within(n, atom.Li) {
		around = 1
	}
	if p.mark == "" { // else the line has only begun
		p.breakLine(around)
	}
	p.content(n)
	p.breakLine(around)
}

// content writes an element whose line breaks are cared for.
func (p *plain) content(n *html.Node) {
	switch n.DataAtom {
	case atom.Br:
		p.breaks = min(p.breaks+1, 2)
	case atom.Hr:
		p.word(strings.Repeat("-", 40))
	case atom.Img:
		p.text(attribute(n, "alt"))
	case atom.H1:
		p.heading(n, "=")
	case atom.H2:
		p.heading(n, "-")
	case atom.A:
		p.link(n)
	case atom.Ul, atom.Ol:
		p.list(n)
	case atom.Dd:
		p.indented("", "  ", n)
	case atom.Blockquote:
		p.indented("", "> ", n)
	case atom.Pre:
		was := p.pre
		p.pre = true
		p.children(n)
		p.pre = was
	case atom.Table:
		was := p.cells
		p.cells = "  "
		if has(n, atom.Th) {
			p.cells = " | "
		}
		p.children(n)
		p.cells = was
	case atom.Tr:
		p.row(n)
	default:
		p.children(n)
	}
}

func (p *plain) heading(n *html.Node, line string) {
	start := p.b.Len()
	p.children(n)
	text := p.b.String()[start:]
	text = text[strings.LastIndexByte(text, '\n')+1:]
	if width := utf8.RuneCountInString(strings.TrimPrefix(text, p.prefix)); width > 0 {
		p.breakLine(1)
		p.word(strings.Repeat(line, min(width, 60)))
	}
}

// link writes the text and behind it the address, unless that is the text.
func (p *plain) link(n *html.Node) {
	start := p.b.Len()
	p.children(n)
	text := strings.TrimSpace(p.b.String()[start:])
	href := strings.TrimSpace(attribute(n, "href"))
	scheme, rest, ok := strings.Cut(href, ":")
	switch {
	case !ok || strings.EqualFold(scheme, "javascript"):
	case text == href, text == rest, strings.TrimPrefix(rest, "//") == text:
	case text == "":
		p.word(href)
	default:
		p.space = true
		p.word("(" + href + ")")
	}
}

func (p *plain) list(n *html.Node) {
	number, err := strconv.Atoi(attribute(n, "start"))
	if err != nil {
		number = 1
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c.Type != html.ElementNode:
		case c.DataAtom != atom.Li:
			p.element(c)
		default:
			mark := "* "
			if n.DataAtom == atom.Ol {
				mark = strconv.Itoa(number) + ". "
				number++
			}
			p.breakLine(1)
			p.indented(mark, strings.Repeat(" ", len(mark)), c)
			p.breakLine(1)
		}
	}
}

// indented writes an element with a prefix before each of its lines, and a mark in place of it before the first.
func (p *plain) indented(mark, prefix string, n *html.Node) {
	was := p.prefix
	p.mark, p.prefix = was+mark, was+prefix
	if mark == "" {
		p.mark = ""
	}
	p.children(n)
	p.mark, p.prefix = "", was
}

// row writes the cells of a table's row side by side, as far as they are in one line.
func (p *plain) row(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			continue
		}
		before := p.b.Len()
		p.element(c)
		if p.b.Len() > before && p.breaks == 0 && later(c) {
			p.b.WriteString(p.cells)
			p.space = false
		}
	}
}

// later tells that another cell follows.
func later(n *html.Node) bool {
	for c := n.NextSibling; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode {
			return true
		}
	}
	return false
}

// text writes words, with one space for whatever white space is between them.
func (p *plain) text(s string) {
	if p.pre {
		for i, line := range strings.Split(s, "\n") {
			if i > 0 {
				p.breaks = min(p.breaks+1, 2)
			}
			if line = strings.TrimRight(line, " \t\r"); line != "" {
				p.word(line)
			}
		}
		return
	}
	for s != "" {
		i := strings.IndexFunc(s, unicode.IsSpace)
		switch {
		case i < 0:
			p.word(s)
			return
		case i > 0:
			p.word(s[:i])
		}
		p.space = true
		s = strings.TrimLeftFunc(s[i:], unicode.IsSpace)
	}
}

// word writes what has no break inside.
func (p *plain) word(s string) {
	switch start := p.b.Len() == 0; {
	case start || p.breaks > 0:
		if !start {
			for i := range p.breaks {
				if i > 0 { // an empty line in a quotation is marked too
					p.b.WriteString(strings.TrimRight(p.prefix, " "))
				}
				p.b.WriteByte('\n')
			}
		}
		if p.mark != "" {
			p.b.WriteString(p.mark)
		} else {
			p.b.WriteString(p.prefix)
		}
		p.mark = ""
	case p.space:
		p.b.WriteByte(' ')
	}
	p.breaks, p.space = 0, false
	p.b.WriteString(s)
}

// breakLine wants at least n line ends before the next word.
func (p *plain) breakLine(n int) {
	p.breaks = max(p.breaks, n)
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func within(n *html.Node, a atom.Atom) bool {
	for n = n.Parent; n != nil; n = n.Parent {
		if n.DataAtom == a {
			return true
		}
	}
	return false
}

func has(n *html.Node, a atom.Atom) bool {
	for c := range n.Descendants() {
		if c.DataAtom == a {
			return true
		}
	}
	return false
}
