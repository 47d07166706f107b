// Package tree matches the elements of a page against the selectors of its style sheets before there is a row:
//
//  1. the page's elements get the parents that they have for a reader: html, body and tbody are implied;
//  2. each knows which of its attributes, its neighbours and its ancestors depend on values;
//  3. each selector is answered with yes, no or maybe; what a simple selector matches is cascadia's to say;
//  4. a rule that anything matches perhaps, and one that nothing matches, is kept in its sheet; all are when an action prints
//     elements, which are known only with a row.
package tree

import (
	"slices"
	"strings"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/mailblast/mailblast/composer/letter/page"
	"github.com/mailblast/mailblast/composer/letter/style/sheet"
)

// Element is one of the page as it is matched against selectors: with what is known of it before there is a row.
type Element struct {
	Page  *page.Node           // nil: it is implied
	Fixed bool                 // its style attribute cannot be added to
	Hits  []Hit                // in the order of the rules
	Own   []*sheet.Declaration // of its style attribute

	node           *html.Node // with the attributes that are there in any case; for actions in a value there are fillers
	parent, before *Element
	last           *Element        // child
	children       int             // how many
	unsure         map[string]bool // attributes that values decide about; "*": any
	shifting       bool            // values decide how many children it has
	unsureInside   bool            // values decide whether it is empty
	loose          bool            // values decide about what is around it
	outlook        bool            // for Outlook alone
}

// Hit is a rule that matches an element.
type Hit struct {
	Rule        *sheet.Rule
	Specificity cascadia.Specificity
	Sure        bool // it does, and the element's style attribute can take its declarations
}

// document makes elements of a page.
type document struct {
	page     *page.Page
	elements []*Element
	of       map[*page.Node]*Element
	body     *Element // implied
	faults   []sheet.Fault
	markup   bool // some action prints elements
}

// filler is what page.Page.Masked puts for actions.
const filler = 0x01

// unseen are elements that nobody sees, whatever their style.
var unseen = []string{"head", "title", "meta", "base", "link", "style", "script", "template"}

func newDocument(p *page.Page) *document {
	d := &document{page: p, of: map[*page.Node]*Element{}}
	names := map[string]bool{}
	for n := range p.Root.All() {
		names[n.Name] = true
	}
	var root *Element
	if !names["html"] {
		root = d.implied("html", nil)
	}
	for n := range p.Root.All() {
		switch {
		case n.Parent == nil:
			d.of[n] = root
		case n.Name == "#comment":
			d.outlook(n)
		case n.Name == "#action", n.Name == "#template", n.Name == "#text":
			if e := d.of[n.Parent]; e != nil {
				e.unsureInside = e.unsureInside || n.Name != "#text" || n.Within != nil || d.trimmed(n)
				e.node.AppendChild(&html.Node{Type: html.TextNode, Data: "x"}) // white space too, unlike cascadia, keeps an element from being :empty
			}
		default:
			d.add(n, names["body"])
		}
	}
	d.printed()
	return d
}

// trimmed tells whether a text is white space that an action beside it takes away.
func (d *document) trimmed(n *page.Node) bool {
	text := d.page.Templates[n.Template].Text
	return strings.TrimSpace(text[n.Start:n.End]) == "" && (strings.HasSuffix(text[:n.Start], "-}}") || strings.HasPrefix(text[n.End:], "{{-"))
}

func (d *document) implied(name string, parent *Element) *Element {
	return d.child(&Element{node: &html.Node{Type: html.ElementNode, Data: name, DataAtom: atom.Lookup([]byte(name))}, Fixed: true}, parent)
}

func (d *document) child(e, parent *Element) *Element {
	d.elements = append(d.elements, e)
	if e.parent = parent; parent != nil {
		e.before, parent.last = parent.last, e
		parent.children++
		parent.node.AppendChild(e.node)
	}
	return e
}

// add makes an element of a node, with the parent that it has for a reader: HTML implies html, body and tbody.
func (d *document) add(n *page.Node, hasBody bool) {
	parent := d.of[n.Parent]
	e := &Element{Page: n, Fixed: n.Start == n.End, loose: n.Loose, unsure: map[string]bool{},
		node: &html.Node{Type: html.ElementNode, Data: n.Name, DataAtom: atom.Lookup([]byte(n.Name))}}
	top := n.Parent.Parent == nil || n.Parent.Name == "html"
	switch {
	case top && !hasBody && n.Name != "html" && !slices.Contains(unseen, n.Name):
		if d.body == nil {
			d.body = d.implied("body", parent)
		}
		parent = d.body
	case n.Name == "tr" && parent != nil && parent.node.Data == "table":
		if parent.last == nil || parent.last.Page != nil || parent.last.node.Data != "tbody" {
			d.implied("tbody", parent)
		}
		parent.shifting = parent.shifting || branched(n)
		parent.last.loose = parent.last.loose || n.Loose
		parent = parent.last
	}
	if parent != nil {
		parent.shifting = parent.shifting || n.Loose || branched(n)
	}
	d.attributes(e)
	d.of[n] = d.child(e, parent)
}

// branched tells whether a branch is between a node and its parent: in its template, or around a call.
func branched(n *page.Node) bool {
	for at := n; at != nil; at = at.Call {
		around := n.Parent.Within
		if at.Call != n.Parent.Call {
			around = nil // that is in another template
		}
		if at.Within != nil && at.Within != around {
			return true
		}
		if at.Call == n.Parent.Call {
			return false
		}
	}
	return false
}

