package tree

import (
	"bytes"

	"golang.org/x/net/html/atom"
)

// look is what a style says of an element, as far as a text can follow.
type look struct {
	hidden bool // it and all in it
	tiny   bool // its text is of size 0; inherited, until a size or a class says otherwise
	Line   int  // line ends before and behind it: 1 for its own line, 2 for an empty line around it
	Apart  bool // white space before and behind it
}

// kind is what is always so of an element.
type kind struct {
	line   int  // as in look
	void   bool // it has no end tag
	unseen bool // mail programs do not show it, or not as text
}

var kinds = kindsOf()

func kindsOf() map[atom.Atom]kind {
	all := map[atom.Atom]kind{}
	for _, a := range []atom.Atom{atom.P, atom.Blockquote, atom.Pre, atom.Table, atom.Ul, atom.Ol, atom.Dl, atom.Form, atom.Fieldset,
		atom.Figure, atom.Address, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Menu, atom.Dir, atom.Details} {
		all[a] = kind{line: 2}
	}
	for _, a := range []atom.Atom{atom.Div, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Main, atom.Nav, atom.Aside, atom.Tr,
		atom.Li, atom.Dt, atom.Dd, atom.Caption, atom.Figcaption, atom.Center, atom.Summary, atom.Legend, atom.Hgroup, atom.Search, atom.Dialog} {
		all[a] = kind{line: 1}
	}
	for _, a := range []atom.Atom{atom.Area, atom.Base, atom.Br, atom.Img, atom.Link, atom.Meta, atom.Param, atom.Source, atom.Track,
		atom.Wbr, atom.Bgsound, atom.Basefont, atom.Keygen, atom.Frame} {
		all[a] = kind{void: true}
	}
	all[atom.Hr] = kind{line: 2, void: true}
	for _, a := range []atom.Atom{atom.Head, atom.Title, atom.Style, atom.Script, atom.Template, atom.Svg, atom.Math, atom.Object, atom.Iframe,
		atom.Audio, atom.Video, atom.Canvas, atom.Select, atom.Datalist, atom.Textarea, atom.Noembed, atom.Noframes, atom.Applet, atom.Map,
		atom.Frameset, atom.Rp} {
		all[a] = kind{unseen: true}
	}
	for _, a := range []atom.Atom{atom.Input, atom.Col, atom.Embed} {
		all[a] = kind{void: true, unseen: true}
	}
	return all
}

// lookOf gives the look of an element. What mail programs hide is hidden here: display:none, visibility:hidden, and what has
// no height, no opacity or no size, as preheaders have. mso-hide:all alone is shown, as it hides from Outlook only what other
// programs show: the button beside its VML.
func lookOf(n *Node, k kind, parent look, style []byte) look {
	l := look{hidden: parent.hidden || k.unseen, tiny: parent.tiny, Line: k.line}
	l.Apart = n.Tag == atom.Td || n.Tag == atom.Th || n.Tag == atom.Button
	if l.tiny && n.class {
		l.tiny = false // a style sheet may give it a size, and showing too much is the smaller fault
	}
	for len(style) > 0 {
		var declaration []byte
		declaration, style, _ = bytes.Cut(style, []byte(";"))
		property, value, ok := bytes.Cut(declaration, []byte(":"))
		if ok {
			value, _, _ = bytes.Cut(value, []byte("!"))
			l.declare(lower(property), lower(value))
		}
	}
	return l
}

// lower makes a part of a style comparable, in its own memory.
func lower(b []byte) []byte {
	b = bytes.TrimSpace(b)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

func (l *look) declare(property, value []byte) {
	switch string(property) {
	case "display":
		switch string(value) {
		case "none":
			l.hidden = true
		case "block", "flex", "grid", "list-item":
			l.Line = max(l.Line, 1)
		case "inline-block", "inline-table", "inline-flex":
			l.Apart = true
		}
	case "visibility":
		l.hidden = l.hidden || string(value) == "hidden" || string(value) == "collapse"
	case "max-height", "opacity":
		l.hidden = l.hidden || zero(value)
	case "font-size":
		l.tiny = zero(value)
	}
}

// zero tells a value of nothing, with or without a unit: 0, 0px, 0.0em.
func zero(value []byte) bool {
	return len(value) > 0 && value[0] == '0' && len(bytes.Trim(bytes.TrimRight(value, "abcdefghijklmnopqrstuvwxyz%"), "0.")) == 0
}
