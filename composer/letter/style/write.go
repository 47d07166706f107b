package style

import (
	"html"
	"slices"
	"strconv"
	"strings"

	"github.com/mailblast/mailblast/composer/letter/page"
	"github.com/mailblast/mailblast/composer/letter/style/sheet"
	"github.com/mailblast/mailblast/composer/letter/style/tree"
)

// instance is a template at one of the places where it is called.
type instance struct {
	call  *page.Node // nil: the first template
	name  string     // of the template
	body  [3]int
	edits []page.Edit
	calls []*page.Node // in it
	new   string       // the name under which it is written
}

// writer makes the edits.
type writer struct {
	page      *page.Page
	instances []*instance // callers first
	calls     map[*page.Node]*instance
	shared    [][]page.Edit // of each source, wherever it is called: the style elements
	added     []page.Template
	origin    []int // of those that are added: the template that each is a copy of
	err       error // the first of an edit
	names     map[string]bool
}

func newWriter(p *page.Page) *writer {
	w := &writer{page: p, calls: map[*page.Node]*instance{}, names: map[string]bool{}, shared: make([][]page.Edit, len(p.Templates))}
	w.collect()
	return w
}

func (w *writer) write(c *contest, sheets []*sheet.Sheet) ([]page.Template, []int, error) {
	done := map[*sheet.Sheet]bool{}
	ordered := slices.ContainsFunc(sheets, (*sheet.Sheet).Ordered)
	for _, s := range sheets {
		if !done[s] {
			done[s] = true
			w.shared[s.Element.Template] = append(w.shared[s.Element.Template], s.Edits(w.page, ordered)...)
		}
	}
	for _, e := range c.elements {
		if !e.Fixed {
			in := w.calls[e.Page.Call]
			in.edits = append(in.edits, w.attribute(e, c.settled(e))...)
		}
	}
	own := w.variants()
	list := slices.Clone(w.page.Templates)
	for i := range list {
		list[i].Text = w.apply(list[i].Text, append(w.shared[i], own[i]...))
	}
	return append(list, w.added...), w.origin, w.err
}

// apply makes edits. They overlap only where a page is so odd that two tags or rules share octets.
func (w *writer) apply(text string, edits []page.Edit) string {
	s, err := page.Apply(text, edits)
	if w.err == nil {
		w.err = err
	}
	return s
}

// collect finds the instances.
func (w *writer) collect() {
	first := &instance{name: w.page.Templates[0].Name, body: [3]int{0, 0, len(w.page.Templates[0].Text)}}
	w.instances, w.calls[nil] = []*instance{first}, first
	for n := range w.page.Root.All() {
		if n.Name != "#template" {
			continue
		}
		if n.Body != [3]int{} {
			w.calls[n] = &instance{call: n, name: n.Action.Name, body: n.Body}
			w.instances = append(w.instances, w.calls[n])
		}
	}
	for _, in := range w.instances[1:] {
		by := w.calls[in.call.Call]
		by.calls = append(by.calls, in.call)
	}
	for _, t := range w.page.Templates {
		w.names[t.Name] = true
	}
	for _, list := range w.page.Actions {
		for _, a := range list {
			w.names[a.Name] = true
		}
	}
}

// variants gives each instance the name of a template that is written as it needs it, and each source its edits. The
// first form of a template stays in its place, others become templates of their own.
func (w *writer) variants() [][]page.Edit {
	own := make([][]page.Edit, len(w.page.Templates))
	forms := map[string]string{} // name of a template and its edits: name of the form
	taken := map[[3]int]bool{}
	slices.SortStableFunc(w.instances, func(a, b *instance) int { return w.height(a) - w.height(b) })
	for _, in := range w.instances { // those that call nothing first
		for _, c := range in.calls {
			if name := w.calls[c].new; name != c.Action.Name && c.Action.Keyword == "template" {
				in.edits = append(in.edits, page.Edit{Offset: c.Action.NameStart, Length: c.Action.NameEnd - c.Action.NameStart, Text: strconv.Quote(name)})
			}
		}
		slices.SortStableFunc(in.edits, func(a, b page.Edit) int { return a.Offset - b.Offset })
		key := in.form(w)
		if name, ok := forms[key]; ok {
			in.new = name
			continue
		}
		in.new = in.name
		if !taken[in.body] {
			taken[in.body] = true
			own[in.body[0]] = append(own[in.body[0]], in.edits...)
		} else {
			in.new = w.newName(in.name)
			w.added = append(w.added, page.Template{Name: in.new, Text: w.copyOf(in)})
			w.origin = append(w.origin, in.body[0])
		}
		forms[key] = in.new
	}
	return own
}

// height is how many calls there are one in the other below an instance.
func (w *writer) height(in *instance) int {
	h := 0
	for _, c := range in.calls {
		h = max(h, 1+w.height(w.calls[c]))
	}
	return h
}

