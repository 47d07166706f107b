// Package sheet reads style sheets that are parts of templates (CSS Syntax Module Level 3) and edits them in place:
//
//  1. a text with its actions put out of sight is cut into tokens, which together are the text;
//  2. tokens become rules, with those inside of at-rules, and each rule says whether it may leave its sheet at all;
//  3. selectors are taken apart down to simple ones, so that one can tell what each of them looks at;
//  4. declarations say which longhands they set, so that one can tell which of them meet;
//  5. rules that are not to be kept are taken out of the sheet again.
package sheet

import (
	"slices"
	"strconv"
	"strings"

	"github.com/andybalholm/cascadia"
	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/css"

	"github.com/mailblast/mailblast/composer/letter/page"
)

// Fault is what an author should know of a style sheet, for a person. The letter can be sent.
type Fault struct {
	Source string // a template's name
	Offset int    // in octets
	Text   string
	Hint   string
}

// Rule is a style rule of a style sheet.
type Rule struct {
	lead         int // octets of the source: where the white space and comments before it begin,
	start, end   int // and where it stands
	Order        int
	Selectors    []*Selector
	Declarations []*Declaration

	Stays   bool // in the sheet whatever it matches: of an at-rule, of a branch, not readable …
	Layered bool // in a cascade layer: other rules win
	Kept    bool // in the sheet, since it stays or since what it does can't be done by style attributes alone
}

// Sheet is one style element.
type Sheet struct {
	Element *page.Node
	text    *page.Node // nil: it is empty
	Rules   []*Rule    // in their order; with those of at-rules
}

// token of CSS, with its place in the source.
type token struct {
	kind css.TokenType
	text string
	at   int
}

func (t token) end() int { return t.at + len(t.text) }

func (t token) blank() bool { return t.kind == css.WhitespaceToken || t.kind == css.CommentToken }

func (t token) is(delim string) bool { return t.kind == css.DelimToken && t.text == delim }

// tokens cuts a text into tokens (CSS Syntax §4). Together they are the text.
func tokens(text string, at int) []token {
	var list []token
	for l := css.NewLexer(parse.NewInputString(text)); ; {
		kind, b := l.Next()
		if kind == css.ErrorToken {
			return list
		}
		list = append(list, token{kind, string(b), at})
		at += len(b)
	}
}

// filler stands for an octet of an action in a masked text: no token of more than one octet begins with it.
const filler = "\x01"

// sheetParser makes rules of tokens (CSS Syntax §5.4.1).
type sheetParser struct {
	page     *page.Page
	template int
	stays    bool
	actions  map[int]*page.Action // of the sheet, by their start
	rules    []*Rule
	faults   []Fault
}

func (p *sheetParser) fault(at int, text, hint string) {
	p.faults = append(p.faults, Fault{Source: p.page.Templates[p.template].Name, Offset: at, Text: text, Hint: hint})
}

// Parse reads a style element. What stays stands in a branch, is for some media only, or is wanted there.
func Parse(pg *page.Page, element *page.Node, stays bool) (*Sheet, []Fault) {
	s := &Sheet{Element: element}
	if len(element.Children) == 0 {
		return s, nil
	}
	s.text = element.Children[0]
	p := &sheetParser{page: pg, template: element.Template, stays: stays, actions: map[int]*page.Action{}}
	for _, a := range pg.ActionsIn(p.template, s.text.Start, s.text.End) {
		p.actions[a.Start] = a
		if a.Keyword == "template" || a.Keyword == "block" {
			p.fault(a.Start, "the rules of template "+strconv.Quote(a.Name)+" stay in the style sheet, where style attributes win over them",
				"write the rules into the <style> element itself")
		}
	}
	p.list(tokens(pg.Masked(p.template, s.text.Start, s.text.End), s.text.Start), false, stays)
	s.Rules = p.rules
	return s, p.faults
}

// list reads rules, those of an at-rule or those of the sheet.
func (p *sheetParser) list(ts []token, layered, stays bool) {
	for i := 0; i < len(ts); {
		var lead int
		lead, i = p.skip(ts, i)
		if i == len(ts) {
			return
		}
		body := slices.IndexFunc(ts[i:], func(t token) bool { return t.kind == css.LeftBraceToken })
		if ts[i].kind == css.AtKeywordToken {
			i = p.atRule(ts, i, layered)
			continue
		}
		if body < 0 {
			if !ts[i].is(filler) {
				p.fault(ts[i].at, "what follows is no rule", "it stays in the style sheet as it is")
			}
			return
		}
		body += i
		end := blockEnd(ts, body)
		p.rule(ts[lead].at, ts[i:body], ts[body:end], layered, stays)
		i = end
	}
}

