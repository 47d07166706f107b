// Package plain makes the text part of a letter from its HTML:
//
//  1. the tokens of the HTML become a tree, without what a reader does not see (styles, preheaders, comments, pixels);
//  2. the links are counted, to know where their addresses will stand;
//  3. a walk through the tree gives words, gaps and line breaks; tables of data become aligned columns;
//  4. words become lines of at most the width, with the marks of lists and quotations before them.
//
// It never fails: whatever the document, there is a text, made in linear time and with a bounded stack.
package plain

import (
	"strings"

	"github.com/mailblast/mailblast/composer/letter/plain/tree"
)

// Links says where the addresses of links stand.
type Links int

// Inline puts an address behind its link, "the page (https://…)", Footnotes puts a number there and the addresses in a list
// at the end, "the page [1]". Auto, the default, is Inline for up to three addresses and Footnotes for more: a note with one
// link reads best in one piece, a newsletter with twenty does not.
const (
	Auto Links = iota
	Inline
	Footnotes
)

// few addresses are written inline by Auto.
const few = 3

// Options of a text.
type Options struct {
	Links Links
	Width int // of a line at most, in cells of a terminal; 0 means 78, of RFC 5322 §2.1.1; words and addresses longer than it stay whole
}

// Text gives the text of an HTML document, with \n between lines and none at the end, no white space at the end of a line,
// and never two empty lines. Emphasis leaves no marks, what is struck out stands between ~~. Addresses of mail and telephones
// stand behind their links whatever the options say, as they are short.
func Text(doc []byte, o Options) string {
	if o.Width <= 0 {
		o.Width = 78
	}
	root, anchors := tree.Parse(doc)
	notes := &footnotes{numbers: map[string]int{}, inline: o.Links == Inline}
	if o.Links == Auto {
		notes.inline = distinct(anchors, few) <= few
	}
	w := walker{lines: lines{width: o.Width, out: make([]byte, 0, 256+len(doc)/4), word: make([]byte, 0, 128)}, notes: notes}
	w.children(root)
	w.flush()
	if len(notes.list) > 0 {
		w.breakLine(2)
		for i, address := range notes.list {
			w.breakLine(1)
			w.put(mark(i + 1))
			w.gap()
			w.put(address)
		}
		w.flush()
	}
	return strings.TrimRight(string(w.out), " \n")
}
