package markup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/template/parse"
)

// Check finds what is wrong in templates that are used together; the first is the one that is executed, the others are
// known by what they are called As.
func (n Names) Check(sources ...Source) []Fault {
	w := &walker{names: n, trees: map[string]tree{}, seen: map[visit]bool{}}
	for _, s := range sources {
		w.parse(s)
	}
	if len(w.faults) > 0 {
		return w.faults
	}
	w.enter(sources[0].Called(), dot{kind: isRow})
	if _, ok := w.trees[Content]; ok && sources[0].As != Content && !w.called(Content) {
		w.faults = append(w.faults, Fault{Source: sources[0], Text: "the layout has no place for the letter",
			Hint: `write {{ template "content" . }} where it goes`})
	}
	for name := range w.trees { // those that nothing calls
		if !w.called(name) {
			w.enter(name, dot{kind: isUnknown})
		}
	}
	slices.SortStableFunc(w.faults, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.Source.Name, b.Source.Name), a.Offset-b.Offset)
	})
	return slices.CompactFunc(w.faults, func(a, b Fault) bool { return a.Source == b.Source && a.Offset == b.Offset && a.Text == b.Text })
}

// Called is the name that a template goes by among those it is used with.
func (s Source) Called() string { return cmp.Or(s.As, s.Name) }

// dot is what is known of a value before there is a row.
type dot struct {
	kind  kind
	value any    // of a constant
	name  string // of a column
}

type kind uint8

const (
	isUnknown kind = iota
	isRow
	isScalar // a column's value, or what a function made
	isConstant
)

type tree struct {
	*parse.Tree
	source Source
}

type visit struct {
	template string
	kind     kind
}

type walker struct {
	names  Names
	trees  map[string]tree
	seen   map[visit]bool
	stack  []string
	source Source
	vars   map[string]dot
	faults []Fault
}

func (w *walker) called(name string) bool {
	for v := range w.seen {
		if v.template == name {
			return true
		}
	}
	return false
}

func (w *walker) fault(at parse.Pos, hint, format string, args ...any) {
	w.faults = append(w.faults, Fault{Source: w.source, Offset: int(at), Hint: hint, Text: fmt.Sprintf(format, args...)})
}

func (w *walker) parse(s Source) {
	name := s.Called()
	t := parse.New(name)
	t.Mode = parse.SkipFuncCheck // unknown functions are found by the walk, all at once
	set := map[string]*parse.Tree{}
	if _, err := t.Parse(s.Text, "", "", set); err != nil {
		w.faults = append(w.faults, syntaxFault(s, err))
		return
	}
	for name, t := range set {
		w.trees[name] = tree{t, s}
	}
	if _, ok := set[name]; !ok { // an empty template leaves no tree
		w.trees[name] = tree{t, s}
	}
}

// enter walks a template with what its caller hands it.
func (w *walker) enter(name string, d dot) {
	v := visit{name, d.kind}
	if w.seen[v] {
		return
	}
	w.seen[v] = true
	source, vars := w.source, w.vars
	t := w.trees[name]
	w.source, w.vars = t.source, map[string]dot{"$": d}
	w.stack = append(w.stack, name)
	if t.Root != nil {
		w.list(t.Root, d)
	}
	w.stack = w.stack[:len(w.stack)-1]
	w.source, w.vars = source, vars
}

func (w *walker) list(l *parse.ListNode, d dot) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			if given := w.pipe(n.Pipe, d); given.kind == isRow && len(n.Pipe.Decl) == 0 {
				w.fault(n.Pos, "write {{ .column }}", "this prints the whole row")
			}
		case *parse.IfNode:
			w.pipe(n.Pipe, d)
			w.list(n.List, d)
			w.list(n.ElseList, d)
		case *parse.WithNode:
			w.list(n.List, w.pipe(n.Pipe, d))
			w.list(n.ElseList, d)
		case *parse.RangeNode:
			w.pipe(n.Pipe, d)
			for _, v := range n.Pipe.Decl {
				w.vars[v.Ident[0]] = dot{}
			}
			w.list(n.List, dot{})
			w.list(n.ElseList, d)
		case *parse.TemplateNode:
			w.template(n, d)
		}
	}
}

func (w *walker) template(n *parse.TemplateNode, d dot) {
	given := dot{kind: isConstant}
	if n.Pipe != nil {
		given = w.pipe(n.Pipe, d)
	}
	if _, ok := w.trees[n.Name]; !ok {
		names := make([]string, 0, len(w.trees))
		for name := range w.trees {
			names = append(names, name)
		}
		w.fault(n.Pos, nearest(n.Name, names), "there is no template %q", n.Name)
		return
	}
	if slices.Contains(w.stack, n.Name) {
		w.fault(n.Pos, "", "template %q calls itself", n.Name)
		return
	}
	w.enter(n.Name, given)
}

