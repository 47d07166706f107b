package plain

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// deepest is how many elements may be open within each other. Deeper ones are put beside each other, so that no letter
// overflows a stack.
const deepest = 200

// node is a text (with no tag) or an element that a reader sees.
type node struct {
	tag         atom.Atom
	text        string
	attributes  []html.Attribute // those of kept only
	first, next *node
	last        *node
	look        look
	class       bool // it has one
	size        int  // bytes of text below it
	blocks      bool // an element below it begins a line
	tables      bool // a table is below it
	pictures    bool // a picture is below it
}

// kept are the attributes the walk asks for; style and hidden become the look.
var kept = []string{"href", "alt", "role", "start", "value", "type", "reversed", "colspan", "rowspan"}

func (n *node) attribute(name string) string {
	for _, a := range n.attributes {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// integer gives an attribute's number, or the default if it has none.
func (n *node) integer(name string, otherwise int) int {
	if s := n.attribute(name); s != "" {
		if i, err := strconv.Atoi(strings.TrimSpace(s)); err == nil {
			return i
		}
	}
	return otherwise
}

func (n *node) has(name string) bool {
	return slices.ContainsFunc(n.attributes, func(a html.Attribute) bool { return a.Key == name })
}

var (
	// heads are elements that may stand in a head; any other ends it.
	heads = []atom.Atom{atom.Title, atom.Style, atom.Script, atom.Template, atom.Base, atom.Link, atom.Meta, atom.Noscript, atom.Object}
	cells = []atom.Atom{atom.Td, atom.Th, atom.Caption}
)

// tree is a document in the making.
type tree struct {
	open    []*node // the elements that are open, the root first
	over    int     // elements that are open beyond the deepest
	anchors []*node
	room    []node // for nodes to come, so that they are not allocated one by one
}

// parse makes the tree of a document, and the list of its links.
func parse(doc []byte) (root *node, anchors []*node) {
	t := tree{room: make([]node, 16+len(doc)/64)}
	root = t.node()
	t.open = append(make([]*node, 0, 32), root)
	z := html.NewTokenizer(bytes.NewReader(doc))
	for {
		switch z.Next() {
		case html.ErrorToken: // the end: a bytes.Reader has no other
			for len(t.open) > 1 {
				t.close()
			}
			return root, t.anchors
		case html.TextToken:
			t.text(z.Text())
		case html.StartTagToken:
			t.start(z, false)
		case html.SelfClosingTagToken:
			t.start(z, true)
		case html.EndTagToken:
			name, _ := z.TagName()
			t.end(atom.Lookup(name))
		}
	}
}

func (t *tree) node() *node {
	if len(t.room) == 0 {
		t.room = make([]node, 64)
	}
	n := &t.room[0]
	t.room = t.room[1:]
	return n
}

func (t *tree) top() *node { return t.open[len(t.open)-1] }

func (t *tree) append(n *node) {
	p := t.top()
	if p.last == nil {
		p.first = n
	} else {
		p.last.next = n
	}
	p.last = n
}

func (t *tree) text(b []byte) {
	blank := len(bytes.Trim(b, " \t\r\n\f")) == 0
	if t.top().tag == atom.Head && !blank {
		t.close()
	}
	p := t.top()
	if p.look.hidden || p.look.tiny && !blank {
		return
	}
	n := t.node()
	n.text = " "
	if !blank || t.within(atom.Pre) {
		n.text = string(b)
		p.size += len(b)
	}
	t.append(n)
}

func (t *tree) within(tag atom.Atom) bool {
	return slices.ContainsFunc(t.open, func(n *node) bool { return n.tag == tag })
}

func (t *tree) start(z *html.Tokenizer, selfClosing bool) {
	name, more := z.TagName()
	n := t.node()
	n.tag = atom.Lookup(name)
	if n.tag == 0 {
		n.tag = atom.Span // any element that HTML does not know is inline
	}
	if n.tag == atom.Noscript {
		z.NextIsNotRawText() // mail programs run no scripts
	}
	if t.top().tag == atom.Head && !slices.Contains(heads, n.tag) {
		t.close()
	}
	if n.tag == atom.Html || n.tag == atom.Body {
		return
	}
	hidden, style := n.read(z, more)
	k := kinds[n.tag]
	t.imply(n.tag, k)
	p := t.top()
	n.look = lookOf(n, k, p.look, style)
	n.look.hidden = n.look.hidden || hidden
	if !n.look.hidden {
		t.append(n)
	}
	childless := k.void || selfClosing && n.look.hidden
	switch {
	case childless:
		p.blocks = p.blocks || n.look.line > 0
		p.pictures = p.pictures || n.tag == atom.Img && !n.look.hidden
	case len(t.open) > deepest:
		p.blocks = true
		t.over++
	default:
		t.open = append(t.open, n)
		if n.tag == atom.A && !n.look.hidden {
			t.anchors = append(t.anchors, n)
		}
	}
}

// read takes the attributes that are asked for, and tells the style and whether it is hidden by an attribute.
func (n *node) read(z *html.Tokenizer, more bool) (hidden bool, style []byte) {
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch {
		case string(key) == "style":
			style = value
		case string(key) == "hidden":
			hidden = true
		case string(key) == "class":
			n.class = true
		default:
			if i := slices.Index(kept, string(key)); i >= 0 {
				n.attributes = append(n.attributes, html.Attribute{Key: kept[i], Val: string(value)})
			}
		}
	}
	return hidden, style
}

// close ends the innermost element.
func (t *tree) close() {
	n := t.top()
	t.open = t.open[:len(t.open)-1]
	if n.look.hidden {
		return
	}
	p := t.top()
	p.size += n.size
	p.blocks = p.blocks || n.blocks || n.look.line > 0
	p.pictures = p.pictures || n.pictures
	p.tables = p.tables || n.tables || n.tag == atom.Table
}

// closeTo ends the innermost of the elements, with what is open in it, if it is not outside of one of the bounds.
func (t *tree) closeTo(tags []atom.Atom, bounds ...atom.Atom) {
	for i := len(t.open) - 1; i > 0; i-- {
		switch tag := t.open[i].tag; {
		case slices.Contains(tags, tag):
			for len(t.open) > i {
				t.close()
			}
			return
		case slices.Contains(bounds, tag):
			return
		}
	}
}

// imply ends what the start of an element ends without an end tag (HTML, "optional tags").
func (t *tree) imply(tag atom.Atom, k kind) {
	if t.over > 0 {
		return
	}
	switch tag {
	case atom.Li:
		t.closeTo([]atom.Atom{atom.Li}, atom.Ul, atom.Ol, atom.Table, atom.Td, atom.Th)
	case atom.Dt, atom.Dd:
		t.closeTo([]atom.Atom{atom.Dt, atom.Dd}, atom.Dl, atom.Table, atom.Td, atom.Th)
	case atom.Tr:
		t.closeTo([]atom.Atom{atom.Tr, atom.Caption}, atom.Table)
	case atom.Td, atom.Th:
		t.closeTo([]atom.Atom{atom.Td, atom.Th, atom.Caption}, atom.Table)
	case atom.Thead, atom.Tbody, atom.Tfoot:
		t.closeTo([]atom.Atom{atom.Thead, atom.Tbody, atom.Tfoot, atom.Caption}, atom.Table)
	case atom.A:
		t.closeTo([]atom.Atom{atom.A}, atom.Table, atom.Td, atom.Th)
	}
	if k.line > 0 && tag != atom.Tr && tag != atom.Li {
		t.closeTo([]atom.Atom{atom.P}, atom.Table, atom.Td, atom.Th, atom.Button)
	}
}

func (t *tree) end(tag atom.Atom) {
	switch {
	case tag == 0:
		tag = atom.Span
	case tag == atom.Html || tag == atom.Body || kinds[tag].void:
		return
	}
	switch {
	case t.over > 0:
		t.over--
	case slices.Contains(cells, tag) || tag == atom.Table || tag == atom.Tr || tag == atom.Tbody || tag == atom.Thead || tag == atom.Tfoot:
		t.closeTo([]atom.Atom{tag}, atom.Table)
	default:
		t.closeTo([]atom.Atom{tag}, atom.Td, atom.Th, atom.Caption, atom.Table)
	}
}

// words gives the text below a node, with the texts for pictures, as far as its beginning tells it from another.
func (n *node) words() string {
	var b strings.Builder
	n.content(&b, 4096)
	return strings.TrimSpace(string(tidy([]byte(strings.TrimSpace(b.String())))))
}

func (n *node) content(b *strings.Builder, limit int) {
	for c := n.first; c != nil && b.Len() < limit; c = c.next {
		b.WriteString(c.text)
		if c.tag == atom.Img {
			b.WriteString(c.attribute("alt"))
		}
		c.content(b, limit)
	}
}
