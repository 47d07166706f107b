// Package style moves the rules of <style> elements into the style attributes of the elements that they match, since some
// programs that read mail know attributes only. It does so once for each template:
//
//  1. the templates make one page (package page), with the elements of a partial wherever it is called;
//  2. the rules of its <style> elements are read (package sheet), and each is asked which elements it matches: surely, or perhaps, since
//     a class, a place among siblings or what is around an element may depend on a row's values (package tree);
//  3. a rule that can be done by attributes alone leaves its <style> element; any other stays there, as it was written:
//     at-rules, what is under a branch or holds an action, :hover, ::before, what matches perhaps, what cannot be read, and
//     what matches nothing here but may match what a mail program puts around the letter;
//  4. where rules that stay meet declarations in attributes, the same must win as before. A declaration that stays and won,
//     such as one for dark mode or small screens, is made !important, and so is one in an attribute that won over such a
//     one. What cannot win and lose as it should that way is left out of the attribute, and its rule stays;
//  5. the source is edited: attributes get declarations in front of what they hold, sheets lose rules, and a template
//     whose elements come out differently where it is called gets copies under new names.
//
// Nothing else of the source changes; all actions stay where they are. A <style> element with a media or data-embed
// attribute keeps its rules, one that ends up empty is removed.
package style

import (
	"github.com/mailblast/mailblast/composer/letter/page"
	"github.com/mailblast/mailblast/composer/letter/style/sheet"
	"github.com/mailblast/mailblast/composer/letter/style/tree"
)

// Fault is what could not be moved for a reason that an author should know. The letter can be sent.
type Fault = sheet.Fault

// Inline moves rules of templates that are used together: the first is the one that is executed, the others are known by
// their names. It gives the same templates, edited, and behind them copies that it had to make; origin holds for each copy
// the index of the template that it was made of. All of them must be given to the next who needs the page. When something
// is too large, or cannot be edited, the templates come back as they are, with a fault.
func Inline(templates ...page.Template) (out []page.Template, origin []int, faults []Fault) {
	p := page.Parse(templates...)
	elements, sheets, faults, ok := tree.Match(p)
	if len(sheets) == 0 {
		return templates, nil, nil
	}
	c := newContest(elements)
	if p.Cut || !ok || !c.run() {
		return templates, nil, append(faults, stay(p, sheets, "the page has too many elements and rules to move them into style attributes",
			"a letter needs some hundred rules"))
	}
	out, origin, err := newWriter(p).write(c, sheets)
	if err != nil {
		return templates, nil, append(faults, stay(p, sheets, "the rules cannot be moved into style attributes: "+err.Error(),
			"look for tags and rules that do not end"))
	}
	return out, origin, faults
}

// stay is the fault of a page whose rules all stay where they are.
func stay(p *page.Page, sheets []*sheet.Sheet, why, hint string) Fault {
	first := sheets[0].Element
	return Fault{Source: p.Templates[first.Template].Name, Offset: first.Start, Text: why + ", so they stay in the style sheet", Hint: hint}
}