// pipe checks a pipeline and tells what it gives.
func (w *walker) pipe(p *parse.PipeNode, d dot) dot {
	var last dot
	for _, c := range p.Cmds {
		last = w.command(c, d)
	}
	for _, v := range p.Decl {
		w.vars[v.Ident[0]] = last
	}
	return last
}

func (w *walker) command(c *parse.CommandNode, d dot) dot {
	var first dot
	for i, arg := range c.Args {
		v := w.operand(arg, d)
		if i == 0 {
			first = v
		}
	}
	f, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok {
		return first
	}
	if f.Ident == "col" {
		w.col(c)
	}
	if slices.Contains(opaque, f.Ident) || f.Ident == "col" {
		return dot{}
	}
	return dot{kind: isScalar, name: f.Ident}
}

// opaque are functions whose result may have values below it.
var opaque = []string{"index", "slice", "and", "or", "default", "coalesce", "ternary", "list", "dict", "first", "last", "split"}

func (w *walker) col(c *parse.CommandNode) {
	if len(c.Args) < 2 {
		w.fault(c.Pos, `write: col "First Name"`, "col needs a column's name in quotes")
		return
	}
	s, ok := c.Args[1].(*parse.StringNode)
	if !ok {
		w.fault(c.Args[1].Position(), `write: col "First Name"`, "col needs a column's name in quotes")
		return
	}
	if !w.names.column(s.Text) {
		w.fault(s.Pos, nearest(s.Text, w.names.Columns), "the list has no column %q", s.Text)
	}
}

func (w *walker) operand(n parse.Node, d dot) dot {
	switch n := n.(type) {
	case *parse.IdentifierNode:
		w.function(n)
	case *parse.DotNode:
		return d
	case *parse.FieldNode:
		return w.field(n.Pos, n.Ident, d)
	case *parse.VariableNode:
		return w.field(n.Pos, n.Ident[1:], w.vars[n.Ident[0]])
	case *parse.ChainNode:
		return w.field(n.Pos, n.Field, w.operand(n.Node, d))
	case *parse.PipeNode:
		return w.pipe(n, d)
	case *parse.StringNode, *parse.NumberNode, *parse.BoolNode:
		return dot{kind: isScalar, name: n.String()}
	}
	return dot{}
}

func (w *walker) function(n *parse.IdentifierNode) {
	names := append(slices.Collect(functionNames()), "and", "or", "not", "len", "index", "slice", "eq", "ne", "lt", "le", "gt", "ge")
	switch {
	case strings.HasPrefix(n.Ident, "_") || !slices.Contains(names, n.Ident):
		w.fault(n.Pos, nearest(n.Ident, names), "there is no function %q", n.Ident)
	case n.Ident == "unsubscribe_url" && !w.names.Unsubscribe:
		w.fault(n.Pos, "set unsubscribe: https://…/{token} in the campaign", "the campaign has no unsubscribe URL")
	}
}

// field follows a path such as .first_name or .vars.season.
func (w *walker) field(at parse.Pos, path []string, d dot) dot {
	if len(path) == 0 {
		return d
	}
	name := path[0]
	switch d.kind {
	case isRow:
		switch {
		case w.names.column(name):
			return w.field(at, path[1:], w.names.holds(name))
		case name == "vars":
			return w.field(at, path[1:], dot{kind: isConstant, value: w.names.Vars, name: ".vars"})
		}
		w.fault(at, nearestField(name, w.names.written()), "the list has no column %q", name)
	case isConstant:
		v, ok := child(d.value, name)
		if ok {
			return w.field(at, path[1:], dot{kind: isConstant, value: v, name: d.name + "." + name})
		}
		w.fault(at, "", "%s has no %q", cmp.Or(d.name, "the value handed to this template"), name)
	case isScalar:
		hint := ""
		if w.names.column(name) {
			hint = "write $." + name
		}
		w.fault(at, hint, "%s is one value and has no %q", d.name, name)
	}
	return dot{}
}

// holds tells what is known of a column's value.
func (n Names) holds(name string) dot {
	if i := n.Find(name); i < 0 || n.Nested[n.Columns[i]] {
		return dot{}
	}
	return dot{kind: isScalar, name: "." + name}
}
