package markup

import (
	"slices"
	"text/template/parse"
)

// Calls lists the templates that sources call and do not define. What cannot be parsed calls none: Check tells of it.
func Calls(sources ...Source) []string {
	w := &walker{trees: map[string]tree{}}
	for _, s := range sources {
		w.parse(s)
	}
	var names []string
	for _, t := range w.trees {
		each(t.Root, func(n *parse.TemplateNode) {
			if _, ok := w.trees[n.Name]; !ok && !slices.Contains(names, n.Name) {
				names = append(names, n.Name)
			}
		})
	}
	slices.Sort(names)
	return names
}

// Uses tells whether an action of the sources calls a function.
func Uses(function string, sources ...Source) bool {
	w := &walker{trees: map[string]tree{}}
	for _, s := range sources {
		w.parse(s)
	}
	for _, t := range w.trees {
		if t.Root != nil && uses(t.Root, function) {
			return true
		}
	}
	return false
}

func uses(n parse.Node, function string) bool {
	any := func(ns ...parse.Node) bool {
		return slices.ContainsFunc(ns, func(n parse.Node) bool { return n != nil && uses(n, function) })
	}
	branch := func(b *parse.BranchNode) bool {
		return any(b.Pipe) || uses(b.List, function) || b.ElseList != nil && uses(b.ElseList, function)
	}
	switch n := n.(type) {
	case *parse.ListNode:
		return any(n.Nodes...)
	case *parse.ActionNode:
		return any(n.Pipe)
	case *parse.IfNode:
		return branch(&n.BranchNode)
	case *parse.WithNode:
		return branch(&n.BranchNode)
	case *parse.RangeNode:
		return branch(&n.BranchNode)
	case *parse.TemplateNode:
		return n.Pipe != nil && any(n.Pipe)
	case *parse.PipeNode:
		return slices.ContainsFunc(n.Cmds, func(c *parse.CommandNode) bool { return any(c.Args...) })
	case *parse.IdentifierNode:
		return n.Ident == function
	}
	return false
}

// each calls f with every call of a template below a list.
func each(l *parse.ListNode, f func(*parse.TemplateNode)) {
	if l == nil {
		return
	}
	branch := func(b *parse.BranchNode) {
		each(b.List, f)
		each(b.ElseList, f)
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.IfNode:
			branch(&n.BranchNode)
		case *parse.WithNode:
			branch(&n.BranchNode)
		case *parse.RangeNode:
			branch(&n.BranchNode)
		case *parse.TemplateNode:
			f(n)
		}
	}
}
