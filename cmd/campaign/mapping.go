package campaign

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign/source"
)

// mapping is the kind of values with keys of their own.
type mapping struct {
	fields []field
	short  func(l *loader, path string, n *source.Node) // takes a scalar in place of the mapping; nil: none may
	brief  func() (string, bool)                        // how the value is shown when its keys say nothing
	json   map[string]any                               // of the short form
	need   []string
}

func (m mapping) show() string { return "" }

func (m mapping) take(l *loader, path string, n *source.Node) {
	switch {
	case n.Kind == source.Map:
		if n.Line > 0 {
			l.c.places[path] = place{n.File, n.Line, n.Column}
		}
		l.mapping(path, m.fields, n, path)
		for _, key := range m.need {
			if v := n.Get(key); v == nil || v.Kind == source.Null {
				l.fault(n.Pos, n.Width, fmt.Sprintf("%s: %s is missing", path, key), "")
			}
		}
	case n.Kind == source.List:
		l.fault(n.Pos, n.Width, path+": a list is not supported", "")
	case m.short == nil:
		l.fault(n.Pos, n.Width, fmt.Sprintf("%s: expected a mapping, found %s", path, n.Kind), "")
	default:
		l.record(path, n)
		m.short(l, path, n)
	}
}

// mapping takes every key of a node, and the defaults of those that are missing.
func (l *loader) mapping(path string, fields []field, n *source.Node, under string) {
	for _, e := range n.Entries {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == e.Key })
		if i < 0 {
			l.unknown(e, fields, under)
		}
	}
	for _, f := range fields {
		at := join(path, f.key)
		v := n.Get(f.key)
		if v != nil && v.Kind != source.Null && !l.blank(v) {
			f.kind.take(l, at, v)
			continue
		}
		l.fallBack(at, f)
	}
}

// blank tells whether a value is made of variables that are all empty: the key is not set then.
func (l *loader) blank(n *source.Node) bool {
	if n.Kind != source.Text || !strings.HasPrefix(n.Text, "${") {
		return false
	}
	s, _, err := source.Expand(n.Text, l.env)
	return err == nil && s == ""
}

// fallBack takes a key's default, and that of the keys below it.
func (l *loader) fallBack(path string, f field) {
	if m, ok := f.kind.(mapping); ok && m.need == nil {
		l.mapping(path, m.fields, &source.Node{Kind: source.Map}, path)
		return
	}
	if s, ok := f.kind.(scalar); ok && f.def != "" {
		s.take(l, path, &source.Node{Kind: source.Text, Text: f.def})
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// list is the kind of lists; one value alone stands for a list of one.
type list struct {
	item  func(l *loader, path string, n *source.Node)
	print func() string
	json  map[string]any // of an item
}

func (k list) show() string { return k.print() }

func (k list) schema() map[string]any {
	return map[string]any{"anyOf": []any{k.json, map[string]any{"type": "array", "items": k.json}}}
}

func (k list) take(l *loader, path string, n *source.Node) {
	l.record(path, n)
	if n.Kind != source.List {
		k.item(l, path+"[0]", n)
		return
	}
	for i, item := range n.Items {
		k.item(l, fmt.Sprintf("%s[%d]", path, i), item)
	}
}

// texts is a list of texts, each taken by the scalar that one makes.
func texts(p *[]string, one func(*string) scalar) list {
	var none string
	return list{
		item: func(l *loader, path string, n *source.Node) {
			var s string
			before := len(l.faults)
			one(&s).take(l, path, n)
			if len(l.faults) == before {
				*p = append(*p, s)
			}
		},
		print: func() string { return "[" + strings.Join(*p, ", ") + "]" },
		json:  one(&none).json,
	}
}

// argv is a command with its arguments; a text is refused, as no shell splits it.
type argv struct{ p *[]string }

func (k argv) show() string {
	if len(*k.p) == 0 {
		return ""
	}
	return "[" + (*k.p)[0] + ", …]" // arguments may tell a secret
}

func (k argv) schema() map[string]any {
	return map[string]any{"type": "array", "items": jsonType("string"), "minItems": 1}
}

func (k argv) take(l *loader, path string, n *source.Node) {
	if n.Kind != source.List || len(n.Items) == 0 {
		l.fault(n.Pos, n.Width, path+": expected a list: the program, then its arguments", "no shell runs it; write: ["+strings.Join(strings.Fields("pass show smtp"), ", ")+"]")
		return
	}
	texts(k.p, text).take(l, path, n)
}

// table is the kind of mappings with keys of the user's choice.
type table struct {
	item  func(l *loader, path string, e source.Entry)
	print func() string
	json  map[string]any // of a value
}

func (k table) show() string { return k.print() }

func (k table) schema() map[string]any {
	return map[string]any{"type": "object", "additionalProperties": k.json}
}

func (k table) take(l *loader, path string, n *source.Node) {
	if n.Kind != source.Map {
		l.fault(n.Pos, n.Width, fmt.Sprintf("%s: expected a mapping, found %s", path, n.Kind), "")
		return
	}
	l.record(path, n)
	for _, e := range n.Entries {
		k.item(l, path+"."+e.Key, e)
	}
}

// values is a table of plain values for templates and queries.
func values(p *map[string]any) table {
	return table{
		item: func(l *loader, path string, e source.Entry) {
			if v, ok := l.value(path, e.Value); ok {
				if *p == nil {
					*p = map[string]any{}
				}
				(*p)[e.Key] = v
			}
		},
		print: func() string { return keysOf(*p) },
		json:  map[string]any{},
	}
}

// value gives text, numbers, booleans, nil, and lists and mappings of them.
func (l *loader) value(path string, n *source.Node) (any, bool) {
	l.record(path, n)
	switch n.Kind {
	case source.Null:
		return nil, true
	case source.Bool:
		return n.Text == "true", true
	case source.Number:
		return number(n.Text), true
	case source.List:
		out := make([]any, 0, len(n.Items))
		for i, item := range n.Items {
			if v, ok := l.value(fmt.Sprintf("%s[%d]", path, i), item); ok {
				out = append(out, v)
			}
		}
		return out, true
	case source.Map:
		out := map[string]any{}
		for _, e := range n.Entries {
			if v, ok := l.value(path+"."+e.Key, e.Value); ok {
				out[e.Key] = v
			}
		}
		return out, true
	}
	return l.expand(path, n)
}

func keysOf[V any](m map[string]V) string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return "{" + strings.Join(names, ", ") + "}"
}
