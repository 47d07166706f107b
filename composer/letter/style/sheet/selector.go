package sheet

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/andybalholm/cascadia"
	"github.com/tdewolff/parse/v2/css"
)

// Selector is a complex selector (Selectors §3.1), one of a rule's list.
type Selector struct {
	Compounds   []compound
	Specificity cascadia.Specificity
	Pseudo      bool // it styles a pseudo-element, not the element itself
	Any         bool // an action is in it: it may match anything
	Ordered     bool // it looks at siblings
	Used        bool // it matches some element, if only perhaps
}

// compound is what stands between combinators.
type compound struct {
	Combinator byte // to the one before: ' ', >, + or ~; 0: it is the first
	Simple     []Simple
}

// simple selector. Which elements it matches is cascadia's to say, as far as the element is known.
type Simple struct {
	Match   cascadia.Sel // nil: nobody can tell before the letter is read, as with :hover
	Attr    string       // the attribute that it looks at; "": none
	Ordered bool         // it looks at the element's place among its siblings
	Empty   bool         // it looks at what is inside
	Not     [][]Simple   // :not(): compounds of which none may match
}

// The pseudo-classes that tell the place among siblings, and the pseudo-elements that may have one colon.
var (
	places = []string{"first-child", "last-child", "only-child", "first-of-type", "last-of-type", "only-of-type",
		"nth-child", "nth-last-child", "nth-of-type", "nth-last-of-type"}
	oldElements = []string{"before", "after", "first-line", "first-letter"}
)

// parseSelectors reads a selector list. One that cannot be read makes all of it invalid (Selectors §3.9).
func parseSelectors(ts []token) ([]*Selector, error) {
	var list []*Selector
	for {
		end := commaAt(ts)
		s, err := parseSelector(ts[:end])
		if err != nil {
			return nil, err
		}
		list = append(list, s)
		if end == len(ts) {
			return list, nil
		}
		ts = ts[end+1:]
	}
}

func commaAt(ts []token) int {
	for i := 0; i < len(ts); i++ {
		switch ts[i].kind {
		case css.CommaToken:
			return i
		case css.LeftBracketToken, css.LeftParenthesisToken, css.FunctionToken:
			i = blockEnd(ts, i) - 1
		}
	}
	return len(ts)
}

var errNoSelector = errors.New("something is missing")

func parseSelector(ts []token) (*Selector, error) {
	s := &Selector{}
	var combinator byte
	for i := 0; i < len(ts); {
		if i = skipBlank(ts, i, &combinator); i == len(ts) {
			break
		}
		if c := ts[i].text; c == ">" || c == "+" || c == "~" {
			if len(s.Compounds) == 0 || combinator != 0 && combinator != ' ' {
				return nil, fmt.Errorf("%s stands alone", c)
			}
			combinator = c[0]
			i++
			continue
		}
		c := compound{Combinator: combinator}
		if len(s.Compounds) == 0 {
			c.Combinator = 0
		}
		start := i
		var err error
		if i, err = s.compound(&c, ts, i); err != nil {
			return nil, err
		}
		if i == start {
			return nil, fmt.Errorf("%q cannot stand there", ts[i].text)
		}
		s.Compounds = append(s.Compounds, c)
		s.Ordered = s.Ordered || c.Combinator == '+' || c.Combinator == '~' || slices.ContainsFunc(c.Simple, func(m Simple) bool { return m.Ordered || m.Empty })
		combinator = 0
	}
	if len(s.Compounds) == 0 || combinator != 0 && combinator != ' ' {
		return nil, errNoSelector
	}
	return s, nil
}

// skipBlank passes over blanks; white space is a combinator when there is no other.
func skipBlank(ts []token, i int, combinator *byte) int {
	for ; i < len(ts) && ts[i].blank(); i++ {
		if ts[i].kind == css.WhitespaceToken && *combinator == 0 {
			*combinator = ' '
		}
	}
	return i
}

