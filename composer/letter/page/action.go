package page

import (
	"bytes"
	"sort"
	"strconv"
	"strings"
)

// Action is one {{ action }} in a template's source.
type Action struct {
	Start, End         int     // octets, with the delimiters
	Keyword            string  // define, block, template, if, range, with, else, end, break, continue; "" of any other
	Name               string  // of the template that define, block and template name
	NameStart, NameEnd int     // octets of that name with its quotes
	Stop               *Action // the end of if, range, with, define and block; nil when there is none
	Parent             *Action // the innermost if, range, with, define or block around it

	opener *Action // of an end
	prints bool    // it puts a value into the page
}

// filler takes the place of each octet of an action. Nothing in HTML begins, ends or parts anything with it.
const filler = 0x01

// source is a template with its actions put out of sight.
type source struct {
	text    string
	masked  []byte // as long as text
	actions []*Action
	at      map[int]*Action // by their start
}

func newSource(text string) *source {
	s := &source{text: text, masked: []byte(text), actions: actions(text), at: map[int]*Action{}}
	for _, a := range s.actions {
		s.at[a.Start] = a
		copy(s.masked[a.Start:a.End], bytes.Repeat([]byte{filler}, a.End-a.Start))
	}
	return s
}

// actions finds the actions of a template as text/template's lexer does. One that does not end takes all the rest.
func actions(text string) []*Action {
	var list, open []*Action
	for at := 0; ; {
		i := strings.Index(text[at:], "{{")
		if i < 0 {
			return list
		}
		a := readAction(text, at+i)
		at = a.End
		if len(open) > 0 {
			a.Parent = open[len(open)-1]
		}
		switch a.Keyword {
		case "if", "range", "with", "define", "block":
			open = append(open, a)
		case "end":
			if len(open) > 0 {
				a.opener, a.Parent.Stop = a.Parent, a
				a.Parent = a.Parent.Parent
				open = open[:len(open)-1]
			}
		}
		list = append(list, a)
	}
}

func readAction(text string, start int) *Action {
	a := &Action{Start: start, End: len(text)}
	at := start + len("{{")
	if strings.HasPrefix(text[at:], "-") && len(text) > at+1 && space(text[at+1]) {
		at += 2
	}
	if strings.HasPrefix(text[at:], "/*") {
		if i := strings.Index(text[at:], "*/"); i >= 0 {
			if j := strings.Index(text[at+i:], "}}"); j >= 0 {
				a.End = at + i + j + len("}}")
			}
		}
		return a
	}
	if end := delimiter(text, at); end >= 0 {
		a.End = end
	}
	a.read(text, at)
	return a
}

// delimiter finds the end of an action's right delimiter from inside of the action; -1: there is none.
func delimiter(text string, at int) int {
	for at < len(text) {
		switch c := text[at]; {
		case strings.HasPrefix(text[at:], "}}"):
			return at + len("}}")
		case c == '"' || c == '\'' || c == '`':
			n := quoted(text[at:])
			if n < 0 {
				return -1
			}
			at += n
		default:
			at++
		}
	}
	return -1
}

// quoted gives the length of the string or character constant that a text begins with; -1: it does not end.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == s[0]:
			return i + 1
		case s[i] == '\\' && s[0] != '`':
			i++
		}
	}
	return -1
}

// read takes the inside of an action apart as far as it concerns the page.
func (a *Action) read(text string, at int) {
	inside := text[:a.End]
	skip := func() {
		for at < len(inside) && space(inside[at]) {
			at++
		}
	}
	skip()
	word := inside[at:]
	if i := strings.IndexFunc(word, func(r rune) bool { return r < 'a' || r > 'z' }); i >= 0 {
		word = word[:i]
	}
	switch word {
	case "define", "block", "template":
		a.Keyword = word
		at += len(word)
		skip()
		a.readName(inside, at)
	case "if", "range", "with", "else", "end", "break", "continue":
		a.Keyword = word
	default:
		variable, rest, assigned := strings.Cut(inside[at:], "=")
		a.prints = !assigned || !strings.HasPrefix(variable, "$") || strings.HasPrefix(rest, "=") || strings.ContainsAny(variable, "\"'`(|")
	}
}

func (a *Action) readName(inside string, at int) {
	if at == len(inside) || inside[at] != '"' && inside[at] != '`' {
		return
	}
	n := quoted(inside[at:])
	if n < 0 {
		return
	}
	name, err := strconv.Unquote(inside[at : at+n])
	if err != nil {
		return
	}
	a.Name, a.NameStart, a.NameEnd = name, at, at+n
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }

// control gives the innermost of an action and those around it that is an if, range or with, within its template.
func (a *Action) control() *Action {
	for ; a != nil; a = a.Parent {
		switch a.Keyword {
		case "if", "range", "with":
			return a
		case "define", "block":
			return nil
		}
	}
	return nil
}

// ActionsIn gives the actions of a template of which some octet is in a range.
func (p *Page) ActionsIn(template, from, to int) []*Action {
	list := p.Actions[template]
	first := sort.Search(len(list), func(i int) bool { return list[i].End > from })
	n := sort.Search(len(list)-first, func(i int) bool { return list[first+i].Start >= to })
	return list[first : first+n]
}

// Masked gives a part of a template's source with an octet of value 1 for each octet of an action, so that nothing in an
// action is taken for something else.
func (p *Page) Masked(template, from, to int) string {
	masked := []byte(p.Templates[template].Text[from:to])
	for _, a := range p.ActionsIn(template, from, to) {
		for i := max(a.Start, from); i < min(a.End, to); i++ {
			masked[i-from] = filler
		}
	}
	return string(masked)
}
