package sheet

import (
	"slices"
	"strings"

	"github.com/tdewolff/parse/v2/css"
)

// Declaration sets a property.
type Declaration struct {
	Name      string // in lower case, but for custom properties
	Value     string // with single spaces, without comments
	Important bool
	End       int      // octets of the source, behind the value
	Sets      []string // the longhands that it sets
	Wide      bool     // it may set any property
	Function  bool     // its value has one, so that not every program may know it

	Promoted bool // gets !important in the sheet
	Frozen   bool // must not get it
	Doubtful bool // of a style attribute: it depends on a value whether it is there, and valid
}

type unreadable struct {
	at   int
	hint string
}

// Attribute reads the value of a style attribute, which begins at an octet of the source. It passes over what it cannot read.
func Attribute(text string, at int) []*Declaration {
	list, _ := declarations(tokens(text, at))
	return list
}

// declarations reads the inside of a block (CSS Syntax §5.4.4). It gives the first that cannot be read as well; others read
// on behind it.
func declarations(ts []token) (list []*Declaration, bad *unreadable) {
	for len(ts) > 0 {
		end := declarationEnd(ts)
		part := ts[:end]
		ts = ts[min(end+1, len(ts)):]
		for len(part) > 0 && part[0].blank() {
			part = part[1:]
		}
		for len(part) > 0 && part[len(part)-1].blank() {
			part = part[:len(part)-1]
		}
		if len(part) == 0 {
			continue
		}
		d, hint := readDeclaration(part)
		if hint != "" && bad == nil {
			bad = &unreadable{part[0].at, hint}
		}
		if d != nil {
			list = append(list, d)
		}
	}
	return list, bad
}

// declarationEnd gives the place of the next ; outside of brackets.
func declarationEnd(ts []token) int {
	for i := 0; i < len(ts); i++ {
		switch ts[i].kind {
		case css.SemicolonToken:
			return i
		case css.LeftBraceToken, css.LeftBracketToken, css.LeftParenthesisToken, css.FunctionToken:
			i = blockEnd(ts, i) - 1
		}
	}
	return len(ts)
}

// readDeclaration reads one, without the blanks around it. What may be one, but not for us, may set any property.
func readDeclaration(ts []token) (d *Declaration, hint string) {
	if slices.ContainsFunc(ts, func(t token) bool { return t.kind == css.LeftBraceToken }) {
		return &Declaration{Wide: true, Frozen: true}, "write rules that are inside of others on their own; as they are, style attributes win over them"
	}
	if ts[0].is(filler) {
		return &Declaration{Wide: true, Frozen: true}, ""
	}
	i := 1
	for i < len(ts) && ts[i].blank() {
		i++
	}
	if ts[0].kind != css.IdentToken && ts[0].kind != css.CustomPropertyNameToken || i == len(ts) || ts[i].kind != css.ColonToken {
		if slices.ContainsFunc(ts, func(t token) bool { return t.is(filler) }) {
			return &Declaration{Wide: true, Frozen: true}, ""
		}
		return nil, "it must have the form name: value"
	}
	d = &Declaration{Name: ts[0].text, End: ts[len(ts)-1].end()}
	if ts[0].kind == css.IdentToken {
		d.Name = strings.ToLower(d.Name)
	}
	d.Sets = longhands(d.Name)
	d.Wide = d.Name == "all"
	d.Frozen = d.Wide
	value := d.takeImportant(ts[i+1:])
	for i := 0; i < len(value); i++ {
		switch t := value[i]; t.kind {
		case css.BadStringToken, css.BadURLToken, css.RightBraceToken, css.RightBracketToken, css.RightParenthesisToken:
			return nil, "a bracket or a quote in it stands alone"
		case css.FunctionToken, css.LeftParenthesisToken, css.LeftBracketToken:
			d.Function = true
			i = blockEnd(value, i) - 1
		case css.URLToken:
			d.Function = true
		}
	}
	if d.Value = valueText(value); d.Value == "" {
		return nil, "it has no value"
	}
	return d, ""
}

// takeImportant takes !important off a value.
func (d *Declaration) takeImportant(ts []token) []token {
	var words []int
	for i := len(ts) - 1; i >= 0 && len(words) < 2; i-- {
		if !ts[i].blank() {
			words = append(words, i)
		}
	}
	if len(words) == 2 && strings.EqualFold(ts[words[0]].text, "important") && ts[words[1]].is("!") {
		d.Important = true
		return ts[:words[1]]
	}
	return ts
}