// skip passes over white space, comments, the marks of HTML comments, and actions that print nothing. lead is where what
// belongs to the next rule begins: the blanks before it.
func (p *sheetParser) skip(ts []token, i int) (lead, next int) {
	lead = i
	for i < len(ts) {
		a := p.actions[ts[i].at]
		switch {
		case ts[i].blank():
			i++
		case ts[i].kind == css.CDOToken, ts[i].kind == css.CDCToken:
			i++
			lead = i
		case a != nil && a.Keyword != "" && a.Keyword != "template" && a.Keyword != "block":
			for i < len(ts) && ts[i].at < a.End {
				i++
			}
			lead = i
		default:
			return lead, i
		}
	}
	return lead, i
}

// atRule passes over an at-rule and reads the style rules in it, all of which stay.
func (p *sheetParser) atRule(ts []token, start int, layered bool) int {
	for i := start; i < len(ts); i++ {
		switch ts[i].kind {
		case css.SemicolonToken:
			return i + 1
		case css.LeftBraceToken:
			end := blockEnd(ts, i)
			switch name := strings.ToLower(ts[start].text); name {
			case "@layer", "@media", "@supports", "@container", "@scope", "@starting-style", "@document", "@-moz-document":
				inside := ts[i+1 : end]
				if n := len(inside); n > 0 && inside[n-1].kind == css.RightBraceToken {
					inside = inside[:n-1]
				}
				p.list(inside, layered || name == "@layer", true)
			}
			return end
		}
	}
	return len(ts)
}

// blockEnd gives the place behind the bracket that closes the one at start (CSS Syntax §5.4.8).
func blockEnd(ts []token, start int) int {
	var open []css.TokenType
	for i := start; i < len(ts); i++ {
		switch k := ts[i].kind; k {
		case css.LeftBraceToken:
			open = append(open, css.RightBraceToken)
		case css.LeftBracketToken:
			open = append(open, css.RightBracketToken)
		case css.LeftParenthesisToken, css.FunctionToken:
			open = append(open, css.RightParenthesisToken)
		case css.RightBraceToken, css.RightBracketToken, css.RightParenthesisToken:
			if k == open[len(open)-1] {
				open = open[:len(open)-1]
			}
			if len(open) == 0 {
				return i + 1
			}
		}
	}
	return len(ts)
}

// rule reads one style rule.
func (p *sheetParser) rule(lead int, prelude, block []token, layered, stays bool) {
	last := block[len(block)-1]
	r := &Rule{lead: lead, start: firstAt(prelude, block), end: last.end(), Layered: layered,
		Stays: stays || p.branched(block[0].at)}
	p.rules = append(p.rules, r)
	inside := block[1:]
	if len(block) > 1 && last.kind == css.RightBraceToken {
		inside = block[1 : len(block)-1]
	} else {
		r.Stays = true // it goes on to the end of the sheet
	}
	list, bad := declarations(inside)
	if r.Declarations = list; bad != nil {
		r.Stays = true
		p.fault(bad.at, "this is no declaration, so the rule stays in the style sheet", bad.hint)
	}
	r.Stays = r.Stays || slices.ContainsFunc(list, func(d *Declaration) bool { return d.Wide })
	r.Stays = r.Stays || p.holdsAction(r.start, r.end)
	if p.holdsAction(r.start, block[0].at) {
		r.Selectors = unknown(prelude)
		return
	}
	var err error
	if r.Selectors, err = parseSelectors(prelude); err != nil {
		r.Stays, r.Selectors, r.Declarations = true, nil, nil // nobody obeys it
		p.fault(r.start, "the selector cannot be read: "+err.Error(), "the rule stays in the style sheet as it is")
	}
}

// firstAt gives where a rule begins: with its prelude, if it has one.
func firstAt(prelude, block []token) int {
	if len(prelude) > 0 {
		return prelude[0].at
	}
	return block[0].at
}

func (p *sheetParser) holdsAction(from, to int) bool {
	for _, a := range p.actions {
		if a.Start < to && a.End > from {
			return true
		}
	}
	return false
}

// branched tells whether a place in the sheet is inside of an if, range or with.
func (p *sheetParser) branched(at int) bool {
	for _, a := range p.actions {
		if (a.Keyword == "if" || a.Keyword == "range" || a.Keyword == "with") && a.Start < at && (a.Stop == nil || a.Stop.Start > at) {
			return true
		}
	}
	return false
}

// unknown gives selectors that hold actions: they may match anything, with the specificity that they seem to have.
func unknown(prelude []token) []*Selector {
	list, err := parseSelectors(tokens(strings.ReplaceAll(joined(prelude), filler, "x"), 0))
	if err != nil {
		list = []*Selector{{Specificity: cascadia.Specificity{1, 0, 0}}}
	}
	for _, s := range list {
		s.Any, s.Pseudo = true, false
	}
	return list
}
