package style

import (
	"cmp"
	"slices"

	"github.com/mailblast/mailblast/composer/letter/style/sheet"
	"github.com/mailblast/mailblast/composer/letter/style/tree"
)

// claim is what a declaration is worth on one element (CSS Cascade §6.1).
type claim struct {
	*sheet.Declaration
	hit   *tree.Hit // nil: of the style attribute
	place int       // within its rule or attribute

	under bool // something in the sheet wins over it
	over  bool // it wins over something in the sheet that says !important
}

// compare tells which of two claims wins: the greater.
func compare(a, b *claim) int {
	if a.Important != b.Important {
		return one(a.Important) - one(b.Important)
	}
	if a.hit == nil || b.hit == nil {
		return cmp.Or(one(a.hit == nil)-one(b.hit == nil), a.place-b.place)
	}
	if a.hit.Rule.Layered != b.hit.Rule.Layered { // where !important turns the order round
		return (one(b.hit.Rule.Layered) - one(a.hit.Rule.Layered)) * (1 - 2*one(a.Important))
	}
	for i, n := range a.hit.Specificity {
		if n != b.hit.Specificity[i] {
			return n - b.hit.Specificity[i]
		}
	}
	return cmp.Or(a.hit.Rule.Order-b.hit.Rule.Order, a.place-b.place)
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// meet tells whether two declarations may set the same property.
func meet(a, b *sheet.Declaration) bool {
	return a.Wide || b.Wide || slices.ContainsFunc(a.Sets, func(s string) bool { return slices.Contains(b.Sets, s) })
}

// contest decides what goes into style attributes, and what must say !important so that the same wins as before. Wherever
// that cannot be had, the sheet keeps the rule and the attribute does without.
type contest struct {
	elements []*tree.Element
	skip     map[*tree.Element]map[*sheet.Declaration]bool // what is left out of whose attribute
	left     int                                           // how many more claims may be compared
	changed  bool
	again    bool // a declaration was frozen: promotions begin anew
}

// maxCompared is how many pairs of declarations are compared at most: some seconds' work.
const maxCompared = 20_000_000

func newContest(elements []*tree.Element) *contest {
	return &contest{elements: elements, skip: map[*tree.Element]map[*sheet.Declaration]bool{}, left: maxCompared}
}

// run gives false when it would take too long.
func (c *contest) run() bool {
	for again := true; again; again = c.again {
		c.again = false
		for _, e := range c.elements {
			for _, h := range e.Hits {
				for _, d := range h.Rule.Declarations {
					d.Promoted = false
				}
			}
		}
		for c.changed = true; c.changed && !c.again; {
			c.changed = false
			for _, e := range c.elements {
				if c.settle(e); c.left < 0 {
					return false
				}
			}
		}
	}
	return true
}

// settled gives the claims of an element's attribute after the run.
func (c *contest) settled(e *tree.Element) []*claim {
	c.left = maxCompared
	return c.settle(e)
}

// claims gives those that an element's style attribute makes, in their order, and those that rules in the sheet may make.
func (c *contest) claims(e *tree.Element) (attribute, sheet []*claim) {
	for i := range e.Hits {
		h := &e.Hits[i]
		for at, d := range h.Rule.Declarations {
			if h.Sure && !c.skip[e][d] {
				attribute = append(attribute, &claim{Declaration: d, hit: h, place: at})
			}
			if h.Rule.Kept {
				sheet = append(sheet, &claim{Declaration: d, hit: h, place: at})
			}
		}
	}
	for at, d := range e.Own {
		attribute = append(attribute, &claim{Declaration: d, place: at})
	}
	slices.SortStableFunc(attribute, compare)
	return attribute, sheet
}

// settle looks at one element: each claim of the sheet against each of the attribute that may be the one to win.
func (c *contest) settle(e *tree.Element) []*claim {
	attribute, sheet := c.claims(e)
	c.left -= len(sheet)*len(sheet) + (len(sheet)+len(attribute))*len(attribute) + 1
	if c.left < 0 {
		return nil
	}
	for _, k := range sheet {
		for _, l := range sheet {
			if k.Declaration != l.Declaration && compare(k, l) < 0 && k.strong() && !l.strong() && meet(k.Declaration, l.Declaration) {
				c.promote(l, k)
			}
		}
		for i, w := range attribute {
			if k.Declaration == w.Declaration || !meet(k.Declaration, w.Declaration) || beaten(attribute, i, k.Declaration) {
				continue
			}
			if compare(k, w) > 0 {
				w.under = true
				if !k.strong() && !c.promote(k, nil) {
					c.drop(e, attribute, i)
				}
			} else if k.strong() {
				w.over = true
			}
		}
	}
	for i, w := range attribute {
		for _, v := range attribute[:i] {
			w.over = w.over || v.strongIn() && meet(v.Declaration, w.Declaration) && !beaten(attribute, slices.Index(attribute, v), nil)
		}
		if w.over && !w.Important && (w.under || w.hit == nil && w.Frozen) || w.Important && w.under && (w.over || loses(attribute[:i], w)) {
			c.conflict(e, attribute, sheet, i)
		}
	}
	return attribute
}

// loses tells whether an author's style attribute, which is written last, sets what a rule wins by saying !important.
func loses(before []*claim, w *claim) bool {
	return slices.ContainsFunc(before, func(v *claim) bool { return v.hit == nil && meet(v.Declaration, w.Declaration) })
}

// strong tells that a claim of the sheet says !important.
func (k *claim) strong() bool { return k.Important || k.Promoted }

// strongIn tells that a claim of the attribute does.
func (w *claim) strongIn() bool { return w.over || w.Important && !w.under }

// beaten tells whether, of what the i-th claim of an attribute sets (and k, if given, sets too), later ones surely set all.
func beaten(attribute []*claim, i int, k *sheet.Declaration) bool {
	w := attribute[i]
	if w.Wide || k != nil && k.Wide {
		k = nil
	}
	for _, name := range w.Sets {
		if k != nil && !slices.Contains(k.Sets, name) {
			continue
		}
		if !slices.ContainsFunc(attribute[i+1:], func(l *claim) bool { return !l.unsure() && slices.Contains(l.Sets, name) }) {
			return false
		}
	}
	return !w.Wide
}

// unsure tells that a declaration of a style attribute may not be there, or not be heeded: it depends on a value.
func (w *claim) unsure() bool { return w.Doubtful }

// promote has a declaration in the sheet say !important. With whom it was made to follow it is undone when that cannot be.
func (c *contest) promote(k, follows *claim) bool {
	if k.Frozen {
		if follows != nil && !follows.Important {
			follows.Frozen, c.again = true, true
		}
		return false
	}
	k.Promoted, c.changed = true, true
	return true
}

// drop leaves a claim of a rule out of an element's attribute, with those that it wins over: the sheet has them.
func (c *contest) drop(e *tree.Element, attribute []*claim, i int) {
	w := attribute[i]
	if w.hit == nil || c.skip[e][w.Declaration] {
		return
	}
	if c.skip[e] == nil {
		c.skip[e] = map[*sheet.Declaration]bool{}
	}
	c.skip[e][w.Declaration] = true
	w.hit.Rule.Kept, c.changed = true, true
	for j, v := range attribute[:i] {
		if meet(v.Declaration, w.Declaration) {
			c.drop(e, attribute, j)
		}
	}
}

// conflict deals with a claim that cannot win and lose as it should.
func (c *contest) conflict(e *tree.Element, attribute, sheet []*claim, i int) {
	w := attribute[i]
	if w.hit != nil {
		c.drop(e, attribute, i)
		return
	}
	for _, k := range sheet { // the author's own attribute stays: what it must win over may not be promoted
		if k.Promoted && !k.Important && compare(k, w) < 0 && meet(k.Declaration, w.Declaration) {
			k.Frozen, c.again = true, true
		}
	}
	for j, v := range attribute[:i] { // nor may what we put in front of it say !important
		if v.strongIn() && meet(v.Declaration, w.Declaration) && !v.Important {
			c.drop(e, attribute, j)
		}
	}
}