// valueText writes a value for an attribute: in one line, with single quotes where they will do.
func valueText(ts []token) string {
	var b strings.Builder
	for i, t := range ts {
		switch s := t.text; {
		case t.kind == css.CommentToken && (i == 0 || !ts[i-1].blank()), t.kind == css.WhitespaceToken:
			b.WriteString(" ")
		case t.kind == css.CommentToken:
		case t.kind == css.StringToken && s[0] == '"' && !strings.ContainsAny(s[1:], `'\`) && strings.HasSuffix(s[1:], `"`):
			b.WriteString("'" + s[1:len(s)-1] + "'")
		default:
			b.WriteString(s)
		}
	}
	return strings.TrimSpace(strings.ReplaceAll(b.String(), "  ", " "))
}

// sides of boxes, and what is set with them.
func sides(prefix, suffix string) []string {
	return []string{prefix + "-top" + suffix, prefix + "-right" + suffix, prefix + "-bottom" + suffix, prefix + "-left" + suffix}
}

// border gives the longhands of border, or of some of its sides or aspects.
func border(sides, aspects []string) (list []string) {
	for _, s := range sides {
		for _, a := range aspects {
			list = append(list, "border-"+s+"-"+a)
		}
	}
	return list
}

// longhands lists what a property sets besides or instead of itself.
func longhands(name string) []string {
	all, aspects := []string{"top", "right", "bottom", "left"}, []string{"width", "style", "color"}
	switch name {
	case "margin", "padding":
		return sides(name, "")
	case "border":
		return append(border(all, aspects), "border-image-source", "border-image-slice", "border-image-width", "border-image-outset", "border-image-repeat")
	case "border-top", "border-right", "border-bottom", "border-left":
		return border([]string{strings.TrimPrefix(name, "border-")}, aspects)
	case "border-width", "border-style", "border-color":
		return border(all, []string{strings.TrimPrefix(name, "border-")})
	case "border-radius":
		return []string{"border-top-left-radius", "border-top-right-radius", "border-bottom-right-radius", "border-bottom-left-radius"}
	case "inset":
		return all
	case "overflow":
		return []string{"overflow-x", "overflow-y"}
	case "flex-flow":
		return []string{"flex-direction", "flex-wrap"}
	case "gap", "grid-gap":
		return []string{"row-gap", "column-gap"}
	case "columns":
		return []string{"column-width", "column-count"}
	case "word-wrap":
		return []string{"overflow-wrap"}
	}
	if rest, ok := shorthands[name]; ok {
		list := make([]string, len(rest))
		for i, s := range rest {
			if list[i] = s; strings.HasPrefix(s, "-") {
				list[i] = name + s
			}
		}
		return list
	}
	return []string{name}
}

// shorthands are properties that set others; those that begin with - have the shorthand before it.
var shorthands = map[string][]string{
	"background": {"-color", "-image", "-repeat", "-attachment", "-position-x", "-position-y", "-size", "-origin", "-clip"},
	"font": {"-family", "-size", "-stretch", "-style", "-variant", "-variant-caps", "-variant-ligatures", "-variant-numeric",
		"-variant-east-asian", "-weight", "line-height", "-size-adjust", "-kerning", "-feature-settings"},
	"background-position": {"-x", "-y"},
	"font-variant":        {"font-variant", "-caps", "-ligatures", "-numeric", "-east-asian"},
	"border-image":        {"-source", "-slice", "-width", "-outset", "-repeat"},
	"list-style":          {"-type", "-position", "-image"},
	"outline":             {"-color", "-style", "-width"},
	"text-decoration":     {"-line", "-style", "-color", "-thickness"},
	"text-emphasis":       {"-style", "-color"},
	"flex":                {"-grow", "-shrink", "-basis"},
	"column-rule":         {"-width", "-style", "-color"},
	"place-content":       {"align-content", "justify-content"},
	"place-items":         {"align-items", "justify-items"},
	"place-self":          {"align-self", "justify-self"},
	"grid-area":           {"grid-row-start", "grid-row-end", "grid-column-start", "grid-column-end"},
	"grid-row":            {"-start", "-end"},
	"grid-column":         {"-start", "-end"},
	"grid-template":       {"-rows", "-columns", "-areas"},
	"grid": {"-template-rows", "-template-columns", "-template-areas", "-auto-rows", "-auto-columns",
		"-auto-flow"},
	"transition": {"-property", "-duration", "-timing-function", "-delay"},
	"animation": {"-name", "-duration", "-timing-function", "-delay", "-iteration-count", "-direction", "-fill-mode",
		"-play-state"},
}
