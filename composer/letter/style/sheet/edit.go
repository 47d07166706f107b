package sheet

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/composer/letter/page"
)

// Ordered tells whether a rule that stays looks at siblings, so that elements may not go away.
func (s *Sheet) Ordered() bool {
	return slices.ContainsFunc(s.Rules, func(r *Rule) bool {
		return r.Kept && slices.ContainsFunc(r.Selectors, func(s *Selector) bool { return s.Ordered || s.Any })
	})
}

// Edits takes the rules that are not kept out of the style element, adds !important, and removes the element when nothing is
// left in it. With ordered set it stays among elements that are seen, since some selector counts siblings.
func (s *Sheet) Edits(p *page.Page, ordered bool) []page.Edit {
	if s.text == nil {
		return nil
	}
	var edits []page.Edit
	at, left := s.text.Start, ""
	text := p.Templates[s.Element.Template].Text
	slices.SortFunc(s.Rules, func(a, b *Rule) int { return cmp.Compare(a.start, b.start) })
	for _, r := range s.Rules {
		if !r.Kept {
			edits = append(edits, page.Edit{Offset: r.lead, Length: r.end - r.lead})
			left += text[at:r.lead]
			at = r.end
			continue
		}
		for _, d := range r.Declarations {
			if d.Promoted && !d.Important {
				edits = append(edits, page.Edit{Offset: d.End, Text: " !important"})
			}
		}
	}
	left += text[at:s.text.End]
	tagged := len(p.ActionsIn(s.Element.Template, s.Element.Start, s.text.Start)) + len(p.ActionsIn(s.Element.Template, s.text.End, s.Element.Until))
	if empty(left) && len(edits) > 0 && tagged == 0 && !(ordered && inBody(s.Element)) { // an action in a tag may be half of a pair
		return []page.Edit{wholeLine(text, s.Element.Start, s.Element.Until)}
	}
	return edits
}

// empty tells that a sheet has no rules.
func empty(css string) bool {
	return !slices.ContainsFunc(tokens(css, 0), func(t token) bool { return !t.blank() && t.text != "<!--" && t.text != "-->" })
}

func inBody(n *page.Node) bool {
	for up := n.Parent; up != nil; up = up.Parent {
		if up.Name == "head" {
			return false
		}
	}
	return true
}

// wholeLine removes a range, with its line when there is nothing else on it.
func wholeLine(text string, from, to int) page.Edit {
	before := strings.TrimRight(text[:from], " \t")
	after := strings.TrimLeft(text[to:], " \t")
	if (before == "" || strings.HasSuffix(before, "\n")) && (strings.HasPrefix(after, "\n") || strings.HasPrefix(after, "\r\n")) {
		from, to = len(before), len(text)-len(after)+strings.IndexByte(after, '\n')+1
	}
	return page.Edit{Offset: from, Length: to - from}
}
