package page

import (
	"bytes"
	"slices"
	"strings"
)

// Limits of a page, so that templates that call each other many times end.
const (
	maxNodes = 200_000
	maxDepth = 500 // of elements; what is deeper is put beside the deepest
)

// Parse takes apart templates that are used together: the first is the one that is executed, the others are known by their
// names. As with html/template, a later definition of a name takes the place of an earlier one unless it is blank. Any
// text is a page; whether its actions can be executed is not looked at. A template that is not there, or that calls
// itself, is not entered.
func Parse(templates ...Template) *Page {
	p := &Page{Templates: templates, Root: &Node{Name: "#document", Until: -1}}
	b := &builder{page: p, known: map[string]body{}, open: []*Node{p.Root}}
	for i, t := range templates {
		s := newSource(t.Text)
		b.sources = append(b.sources, s)
		p.Actions = append(p.Actions, s.actions)
		b.define(t.Name, body{i, 0, len(t.Text)})
		for _, a := range s.actions {
			if a.Keyword == "define" || a.Keyword == "block" {
				b.define(a.Name, s.body(i, a))
			}
		}
	}
	if len(templates) > 0 {
		b.enter(templates[0].Name, body{0, 0, len(templates[0].Text)}, nil)
	}
	return p
}

// body is a part of a source that is a template: all of it, or what is inside of a define or block.
type body struct{ template, from, to int }

func (s *source) body(template int, a *Action) body {
	if a.Stop == nil {
		return body{template, a.End, len(s.text)}
	}
	return body{template, a.End, a.Stop.Start}
}

// blank tells that a template has no text but what it defines.
func (s *source) blank(b body) bool {
	at := b.from
	for _, a := range s.actions {
		switch {
		case a.Start < at || a.End > b.to:
		case strings.TrimSpace(s.text[at:a.Start]) != "", a.Keyword == "template", a.Keyword == "block", a.prints:
			return false
		case a.Keyword == "define":
			at = s.body(b.template, a).to
		default:
			at = a.End
		}
	}
	return strings.TrimSpace(s.text[at:b.to]) == ""
}

// builder makes the tree.
type builder struct {
	page     *Page
	sources  []*source
	known    map[string]body
	open     []*Node // elements, from the root
	calls    []string
	branches []branch
	nodes    int
	endless  bool // a tag in the template that is walked does not end in it: what follows is text

	s        *source
	template int
	call     *Node
}

// branch is an if, range or with whose end has not come.
type branch struct {
	action *Action
	open   []*Node // before it
}

func (b *builder) define(name string, d body) {
	if _, ok := b.known[name]; ok && b.sources[d.template].blank(d) {
		return
	}
	b.known[name] = d
}

// enter walks a template at the place where it is called.
func (b *builder) enter(name string, d body, call *Node) {
	s, template, from, branches, endless := b.s, b.template, b.call, b.branches, b.endless
	b.s, b.template, b.call, b.branches, b.endless = b.sources[d.template], d.template, call, nil, false
	b.calls = append(b.calls, name)
	b.walk(d.from, d.to)
	b.calls = b.calls[:len(b.calls)-1]
	b.s, b.template, b.call, b.branches, b.endless = s, template, from, branches, endless
}

// walk makes nodes of a part of the source.
func (b *builder) walk(at, limit int) {
	for at < limit && !b.page.Cut {
		stops := "<\x01"
		if b.endless {
			stops = "\x01"
		}
		n := bytes.IndexAny(b.s.masked[at:limit], stops)
		if n < 0 {
			n = limit - at
		}
		if n > 0 {
			b.leaf("#text", at, at+n)
			at += n
			continue
		}
		if a := b.s.at[at]; a != nil {
			at = b.action(a, limit)
			continue
		}
		next := b.markup(at, limit)
		if next == at { // it is text after all
			b.leaf("#text", at, at+1)
			next++
		}
		at = next
	}
}

// action deals with an action between tags and tells where to go on.
func (b *builder) action(a *Action, limit int) int {
	switch a.Keyword {
	case "define", "block":
		if a.Keyword == "block" {
			b.called(a)
		}
		if a.Stop == nil {
			return limit
		}
		return a.Stop.End
	case "template":
		b.called(a)
	case "if", "range", "with":
		b.branches = append(b.branches, branch{a, slices.Clone(b.open)})
	case "else":
		b.joinBranch()
		if n := len(b.branches); n > 0 {
			for _, left := range b.open[min(len(b.open), len(b.branches[n-1].open)):] {
				b.endAt(left, a.Start)
			}
			b.open = slices.Clone(b.branches[n-1].open)
		}
	case "end":
		b.joinBranch()
		if n := len(b.branches); n > 0 {
			b.branches = b.branches[:n-1]
		}
	default:
		if a.prints {
			b.leaf("#action", a.Start, a.End).Action = a
		}
	}
	return a.End
}

// called makes the leaf of a call and walks what it calls.
func (b *builder) called(a *Action) {
	n := b.leaf("#template", a.Start, a.End)
	n.Action = a
	if d, ok := b.known[a.Name]; ok && !slices.Contains(b.calls, a.Name) {
		n.Body = [3]int{d.template, d.from, d.to}
		b.enter(a.Name, d, n)
	}
}

// joinBranch looks at what the branch that ends here has left open. If that is not what was open before it, the tree
// depends on values until the innermost element ends that is open either way.
func (b *builder) joinBranch() {
	if len(b.branches) == 0 {
		return
	}
	before := b.branches[len(b.branches)-1].open
	same := 0
	for same < min(len(before), len(b.open)) && before[same] == b.open[same] {
		same++
	}
	if same == len(before) && same == len(b.open) {
		return
	}
	for _, n := range slices.Concat(before[same-1:], b.open[same:]) {
		n.looseInside = true
	}
}

// leaf adds a node that has nothing in it.
func (b *builder) leaf(name string, start, end int) *Node {
	return b.add(&Node{Name: name, Start: start, End: end, Until: end})
}

func (b *builder) add(n *Node) *Node {
	parent := b.open[len(b.open)-1]
	n.Template, n.Call, n.Parent = b.template, b.call, parent
	n.Loose = parent.Loose || parent.looseInside
	n.Within = b.s.within(n.Start)
	if n.Action != nil {
		n.Within = n.Action.control()
	}
	parent.Children = append(parent.Children, n)
	if b.nodes++; b.nodes >= maxNodes {
		b.page.Cut = true
	}
	return n
}
