package plain

import (
	"slices"
	"strings"

	"golang.org/x/net/html/atom"
)

// look is what a style says of an element, as far as a text can follow.
type look struct {
	hidden bool // it and all in it
	tiny   bool // its text is of size 0; inherited, until a size or a class says otherwise
	line   int  // line ends before and behind it: 1 for its own line, 2 for an empty line around it
	apart  bool // white space before and behind it
}

// apart are elements with an empty line around them, ownLine those that begin and end a line.
var (
	apart = []atom.Atom{atom.P, atom.Blockquote, atom.Pre, atom.Table, atom.Ul, atom.Ol, atom.Dl, atom.Form, atom.Fieldset, atom.Figure,
		atom.Address, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Hr, atom.Menu, atom.Dir, atom.Details}
	ownLine = []atom.Atom{atom.Div, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Main, atom.Nav, atom.Aside, atom.Tr, atom.Li,
		atom.Dt, atom.Dd, atom.Caption, atom.Figcaption, atom.Center, atom.Summary, atom.Legend, atom.Hgroup, atom.Search, atom.Dialog}
)

// lookOf gives the look of an element. What mail programs hide is hidden here: display:none, visibility:hidden, and what has
// no height, no opacity or no size, as preheaders have. mso-hide:all alone is shown, as it hides from Outlook only what other
// programs show: the button beside its VML.
func lookOf(n *node, parent look, style string) look {
	l := look{tiny: parent.tiny}
	switch {
	case slices.Contains(apart, n.tag):
		l.line = 2
	case slices.Contains(ownLine, n.tag):
		l.line = 1
	case n.tag == atom.Td || n.tag == atom.Th || n.tag == atom.Button:
		l.apart = true
	}
	if l.tiny && n.class {
		l.tiny = false // a style sheet may give it a size, and showing too much is the smaller fault
	}
	for style != "" {
		var declaration string
		declaration, style, _ = strings.Cut(style, ";")
		property, value, ok := strings.Cut(declaration, ":")
		if !ok {
			continue
		}
		l.declare(strings.ToLower(strings.TrimSpace(property)), strings.ToLower(strings.TrimSpace(value)))
	}
	return l
}

func (l *look) declare(property, value string) {
	value, _, _ = strings.Cut(value, "!")
	value = strings.TrimSpace(value)
	switch property {
	case "display":
		switch value {
		case "none":
			l.hidden = true
		case "block", "flex", "grid", "list-item":
			l.line = max(l.line, 1)
		case "inline-block", "inline-table", "inline-flex":
			l.apart = true
		}
	case "visibility":
		l.hidden = l.hidden || value == "hidden" || value == "collapse"
	case "max-height", "opacity":
		l.hidden = l.hidden || zero(value)
	case "font-size":
		l.tiny = zero(value)
	}
}

// zero tells a value of nothing, with or without a unit: 0, 0px, 0.0em.
func zero(value string) bool {
	return strings.HasPrefix(value, "0") && strings.Trim(strings.TrimRight(value, "abcdefghijklmnopqrstuvwxyz%"), "0.") == ""
}
