package markup

import (
	"strconv"
	"strings"
	"text/template/parse"
)

// arm adds the guarding steps to a parsed template: a last step to every output action, so that NULL is never printed and
// no value passes for template syntax; and a counting step to every loop and template, so that each ends. html/template
// adds its escapers after the last step, so contextual escaping stays as it is.
func arm(t *parse.Tree) {
	if t == nil || t.Root == nil {
		return
	}
	armList(t.Root)
	countSteps(t.Root)
}

func armList(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			var last *parse.CommandNode
			if len(n.Pipe.Decl) == 0 && !ours(n.Pipe) {
				last = mustStep(n.Pipe)
			}
			if rename(n.Pipe); last != nil {
				n.Pipe.Cmds = append(n.Pipe.Cmds, last)
			}
		case *parse.IfNode:
			armBranch(&n.BranchNode)
		case *parse.WithNode:
			armBranch(&n.BranchNode)
		case *parse.RangeNode:
			armBranch(&n.BranchNode)
			countSteps(n.List)
		case *parse.TemplateNode:
			rename(n.Pipe)
		}
	}
}

func armBranch(b *parse.BranchNode) {
	rename(b.Pipe)
	armList(b.List)
	armList(b.ElseList)
}

// ours tells actions that this package made: what they print is no value of a row.
func ours(p *parse.PipeNode) bool {
	f, ok := p.Cmds[0].Args[0].(*parse.IdentifierNode)
	return ok && strings.HasPrefix(f.Ident, "_")
}

func command(pos parse.Pos, args ...parse.Node) *parse.CommandNode {
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: args}
}

// mustStep is the guard at the end of an output action. It is told which columns the action prints.
func mustStep(p *parse.PipeNode) *parse.CommandNode {
	label := strings.Join(mentioned(p, nil), ", ")
	return command(p.Pos, parse.NewIdentifier(stepMust).SetPos(p.Pos),
		&parse.StringNode{NodeType: parse.NodeString, Pos: p.Pos, Quoted: strconv.Quote(label), Text: label})
}

// mentioned lists the columns and constants in a pipeline.
func mentioned(n parse.Node, names []string) []string {
	switch n := n.(type) {
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			for i, arg := range c.Args {
				if f, ok := arg.(*parse.IdentifierNode); ok && f.Ident == "col" && i+1 < len(c.Args) {
					if s, ok := c.Args[i+1].(*parse.StringNode); ok {
						names = append(names, s.Text)
					}
				}
				names = mentioned(arg, names)
			}
		}
	case *parse.FieldNode:
		names = append(names, strings.Join(n.Ident, "."))
	case *parse.VariableNode:
		if n.Ident[0] == "$" && len(n.Ident) > 1 {
			return append(names, strings.Join(n.Ident[1:], "."))
		}
		names = append(names, strings.Join(n.Ident, "."))
	case *parse.ChainNode:
		names = mentioned(n.Node, names)
	}
	return names
}

// countSteps puts {{ $_ := _tick }} first. An assignment prints nothing, so html/template leaves its context alone.
func countSteps(l *parse.ListNode) {
	step := &parse.ActionNode{NodeType: parse.NodeAction, Pos: l.Pos, Pipe: &parse.PipeNode{
		NodeType: parse.NodePipe, Pos: l.Pos,
		Decl: []*parse.VariableNode{{NodeType: parse.NodeVariable, Pos: l.Pos, Ident: []string{"$_"}}},
		Cmds: []*parse.CommandNode{command(l.Pos, parse.NewIdentifier(stepTick).SetPos(l.Pos))},
	}}
	l.Nodes = append([]parse.Node{step}, l.Nodes...)
}

// rename makes urlquery a function of ours in every place of a pipeline, and lets a path such as .address.city come out as
// NULL where its beginning is: text/template would give an error.
func rename(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, c := range p.Cmds {
		for i, arg := range c.Args {
			switch arg := arg.(type) {
			case *parse.IdentifierNode:
				if arg.Ident == "urlquery" {
					arg.Ident = stepQuery
				}
			case *parse.PipeNode:
				rename(arg)
			case *parse.FieldNode:
				if len(arg.Ident) > 1 {
					first := &parse.FieldNode{NodeType: parse.NodeField, Pos: arg.Pos, Ident: arg.Ident[:1]}
					c.Args[i] = digStep(first, arg.Pos, arg.Ident[1:])
				}
			case *parse.VariableNode:
				if n := 2; arg.Ident[0] == "$" && len(arg.Ident) > n {
					first := &parse.VariableNode{NodeType: parse.NodeVariable, Pos: arg.Pos, Ident: arg.Ident[:n]}
					c.Args[i] = digStep(first, arg.Pos, arg.Ident[n:])
				}
			}
		}
	}
}

// digStep is (_dig FIRST "name" …).
func digStep(first parse.Node, pos parse.Pos, path []string) *parse.PipeNode {
	args := []parse.Node{parse.NewIdentifier(stepDig).SetPos(pos), first}
	for _, name := range path {
		args = append(args, &parse.StringNode{NodeType: parse.NodeString, Pos: pos, Quoted: strconv.Quote(name), Text: name})
	}
	return &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos, Cmds: []*parse.CommandNode{command(pos, args...)}}
}