// conditional tells whether a node is not there in each letter.
func conditional(n *page.Node) bool {
	for at := n; at != nil; at = at.Call {
		if at.Within != nil {
			return true
		}
	}
	return false
}

// outlook adds the elements of a comment that only Outlook reads. Whatever is around them is not known.
func (d *document) outlook(n *page.Node) {
	text := d.page.Templates[n.Template].Text[n.Start:n.End]
	_, text, ok := strings.Cut(text, "]>")
	if !ok || !strings.HasPrefix(d.page.Templates[n.Template].Text[n.Start:], "<!--[if") {
		return
	}
	inside := &document{page: page.Parse(page.Template{Text: text}), of: map[*page.Node]*Element{}}
	for n := range inside.page.Root.All() {
		if n.Name[0] == '#' {
			continue
		}
		e := &Element{Page: n, loose: true, outlook: true, Fixed: true, unsure: map[string]bool{},
			node: &html.Node{Type: html.ElementNode, Data: n.Name, DataAtom: atom.Lookup([]byte(n.Name))}}
		inside.attributes(e)
		d.elements = append(d.elements, e)
	}
}

// attributes takes over those of a start tag, as far as they are sure.
func (d *document) attributes(e *Element) {
	for _, a := range e.Page.Attributes {
		value := a.Value
		switch {
		case a.Within != nil:
			e.unsure[a.Name] = true
			e.Fixed = e.Fixed || a.Name == "style"
			continue
		case strings.Contains(a.Name, "{{"):
			e.unsure["*"] = true
			continue
		case e.unsure[a.Name]: // one before it may be the first
			continue
		case a.Dynamic:
			e.unsure[a.Name] = true
			value = d.sureParts(e.Page.Template, a)
		}
		if !slices.ContainsFunc(e.node.Attr, func(h html.Attribute) bool { return h.Key == a.Name }) {
			e.node.Attr = append(e.node.Attr, html.Attribute{Key: a.Name, Val: value})
		}
	}
}

// sureParts gives a value with fillers for all that depends on a row: actions, what is in their branches, and white space
// that they trim.
func (d *document) sureParts(template int, a page.Attribute) string {
	text := d.page.Templates[template].Text
	b := []byte(d.page.Masked(template, a.ValueStart, a.ValueEnd))
	for _, act := range d.page.ActionsIn(template, a.ValueStart, a.ValueEnd) {
		from, to := act.Start-a.ValueStart, min(act.End-a.ValueStart, len(b))
		if act.Stop != nil {
			to = min(act.Stop.End-a.ValueStart, len(b))
		}
		if strings.HasPrefix(text[act.Start:], "{{-") {
			from -= len(b[:from]) - len(strings.TrimRight(string(b[:from]), " \t\r\n"))
		}
		if strings.HasSuffix(text[:a.ValueStart+to], "-}}") {
			to += len(b[to:]) - len(strings.TrimLeft(string(b[to:]), " \t\r\n"))
		}
		for i := max(from, 0); i < to; i++ {
			b[i] = filler
		}
	}
	return html.UnescapeString(string(b))
}

// sheets reads the style elements of the page. One in a template that is called several times is there as often.
func (d *document) sheets() []*sheet.Sheet {
	type place struct{ template, start int }
	var nodes []*page.Node
	stays := map[place]bool{}
	for n := range d.page.Root.All() {
		t := n.Attribute("type")
		if n.Name != "style" || n.Until < 0 || t != nil && t.Value != "" && !strings.EqualFold(strings.TrimSpace(t.Value), "text/css") {
			continue
		}
		nodes = append(nodes, n)
		at := place{n.Template, n.Start}
		stays[at] = stays[at] || conditional(n) || n.Attribute("media") != nil || n.Attribute("data-embed") != nil ||
			slices.ContainsFunc(n.Attributes, func(a page.Attribute) bool { return a.Dynamic || a.Within != nil })
	}
	var list []*sheet.Sheet
	known, order := map[place]*sheet.Sheet{}, 0
	for _, n := range nodes {
		at := place{n.Template, n.Start}
		s := known[at]
		if s == nil {
			var faults []sheet.Fault
			s, faults = sheet.Parse(d.page, n, stays[at])
			known[at], d.faults = s, append(d.faults, faults...)
		}
		list = append(list, s)
		for _, r := range s.Rules {
			r.Order = order
			order++
		}
	}
	return list
}

// ownStyle reads an element's style attribute.
func (d *document) ownStyle(e *Element) {
	if e.unsure["style"] && e.Fixed { // there may be one, or not
		e.Own = []*sheet.Declaration{{Wide: true, Frozen: true, Doubtful: true}}
		return
	}
	a := e.Page.Attribute("style")
	if a == nil {
		return
	}
	text := d.page.Templates[e.Page.Template].Text[a.ValueStart:a.ValueEnd]
	masks, at := d.page.Masked(e.Page.Template, a.ValueStart, a.ValueEnd), a.ValueStart
	plain := html.UnescapeString(text) == text
	if !plain {
		masks = html.UnescapeString(masks)
	}
	list := sheet.Attribute(masks, at)
	for _, act := range d.page.ActionsIn(e.Page.Template, a.ValueStart, a.ValueEnd) {
		if act.Keyword != "" {
			plain, list = false, append(list, &sheet.Declaration{Wide: true})
			break
		}
	}
	for _, o := range list {
		o.Frozen, o.Doubtful = o.Frozen || !plain, a.Dynamic
	}
	e.Own = list
}
