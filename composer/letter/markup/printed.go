package markup

import (
	"slices"
	"text/template/parse"
)

// Printed lists the columns that templates print as they are: where nothing stands in for an empty one, and no condition
// asks for it first. It is for people to look at: a function may make something of an empty text, too.
func (n Names) Printed(sources ...Source) []int {
	w := &walker{names: n, trees: map[string]tree{}}
	for _, s := range sources {
		w.parse(s)
	}
	if len(w.faults) > 0 {
		return nil
	}
	p := &printed{walker: w, seen: map[string]bool{}}
	p.template(sources[0].Called(), true)
	slices.Sort(p.columns)
	return slices.Compact(p.columns)
}

type printed struct {
	*walker
	seen    map[string]bool
	root    bool  // $ is the row
	asked   []int // columns that a condition around has asked for
	columns []int
}

// template walks a template; row tells that its dot is the row.
func (p *printed) template(name string, row bool) {
	t := p.trees[name]
	if t.Tree == nil || p.seen[name] {
		return
	}
	p.seen[name] = true
	was := p.root
	p.root = row
	p.walk(t.Root, row)
	p.root = was
}

func (p *printed) walk(l *parse.ListNode, row bool) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			if len(n.Pipe.Decl) == 0 && !standsIn(n.Pipe) {
				p.print(p.mentions(n.Pipe, row))
			}
		case *parse.IfNode:
			p.branch(&n.BranchNode, row, row)
		case *parse.WithNode:
			p.branch(&n.BranchNode, row, false)
		case *parse.RangeNode:
			p.branch(&n.BranchNode, row, false)
		case *parse.TemplateNode:
			p.template(n.Name, row && handsDot(n.Pipe))
		}
	}
}

func (p *printed) branch(b *parse.BranchNode, row, within bool) {
	before := len(p.asked)
	p.asked = append(p.asked, p.mentions(b.Pipe, row)...)
	p.walk(b.List, within)
	p.asked = p.asked[:before]
	p.walk(b.ElseList, row)
}

func (p *printed) print(columns []int) {
	for _, c := range columns {
		if !slices.Contains(p.asked, c) {
			p.columns = append(p.columns, c)
		}
	}
}

// standsIn tells that a pipeline gives something else for what is empty.
func standsIn(pipe *parse.PipeNode) bool {
	for _, c := range pipe.Cmds {
		for _, arg := range c.Args {
			switch arg := arg.(type) {
			case *parse.IdentifierNode:
				if slices.Contains([]string{"default", "coalesce", "ternary"}, arg.Ident) {
					return true
				}
			case *parse.PipeNode:
				if standsIn(arg) {
					return true
				}
			}
		}
	}
	return false
}

func handsDot(pipe *parse.PipeNode) bool {
	if pipe == nil || len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 1 {
		return false
	}
	_, ok := pipe.Cmds[0].Args[0].(*parse.DotNode)
	return ok
}

// mentions lists the row's columns in a pipeline.
func (p *printed) mentions(pipe *parse.PipeNode, row bool) (columns []int) {
	add := func(path []string) {
		if len(path) == 1 {
			if i := p.names.Find(path[0]); i >= 0 {
				columns = append(columns, i)
			}
		}
	}
	for _, c := range pipe.Cmds {
		f, _ := c.Args[0].(*parse.IdentifierNode)
		for _, arg := range c.Args {
			switch arg := arg.(type) {
			case *parse.FieldNode:
				if row {
					add(arg.Ident)
				}
			case *parse.VariableNode:
				if arg.Ident[0] == "$" && p.root {
					add(arg.Ident[1:])
				}
			case *parse.StringNode:
				if f != nil && f.Ident == "col" {
					add([]string{arg.Text})
				}
			case *parse.PipeNode:
				columns = append(columns, p.mentions(arg, row)...)
			}
		}
	}
	return columns
}
