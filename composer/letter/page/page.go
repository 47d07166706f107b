// Package page takes HTML templates apart without changing them, so that parts of their source can be edited in place:
//
//  1. the actions of each template are found, and which of them stand inside of which;
//  2. the HTML is scanned with the actions put out of sight, so that tags, attributes, comments and raw text get the
//     offsets that they have in the source;
//  3. templates that are called are walked where they are called, so that the tree is that of the page as a reader sees
//     it: what a layout calls "content" has the layout's elements around it;
//  4. end tags that HTML lets one leave out are implied, end tags without an element are passed over (but </p>, which makes
//     an empty paragraph), and nothing is moved;
//  5. Apply puts a list of edits into the source at once.
//
// A program that reads mail sees the same page, but for Outlook: what its conditional comments hide from others
// (<!--[if mso]> … <![endif]-->) is one comment here, and what they show to others (<!--[if !mso]><!--> … <!--<![endif]-->)
// is a part of the page. What a browser mends by copying elements, such as <b><p></b></p>, is not mended.
package page

import "iter"

// Template is the source of one HTML template, in the syntax of html/template.
type Template struct {
	Name string // by which others call it
	Text string
}

// Page is what templates make together.
type Page struct {
	Templates []Template
	Actions   [][]*Action // of each template, in their order
	Root      *Node       // "#document"
	Cut       bool        // it has more nodes than Parse is willing to make, and ends where they were reached
}

// Node is an element, or a leaf whose name begins with #. A template that is called several times has its nodes once for
// each call, with the same offsets.
type Node struct {
	Name       string      // of an element, in lower case; or "#text", "#comment", "#action", "#template", "#document"
	Template   int         // whose source it stands in, as an index into the page's Templates
	Start, End int         // octets of the source: an element's start tag, empty where a </p> that ends nothing makes a paragraph; all of a leaf
	Until      int         // where an element ends: behind its end tag, or where its end is implied; -1: in another template
	Attributes []Attribute // in their order; of two with one name a reader takes the first
	Action     *Action     // of "#action" (one that is no control structure) and "#template" (a call or a block)
	Body       [3]int      // of "#template": what it calls, as a template's index and octets from and to; zero when that is not entered
	Call       *Node       // the "#template" by which it was reached; nil in the first template
	Within     *Action     // the innermost if, range or with around it, in its own template
	Parent     *Node
	Children   []*Node

	// Loose tells that the tree around it depends on values: before it, and inside of an element that it is in, a branch
	// opened elements that it left open, or closed elements that it did not open. The ancestors are those of the last branch.
	Loose bool

	looseInside bool // what comes from here on inside of it is loose
}

// Attribute of a start tag. One that has no value has it empty at the end of its name.
type Attribute struct {
	Name                 string  // in lower case; actions in it as they are written
	Value                string  // its character references resolved; when it is dynamic, as it is written
	Start, End           int     // octets of the source: name, = and the value with its quotes
	ValueStart, ValueEnd int     // octets of the source: the value without its quotes
	Quote                byte    // " or ', or 0
	Dynamic              bool    // its name or its value holds an action
	Within               *Action // the innermost if, range or with around it inside of the tag
}

// Attribute gives the first attribute with a name, or nil.
func (n *Node) Attribute(name string) *Attribute {
	for i := range n.Attributes {
		if n.Attributes[i].Name == name {
			return &n.Attributes[i]
		}
	}
	return nil
}

// All gives a node and all nodes below it, parents first.
func (n *Node) All() iter.Seq[*Node] {
	return func(yield func(*Node) bool) { n.all(yield) }
}

func (n *Node) all(yield func(*Node) bool) bool {
	if !yield(n) {
		return false
	}
	for _, c := range n.Children {
		if !c.all(yield) {
			return false
		}
	}
	return true
}
