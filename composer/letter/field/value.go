// Package field compiles the fields of a campaign that may be templates, and prints them for one row after another:
//
//  1. a Compiler checks a field and compiles it, or finds that it is the same for all rows;
//  2. names and addresses are told apart in the template, so that no name in a row can pass for an address;
//  3. a Printer executes fields with the renderers of a row, and parses the addresses that come out.
package field

import (
	"bytes"
	"slices"
	"strings"
	"text/template/parse"

	"github.com/mailblast/mailblast/composer/letter/fault"
	"github.com/mailblast/mailblast/composer/letter/markup"
)

// Compiler compiles fields. What is wrong with them goes to Faults.
type Compiler struct {
	Names  markup.Names
	Set    *markup.Set
	Loose  *markup.Set // of fields where NULL is nothing, whatever on_null says
	Faults *fault.List
	Prints func(columns []int) // told which columns are printed as they are
}

// Value is a field that may be a template. The zero Value is an empty text.
type Value struct {
	field  string
	fixed  string     // when it holds no action
	ref    markup.Ref // when it holds some
	active bool
	loose  bool // its template is in the loose set
	column int  // the column whose value it is, when it is nothing but that; else -1
}

// Active tells whether the text differs from row to row.
func (v Value) Active() bool { return v.active }

// Value compiles a field.
func (c *Compiler) Value(field, text string) Value { return c.part(false, field, text, 0) }

// OrNothing compiles a field that comes out empty where a NULL is in it.
func (c *Compiler) OrNothing(field, text string) Value { return c.part(true, field, text, 0) }

// part compiles a part of a field, which begins at octets into it.
func (c *Compiler) part(loose bool, field, text string, at int) Value {
	v := Value{field: field, fixed: text, column: -1, loose: loose}
	if !strings.Contains(text, "{{") {
		return v
	}
	v.active = true
	src := markup.Source{Name: field, Text: text}
	faults := c.Names.Check(src)
	if len(faults) == 0 {
		set := c.Set
		if loose {
			set = c.Loose
		}
		v.ref, faults = set.Text(src)
	}
	for _, f := range faults {
		c.Faults.Field(field, at+f.Offset, f.Text, f.Hint)
	}
	if !loose {
		c.Prints(c.Names.Printed(src))
	}
	v.column = c.soleColumn(text)
	return v
}

// soleColumn finds the column of a template such as {{ .email }}; -1 is none.
func (c *Compiler) soleColumn(text string) int {
	t, err := parse.New("").Parse(strings.TrimSpace(text), "", "", map[string]*parse.Tree{}, map[string]any{"col": true})
	if err != nil || len(t.Root.Nodes) != 1 {
		return -1
	}
	a, ok := t.Root.Nodes[0].(*parse.ActionNode)
	if !ok || len(a.Pipe.Decl) > 0 || len(a.Pipe.Cmds) != 1 {
		return -1
	}
	args := a.Pipe.Cmds[0].Args
	name := ""
	if f, ok := args[0].(*parse.FieldNode); ok && len(args) == 1 && len(f.Ident) == 1 {
		name = f.Ident[0]
	}
	if f, ok := args[0].(*parse.IdentifierNode); ok && f.Ident == "col" && len(args) == 2 {
		if s, ok := args[1].(*parse.StringNode); ok {
			name = s.Text
		}
	}
	return slices.Index(c.Names.Columns, name)
}

// Printer prints fields for the row that its renderers have begun.
type Printer struct {
	Strict  *markup.Renderer
	Loose   *markup.Renderer // nil: there is no field that needs it
	scratch bytes.Buffer
}

// Text gives a field's text.
func (p *Printer) Text(v *Value) (string, error) {
	if !v.active {
		return v.fixed, nil
	}
	p.scratch.Reset()
	m := p.Strict
	if v.loose {
		m = p.Loose
	}
	if err := m.Render(&p.scratch, v.ref); err != nil {
		return "", err
	}
	return p.scratch.String(), nil
}

// Shrink gives memory back that a rare long field took.
func (p *Printer) Shrink(keep int) {
	if p.scratch.Cap() > keep {
		p.scratch = bytes.Buffer{}
	}
}