// compound reads simple selectors up to a combinator.
func (s *Selector) compound(c *compound, ts []token, i int) (int, error) {
	for i < len(ts) {
		end := i + 1
		switch t := ts[i]; {
		case t.kind == css.CommentToken:
			i++
			continue
		case t.kind == css.IdentToken, t.is("*"), t.kind == css.HashToken:
		case t.is("."):
			end++
		case t.kind == css.LeftBracketToken:
			end = blockEnd(ts, i)
		case t.kind == css.ColonToken:
			if end < len(ts) && ts[end].kind == css.ColonToken {
				end++
			}
			if end < len(ts) && ts[end].kind == css.FunctionToken {
				end = blockEnd(ts, end)
			} else {
				end++
			}
		default:
			return i, nil
		}
		if end > len(ts) {
			return i, errNoSelector
		}
		m, err := s.simple(ts[i:end])
		if err != nil {
			return i, err
		}
		c.Simple = append(c.Simple, m)
		i = end
	}
	return i, nil
}

// simple reads one and adds to the specificity (Selectors §17).
func (s *Selector) simple(ts []token) (Simple, error) {
	if ts[0].kind == css.ColonToken {
		return s.pseudoClass(ts)
	}
	text := joined(ts)
	m, err := cascadia.Parse(text)
	if err != nil {
		return Simple{}, fmt.Errorf("%s: %w", text, err)
	}
	s.Specificity = s.Specificity.Add(m.Specificity())
	c := Simple{Match: m}
	switch {
	case ts[0].is("."):
		c.Attr = "class"
	case ts[0].kind == css.HashToken:
		c.Attr = "id"
	case ts[0].kind == css.LeftBracketToken:
		name := slices.IndexFunc(ts, func(t token) bool { return t.kind == css.IdentToken || t.kind == css.CustomPropertyNameToken })
		if name < 0 || strings.Contains(ts[name].text, `\`) {
			return Simple{}, nil // which attribute it looks at is not known
		}
		c.Attr = strings.ToLower(ts[name].text)
	}
	return c, nil
}

func (s *Selector) pseudoClass(ts []token) (Simple, error) {
	name := strings.ToLower(strings.TrimSuffix(ts[len(ts)-1].text, "("))
	function := false
	for _, t := range ts {
		if t.kind == css.FunctionToken {
			name, function = strings.ToLower(strings.TrimSuffix(t.text, "(")), true
			break
		}
	}
	if ts[1].kind == css.ColonToken || slices.Contains(oldElements, name) {
		s.Pseudo = true
		s.Specificity[2]++
		return Simple{}, nil
	}
	if function && slices.Contains([]string{"not", "is", "has", "where", "matches", "-webkit-any", "-moz-any"}, name) {
		return s.ofSelectors(name, ts), nil
	}
	s.Specificity[1]++
	if slices.Contains(places, name) || name == "empty" {
		if m, err := cascadia.Parse(joined(ts)); err == nil {
			return Simple{Match: m, Ordered: name != "empty", Empty: name == "empty"}, nil
		}
	}
	return Simple{}, nil
}

// ofSelectors reads a pseudo-class of selectors. Only :not() with compound selectors is looked into.
func (s *Selector) ofSelectors(name string, ts []token) Simple {
	var m Simple
	var most cascadia.Specificity
	known := name == "not"
	for i, t := range ts {
		if t.kind != css.FunctionToken {
			continue
		}
		end := len(ts)
		if ts[end-1].kind == css.RightParenthesisToken {
			end--
		}
		inside, err := parseSelectors(ts[i+1 : end])
		known = known && err == nil
		for _, in := range inside {
			if most.Less(in.Specificity) {
				most = in.Specificity
			}
			known = known && len(in.Compounds) == 1 && !in.Pseudo
			m.Not = append(m.Not, in.Compounds[0].Simple)
			m.Ordered = m.Ordered || in.Ordered
		}
		break
	}
	if name != "where" {
		s.Specificity = s.Specificity.Add(most)
	}
	if !known {
		return Simple{}
	}
	return m
}

func joined(ts []token) string {
	var b strings.Builder
	for _, t := range ts {
		b.WriteString(t.text)
	}
	return b.String()
}

// Key is what an element must have at least: #id, .class or a type; "" when that is not known.
func (s *Selector) Key() string {
	if s.Any {
		return ""
	}
	key := ""
	for _, m := range s.Compounds[len(s.Compounds)-1].Simple {
		if m.Match == nil || m.Attr == "" && (m.Ordered || m.Empty) {
			continue
		}
		switch text := m.Match.String(); {
		case strings.Contains(text, `\`):
		case m.Attr == "id" && text[0] == '#':
			return text
		case m.Attr == "class" && text[0] == '.':
			key = text
		case m.Attr == "" && key == "" && text != "*":
			key = text
		}
	}
	return key
}
