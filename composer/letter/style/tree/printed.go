package tree

import (
	"slices"
	"strings"

	"github.com/mailblast/mailblast/composer/letter/page"
	"github.com/mailblast/mailblast/composer/letter/style/sheet"
)

// printers are the functions whose values are HTML.
var printers = []string{"markdown", "safe_html", "nl2br"}

// cells are elements out of which no printed start tag reaches, as that of a <div> reaches out of a paragraph.
var cells = []string{"td", "th", "caption"}

// printed looks for actions that print elements: how many children there are around them depends on values.
func (d *document) printed() {
	prints := map[*page.Action]bool{}
	for i, list := range d.page.Actions {
		for _, a := range list {
			if printsElements(d.page.Templates[i].Text[a.Start:a.End]) {
				prints[a] = true
			}
		}
	}
	if d.markup = len(prints) > 0; !d.markup {
		return
	}
	shown := map[*page.Action]bool{}
	for n := range d.page.Root.All() {
		if n.Name == "#action" {
			shown[n.Action] = true
		}
	}
	held := false // a variable, a dot or an argument holds elements, so that any action may print them
	for a := range prints {
		held = held || !shown[a]
	}
	for n := range d.page.Root.All() {
		if n.Name == "#action" && (held || prints[n.Action]) {
			shift(d.of[n.Parent])
		}
	}
	for _, e := range d.elements { // what is implied is not there in the page, where the action stands in its parent
		e.shifting = e.shifting || e.Page == nil && e.parent != nil && e.parent.shifting
	}
}

// shift makes the children of an element unsure, and those of what is around it: elements that are printed end a paragraph.
func shift(e *Element) {
	for ; e != nil && !e.shifting; e = e.parent {
		e.shifting = true
		if slices.Contains(cells, e.node.Data) {
			break
		}
	}
}

func printsElements(action string) bool {
	words := strings.FieldsFunc(action, func(r rune) bool { return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') })
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(printers, w) })
}

// anything is an element that any rule may match, for those that actions print: rules in the sheet must win over each other
// as before.
func anything(sheets []*sheet.Sheet) *Element {
	e, seen := &Element{Fixed: true}, map[*sheet.Rule]bool{}
	for _, s := range sheets {
		for _, r := range s.Rules {
			if seen[r] {
				continue
			}
			seen[r] = true
			h := Hit{Rule: r}
			for _, c := range r.Selectors {
				c.Used, r.Kept = true, true
				if !c.Pseudo && h.Specificity.Less(c.Specificity) {
					h.Specificity = c.Specificity
				}
			}
			if slices.ContainsFunc(r.Selectors, func(c *sheet.Selector) bool { return !c.Pseudo }) {
				e.Hits = append(e.Hits, h)
			}
		}
	}
	return e
}
