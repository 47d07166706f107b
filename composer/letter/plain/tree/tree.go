// Package tree makes of an HTML document what its text is made from:
//
//  1. the tokens of the HTML become nodes; end tags that HTML lets people leave out are put in their places;
//  2. attributes and inline styles tell how an element looks, as far as a text can follow;
//  3. what a reader does not see is left out, with all that is in it;
//  4. an element knows of what is below it: how much text, whether lines begin in it, whether tables and pictures are there.
//
// It never fails, takes linear time, and no tree is deeper than a fixed bound.
package tree

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

// Node is a text (with no tag) or an element that a reader sees.
type Node struct {
	look
	Tag         atom.Atom
	Text        string
	First, Next *Node // its first child, and the next of its parent's
	Size        int   // bytes of text below it
	Blocks      bool  // an element below it begins a line
	Tables      bool  // a table is below it
	Pictures    bool  // a picture is below it

	last       *Node
	attributes []html.Attribute // those of kept only
	class      bool             // it has one
}

// kept are the attributes the walk asks for; style and hidden become the look.
var kept = []string{"href", "alt", "role", "start", "value", "type", "reversed", "colspan", "rowspan"}

// Attribute gives the value of one of the attributes that are kept, "" if it has none.
func (n *Node) Attribute(name string) string {
	for _, a := range n.attributes {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// Integer gives an attribute's number, or the default if it has none.
func (n *Node) Integer(name string, otherwise int) int {
	if s := n.Attribute(name); s != "" {
		if i, err := strconv.Atoi(strings.TrimSpace(s)); err == nil {
			return i
		}
	}
	return otherwise
}

// Has tells whether one of the attributes that are kept is there.
func (n *Node) Has(name string) bool {
	return slices.ContainsFunc(n.attributes, func(a html.Attribute) bool { return a.Key == name })
}

var (
	// heads are elements that may stand in a head; any other ends it.
	heads = []atom.Atom{atom.Title, atom.Style, atom.Script, atom.Template, atom.Base, atom.Link, atom.Meta, atom.Noscript, atom.Object}
	cells = []atom.Atom{atom.Td, atom.Th, atom.Caption}
)

// tree is a document in the making.
type tree struct {
	open    []*Node // the elements that are open, the root first
	over    int     // elements that are open beyond the deepest
	anchors []*Node
	room    []Node // for nodes to come, so that they are not allocated one by one
}

// Parse makes the tree of a document, and the list of its links, in their order.
func Parse(doc []byte) (root *Node, anchors []*Node) {
	t := tree{room: make([]Node, 16+len(doc)/64)}
	root = t.node()
	t.open = append(make([]*Node, 0, 32), root)
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

func (t *tree) node() *Node {
	if len(t.room) == 0 {
		t.room = make([]Node, 64)
	}
	n := &t.room[0]
	t.room = t.room[1:]
	return n
}

func (t *tree) top() *Node { return t.open[len(t.open)-1] }

func (t *tree) append(n *Node) {
	p := t.top()
	if p.last == nil {
		p.First = n
	} else {
		p.last.Next = n
	}
	p.last = n
}

func (t *tree) text(b []byte) {
	blank := len(bytes.Trim(b, " \t\r\n\f")) == 0
	if t.top().Tag == atom.Head && !blank {
		t.close()
	}
	p := t.top()
	if p.look.hidden || p.look.tiny && !blank {
		return
	}
	n := t.node()
	n.Text = " "
	if !blank || t.within(atom.Pre) {
		n.Text = string(b)
		p.Size += len(b)
	}
	t.append(n)
}

func (t *tree) within(tag atom.Atom) bool {
	return slices.ContainsFunc(t.open, func(n *Node) bool { return n.Tag == tag })
}

func (t *tree) start(z *html.Tokenizer, selfClosing bool) {
	name, more := z.TagName()
	n := t.node()
	n.Tag = atom.Lookup(name)
	if n.Tag == 0 {
		n.Tag = atom.Span // any element that HTML does not know is inline
	}
	if n.Tag == atom.Noscript {
		z.NextIsNotRawText() // mail programs run no scripts
	}
	if t.top().Tag == atom.Head && !slices.Contains(heads, n.Tag) {
		t.close()
	}
	if n.Tag == atom.Html || n.Tag == atom.Body {
		return
	}
	hidden, style := n.read(z, more)
	k := kinds[n.Tag]
	t.imply(n.Tag, k)
	p := t.top()
	n.look = lookOf(n, k, p.look, style)
	n.look.hidden = n.look.hidden || hidden
	if !n.look.hidden {
		t.append(n)
	}
	childless := k.void || selfClosing && n.look.hidden
	switch {
	case childless:
		p.Blocks = p.Blocks || n.Line > 0
		p.Pictures = p.Pictures || n.Tag == atom.Img && !n.look.hidden
	case len(t.open) > deepest:
		p.Blocks = true
		t.over++
	default:
		t.open = append(t.open, n)
		if n.Tag == atom.A && !n.look.hidden {
			t.anchors = append(t.anchors, n)
		}
	}
}

// read takes the attributes that are asked for, and tells the style and whether it is hidden by an attribute.
func (n *Node) read(z *html.Tokenizer, more bool) (hidden bool, style []byte) {
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
	p.Size += n.Size
	p.Blocks = p.Blocks || n.Blocks || n.Line > 0
	p.Pictures = p.Pictures || n.Pictures
	p.Tables = p.Tables || n.Tables || n.Tag == atom.Table
}

// closeTo ends the innermost of the elements, with what is open in it, if it is not outside of one of the bounds.
func (t *tree) closeTo(tags []atom.Atom, bounds ...atom.Atom) {
	for i := len(t.open) - 1; i > 0; i-- {
		switch tag := t.open[i].Tag; {
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

// Words gives the text below a node as it stands, with the texts for pictures; of a long one the first four kilobytes, which
// tell it from another.
func (n *Node) Words() string {
	var b strings.Builder
	n.words(&b, 4096)
	return b.String()
}

func (n *Node) words(b *strings.Builder, limit int) {
	for c := n.First; c != nil && b.Len() < limit; c = c.Next {
		b.WriteString(c.Text)
		if c.Tag == atom.Img {
			b.WriteString(c.Attribute("alt"))
		}
		c.words(b, limit)
	}
}
