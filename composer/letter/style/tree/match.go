package tree

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/composer/letter/page"
	"github.com/mailblast/mailblast/composer/letter/style/sheet"
)

// Limits of what is asked and found, so that no page takes longer than some seconds.
const (
	maxQuestions = 10_000_000 // to elements about simple selectors
	maxHits      = 400_000    // rules that match elements
)

// Match reads the style sheets of a page and finds for each element the rules that match it; elements without any are left
// out. ok is false when there are too many. A style element in a template that is called several times is given as often.
func Match(p *page.Page) (elements []*Element, sheets []*sheet.Sheet, faults []sheet.Fault, ok bool) {
	d := newDocument(p)
	sheets = d.sheets()
	x, m, hits := newIndex(sheets), &matcher{left: maxQuestions}, 0
	for _, e := range d.elements {
		if e.Page != nil && slices.Contains(unseen, e.Page.Name) {
			continue
		}
		if x.ask(m, e); len(e.Hits) > 0 {
			if e.Page != nil {
				d.ownStyle(e)
			}
			elements = append(elements, e)
		}
		if hits += len(e.Hits); m.left < 0 || hits > maxHits {
			return nil, sheets, d.faults, false
		}
	}
	if d.markup && len(sheets) > 0 {
		elements = append(elements, anything(sheets))
	}
	for _, s := range sheets {
		for _, r := range s.Rules {
			r.Kept = r.Kept || r.Stays || slices.ContainsFunc(r.Selectors, func(s *sheet.Selector) bool { return s.Pseudo || !s.Used })
		}
	}
	return elements, sheets, d.faults, true
}

// answer says whether an element matches before there is a row.
type answer int8

const (
	no answer = iota
	maybe
	yes
)

// matcher asks elements for selectors, up to a number of questions.
type matcher struct{ left int }

// match tells whether an element is what a selector is for.
func (m *matcher) match(s *sheet.Selector, e *Element) answer {
	if s.Any {
		return maybe
	}
	return m.from(s, len(s.Compounds)-1, e)
}

func (m *matcher) from(s *sheet.Selector, i int, e *Element) answer {
	c := s.Compounds[i]
	a := m.all(c.Simple, e)
	if a == no || i == 0 || m.left < 0 {
		return a
	}
	rest := no
	switch c.Combinator {
	case ' ':
		for up := e.parent; up != nil && rest != yes; up = up.parent {
			rest = max(rest, m.from(s, i-1, up))
		}
	case '>':
		if e.parent != nil {
			rest = m.from(s, i-1, e.parent)
		}
	case '+', '~':
		for b := e.before; b != nil && rest != yes; b = b.before {
			if rest = max(rest, m.from(s, i-1, b)); c.Combinator == '+' {
				break
			}
		}
		if e.parent == nil || e.parent.shifting {
			rest = maybe
		}
	}
	if e.loose {
		rest = maybe
	}
	return min(a, rest)
}

// all tells whether an element matches every one of some simple selectors.
func (m *matcher) all(list []sheet.Simple, e *Element) answer {
	a := yes
	for _, s := range list {
		if a = min(a, m.one(s, e)); a == no {
			return no
		}
	}
	return a
}

func (m *matcher) one(s sheet.Simple, e *Element) answer {
	m.left--
	switch {
	case m.left < 0:
		return maybe
	case s.Not != nil:
		most := no
		for _, c := range s.Not {
			most = max(most, m.all(c, e))
		}
		return yes - most
	case s.Match == nil:
		return maybe
	case s.Ordered && (e.loose || e.parent == nil || e.parent.shifting), s.Empty && (e.unsureInside || e.shifting):
		return maybe
	}
	if s.Ordered {
		m.left -= e.parent.children
	}
	switch {
	case s.Match.Match(e.node):
		return yes
	case s.Attr != "" && (e.unsure[s.Attr] || e.unsure["*"]):
		return maybe
	}
	return no
}

// index finds the selectors that an element may match by what their last compound asks for.
type index struct {
	all map[string][]entry // by #id, .class, type, or "" for none of them
	ids []entry            // of all ids; classes likewise
	cls []entry
}

type entry struct {
	rule     *sheet.Rule
	selector *sheet.Selector
}

func newIndex(sheets []*sheet.Sheet) *index {
	x := &index{all: map[string][]entry{}}
	seen := map[*sheet.Rule]bool{}
	for _, s := range sheets {
		for _, r := range s.Rules {
			if seen[r] {
				continue
			}
			seen[r] = true
			for _, s := range r.Selectors {
				x.add(entry{r, s})
			}
		}
	}
	return x
}

func (x *index) add(e entry) {
	if e.selector.Pseudo {
		return // it styles something else
	}
	key := e.selector.Key()
	x.all[key] = append(x.all[key], e)
	switch {
	case strings.HasPrefix(key, "#"):
		x.ids = append(x.ids, e)
	case strings.HasPrefix(key, "."):
		x.cls = append(x.cls, e)
	}
}

// ask finds an element's hits.
func (x *index) ask(m *matcher, e *Element) {
	best := map[*sheet.Rule]*[3]*Hit{} // by answer
	ask := func(list []entry) {
		for _, c := range list {
			a := m.match(c.selector, e)
			if a == no {
				continue
			}
			sure := a == yes && !e.Fixed && !c.rule.Stays
			c.selector.Used = true
			c.rule.Kept = c.rule.Kept || !sure
			if e.outlook {
				continue
			}
			h := &Hit{Rule: c.rule, Specificity: c.selector.Specificity, Sure: sure}
			if best[c.rule] == nil {
				best[c.rule] = &[3]*Hit{}
			}
			if b := &best[c.rule][a]; *b == nil || (*b).Specificity.Less(h.Specificity) {
				*b = h
			}
		}
	}
	ask(x.all[""])
	ask(x.all[e.node.Data])
	var id, class string
	for _, a := range e.node.Attr {
		switch a.Key {
		case "id":
			id = a.Val
		case "class":
			class = a.Val
		}
	}
	if e.unsure["*"] || e.unsure["id"] {
		ask(x.ids)
	} else if id != "" {
		ask(x.all["#"+id])
	}
	if e.unsure["*"] || e.unsure["class"] {
		ask(x.cls)
	} else {
		words := strings.Fields(class)
		slices.Sort(words)
		for _, c := range slices.Compact(words) {
			ask(x.all["."+c])
		}
	}
	for r := range maps.Values(best) {
		if r[yes] != nil {
			e.Hits = append(e.Hits, *r[yes])
		}
		if r[maybe] != nil && (r[yes] == nil || r[yes].Specificity.Less(r[maybe].Specificity)) {
			e.Hits = append(e.Hits, *r[maybe])
		}
	}
	slices.SortFunc(e.Hits, func(a, b Hit) int { return cmp.Or(a.Rule.Order-b.Rule.Order, boolInt(a.Sure)-boolInt(b.Sure)) })
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
