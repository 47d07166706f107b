// Package source reads a YAML file into a small tree whose every value knows its place:
//
//  1. the size, the number of tokens and the nesting are bounded before anything is parsed;
//  2. goccy/go-yaml parses; its errors are put into words of our own;
//  3. its syntax tree becomes Nodes: aliases copied within a budget, tags and merge keys refused, repeated keys kept
//     as faults, so that all faults of a file can be told at once;
//  4. Expand puts environment variables into strings, after parsing and never into structure.
package source

import (
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Limits against files made to hurt.
const (
	MaxSize    = 1 << 20 // octets of a file
	maxTokens  = 20_000
	maxNodes   = 20_000 // after aliases are copied
	maxNesting = 32
)

// Kind is what a Node holds.
type Kind uint8

// The kinds of YAML values.
const (
	Null Kind = iota
	Bool
	Number
	Text
	Map
	List
)

var kindNames = [...]string{"nothing", "true or false", "a number", "text", "a mapping", "a list"}

func (k Kind) String() string { return kindNames[k] }

// Node is one value.
type Node struct {
	Pos            // where its content begins: behind the quote, or on the first line of a block
	Kind    Kind   // of what is written
	Text    string // of scalars: as decoded; of numbers and booleans: as written
	Entries []Entry
	Items   []*Node
	Block   bool // text of several lines, written with | or >
	Quoted  bool
	Width   int // characters in its line
	braces  bool
}

// Entry is one key of a mapping with its value.
type Entry struct {
	Key   string
	At    Pos
	Value *Node
}

// Get gives the value of a key, nil when it is missing.
func (n *Node) Get(key string) *Node {
	for _, e := range n.Entries {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// File is a parsed file.
type File struct {
	Name   string
	Root   *Node // a mapping
	Faults Faults
	lines  []string
	shown  map[int]string // lines that faults have shown, from 1
	hidden map[int]bool   // lines, from 0, that are all secret
}

// Fault makes a fault at a place of the file.
func (f *File) Fault(p Pos, width int, text, hint string) Fault {
	ft := Fault{Pos: p, Text: text, Hint: hint, Width: width}
	if p.File == f.Name && p.Line > 0 && p.Line <= len(f.lines) {
		ft.Excerpt = f.excerpt(p.Line)
	}
	return ft
}

type converter struct {
	file    *File
	anchors map[string]ast.Node
	open    map[string]bool // aliases being copied, against circles
	nodes   int
	tooMany bool
}

func (c *converter) fault(tk *token.Token, text, hint string) {
	p := c.pos(tk)
	c.file.Faults = append(c.file.Faults, c.file.Fault(p, utf8.RuneCountInString(strings.TrimSpace(tk.Value)), text, hint))
}

func (c *converter) pos(tk *token.Token) Pos {
	p := Pos{File: c.file.Name, Line: 1, Column: 1}
	if tk != nil && tk.Position != nil {
		p.Line, p.Column = max(tk.Position.Line, 1), max(tk.Position.Column, 1)
	}
	return p
}

func (c *converter) node(n ast.Node, depth int) *Node {
	c.nodes++
	if c.nodes > maxNodes || depth > maxNesting {
		if !c.tooMany && n != nil {
			c.fault(n.GetToken(), "the file is nested too deeply or repeats too much by aliases", "")
		}
		c.tooMany = true
		return &Node{Pos: Pos{File: c.file.Name, Line: 1, Column: 1}}
	}
	switch v := n.(type) {
	case nil:
		return &Node{Pos: Pos{File: c.file.Name, Line: 1, Column: 1}}
	case *ast.MappingNode:
		return c.mapping(v.GetToken(), v.Values, v.IsFlowStyle, depth)
	case *ast.MappingValueNode:
		return c.mapping(v.GetToken(), []*ast.MappingValueNode{v}, false, depth)
	case *ast.SequenceNode:
		out := &Node{Pos: c.pos(v.GetToken()), Kind: List, Width: 1}
		for _, item := range v.Values {
			out.Items = append(out.Items, c.node(item, depth+1))
		}
		return out
	case *ast.AnchorNode:
		c.anchors[name(v.Name)] = v.Value
		return c.node(v.Value, depth+1)
	case *ast.AliasNode:
		return c.alias(v, depth)
	case *ast.TagNode:
		c.fault(v.Start, "tags (!) are not used here", "text that starts with ! needs quotes; else write the value without the tag")
		return c.node(v.Value, depth+1)
	}
	return c.scalar(n)
}

func name(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

func (c *converter) alias(v *ast.AliasNode, depth int) *Node {
	id := name(v.Value)
	target, ok := c.anchors[id]
	if !ok || c.open[id] {
		c.fault(v.Start, "an alias (*) has no anchor (&) before it", "text that starts with * needs quotes")
		return &Node{Pos: c.pos(v.Start), Kind: Null, Width: 1}
	}
	c.open[id] = true
	out := c.node(target, depth+1)
	delete(c.open, id)
	return out
}

func (c *converter) mapping(tk *token.Token, values []*ast.MappingValueNode, flow bool, depth int) *Node {
	out := &Node{Pos: c.pos(tk), Kind: Map, Width: 1, braces: flow}
	if !flow && len(values) > 0 && values[0].Key != nil {
		out.Pos = c.pos(values[0].Key.GetToken())
	}
	seen := map[string]Pos{}
	for _, v := range values {
		key, ok := c.key(v)
		if !ok {
			continue
		}
		at := c.pos(v.Key.GetToken())
		if first, twice := seen[key]; twice {
			c.fault(v.Key.GetToken(), "the key "+quote(key)+" is repeated: it is in line "+itoa(first.Line)+" already", "")
			c.node(v.Value, depth+1) // its own faults are told, too
			continue
		}
		seen[key] = at
		out.Entries = append(out.Entries, Entry{Key: key, At: at, Value: c.node(v.Value, depth+1)})
	}
	return out
}

func (c *converter) key(v *ast.MappingValueNode) (string, bool) {
	var key ast.Node = v.Key
	if explicit, ok := key.(*ast.MappingKeyNode); ok {
		key = explicit.Value
	}
	switch k := key.(type) {
	case *ast.StringNode:
		return k.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return k.GetToken().Value, true
	case *ast.MergeKeyNode:
		c.fault(k.GetToken(), "merge keys (<<) are not used here", "shared keys go into mailblast.yaml")
	default:
		c.fault(v.Key.GetToken(), "a key must be a word", "text with { or [ in it needs quotes")
	}
	return "", false
}

func (c *converter) scalar(n ast.Node) *Node {
	tk := n.GetToken()
	out := &Node{Pos: c.pos(tk), Kind: Text}
	if tk == nil {
		return out
	}
	out.Text, out.Width = tk.Value, utf8.RuneCountInString(tk.Value)
	switch v := n.(type) {
	case *ast.NullNode:
		out.Kind = Null
	case *ast.BoolNode:
		out.Kind = Bool
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.Kind = Number
	case *ast.LiteralNode:
		out.Block, out.Text = true, v.Value.Value
		c.blockPos(out)
	case *ast.StringNode:
		out.Text = v.Value
		if tk.Type == token.DoubleQuoteType || tk.Type == token.SingleQuoteType {
			out.Quoted = true
			out.Column++
		}
	}
	return out
}

// blockPos moves the place of a block scalar from its | to the first character of its text.
func (c *converter) blockPos(n *Node) {
	for line := n.Line; line < len(c.file.lines); line++ {
		text := strings.TrimLeft(c.file.lines[line], " ")
		if text == "" {
			continue
		}
		n.Line, n.Column = line+1, len(c.file.lines[line])-len(text)+1
		n.Width = utf8.RuneCountInString(text)
		return
	}
}