// form tells instances apart that need different templates.
func (in *instance) form(w *writer) string {
	var b strings.Builder
	b.WriteString(strconv.Quote(in.name))
	for _, e := range in.edits {
		b.WriteString(" " + strconv.Itoa(e.Offset) + " " + strconv.Itoa(e.Length) + strconv.Quote(e.Text))
	}
	for _, c := range in.calls {
		if c.Action.Keyword == "block" {
			b.WriteString(" " + strconv.Quote(w.calls[c].new))
		}
	}
	return b.String()
}

func (w *writer) newName(name string) string {
	for n := 2; ; n++ {
		if s := name + "~" + strconv.Itoa(n); !w.names[s] {
			w.names[s] = true
			return s
		}
	}
}

// copyOf writes an instance as a template of its own, without the templates that are defined in it.
func (w *writer) copyOf(in *instance) string {
	source, from, to := in.body[0], in.body[1], in.body[2]
	text := w.page.Templates[source].Text
	edits := append(slices.Clone(in.edits), w.shared[source]...)
	for _, a := range w.page.Actions[source] {
		if a.Start < from || a.End > to || a.Stop == nil || a.Keyword != "define" && a.Keyword != "block" {
			continue
		}
		call := ""
		for _, c := range in.calls {
			if c.Action == a && a.Keyword == "block" {
				call = "{{ template " + strconv.Quote(w.calls[c].new) + text[a.NameEnd:a.End]
			}
		}
		edits = slices.DeleteFunc(edits, func(e page.Edit) bool { return e.Offset >= a.Start && e.Offset < a.Stop.End })
		edits = append(edits, page.Edit{Offset: a.Start, Length: a.Stop.End - a.Start, Text: call})
	}
	edits = slices.DeleteFunc(edits, func(e page.Edit) bool { return e.Offset < from || e.Offset >= to })
	for i := range edits {
		edits[i].Offset -= from
	}
	return w.apply(text[from:to], edits)
}

// attribute makes the edits that put declarations into a style attribute, in front of what it holds.
func (w *writer) attribute(e *tree.Element, claims []*claim) []page.Edit {
	var front []string
	var edits []page.Edit
	for i, c := range claims {
		switch {
		case c.hit == nil && c.over && !c.Important:
			edits = append(edits, page.Edit{Offset: c.End, Text: " !important"})
		case c.hit != nil && written(claims, i):
			text := c.Name + ": " + c.Value
			if c.strongIn() {
				text += " !important"
			}
			front = append(front, text)
		}
	}
	if len(front) == 0 && len(edits) == 0 {
		return nil
	}
	text := strings.Join(front, "; ")
	a := e.Page.Attribute("style")
	if a == nil {
		return append(edits, page.Edit{Offset: e.Page.Start + 1 + len(e.Page.Name), Text: ` style="` + escape(text, '"') + `"`})
	}
	if text != "" && strings.Trim(a.Value, " \t\r\n;") != "" {
		text += "; "
	}
	switch {
	case a.Quote != 0 && text == "":
	case a.Quote != 0:
		edits = append(edits, page.Edit{Offset: a.ValueStart, Text: escape(text, a.Quote)})
	case a.ValueStart == a.End: // it has no value
		edits = append(edits, page.Edit{Offset: a.Start, Length: a.End - a.Start, Text: `style="` + escape(text, '"') + `"`})
	default:
		edits = append(edits, page.Edit{Offset: a.ValueStart, Text: `"` + escape(text, '"')}, page.Edit{Offset: a.ValueEnd, Text: `"`})
		for i, c := range w.page.Templates[e.Page.Template].Text[a.ValueStart:a.ValueEnd] {
			if c == '"' && !a.Dynamic {
				edits = append(edits, page.Edit{Offset: a.ValueStart + i, Length: 1, Text: "&quot;"})
			}
		}
	}
	return edits
}

// escape writes a text for an attribute's value in some quotes.
func escape(s string, quote byte) string {
	s = html.EscapeString(s)
	if quote == '"' {
		return strings.ReplaceAll(s, "&#39;", "'")
	}
	return strings.ReplaceAll(s, "&#34;", `"`)
}

// written tells whether a claim goes into the attribute: not when another surely wins; unless that is of the same rule, or
// has a function in its value, and may be meant for newer programs only.
func written(claims []*claim, i int) bool {
	c := claims[i]
	if !beaten(claims, i, nil) {
		return true
	}
	return slices.ContainsFunc(claims[i+1:], func(l *claim) bool {
		return meet(l.Declaration, c.Declaration) && !l.unsure() && (l.Function || l.hit == c.hit) &&
			(l.strongIn() || !c.strongIn()) && (l.Name != c.Name || l.Value != c.Value)
	})
}
