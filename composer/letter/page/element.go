package page

import (
	"bytes"
	"slices"
	"strings"
)

// Elements of HTML's syntax (§13.1.2), and where its end tags are implied (§13.2.6).
var (
	void     = []string{"area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link", "meta", "param", "source", "track", "wbr"}
	rawText  = []string{"style", "script", "title", "textarea", "xmp", "iframe", "noembed", "noframes"}
	headings = []string{"h1", "h2", "h3", "h4", "h5", "h6"}
	cells    = []string{"td", "th", "tr", "thead", "tbody", "tfoot", "caption", "colgroup"}

	// closeP are those whose start tag ends a paragraph.
	closeP = []string{"address", "article", "aside", "blockquote", "center", "details", "dialog", "dir", "div", "dl", "fieldset",
		"figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "main", "menu", "nav", "ol",
		"p", "pre", "search", "section", "summary", "table", "ul", "li", "dt", "dd"}

	// scope are those that an end tag does not reach out of; inList those of an item of a list, inParagraph those of one.
	scope       = []string{"html", "table", "td", "th", "caption", "template", "marquee", "object", "applet", "svg", "math"}
	inList      = append([]string{"ul", "ol", "menu", "dl"}, scope...)
	inParagraph = append([]string{"button"}, scope...)
)

// implied lists, for a start tag, the elements that it ends and those that hide such elements from it.
func implied(name string) (ends, hide []string) {
	switch name {
	case "li":
		return []string{"li"}, inList
	case "dt", "dd":
		return []string{"dt", "dd"}, inList
	case "td", "th":
		return []string{"td", "th", "caption", "colgroup"}, []string{"tr", "table"}
	case "tr":
		return []string{"td", "th", "tr", "caption", "colgroup"}, []string{"table"}
	case "thead", "tbody", "tfoot", "caption", "colgroup":
		return cells, []string{"table"}
	case "option":
		return []string{"option"}, []string{"select", "datalist", "optgroup"}
	case "optgroup":
		return []string{"option", "optgroup"}, []string{"select"}
	case "a":
		return []string{"a"}, scope
	}
	return nil, nil
}

// markup reads what begins with < and gives where it ends; start itself when it is no markup.
func (b *builder) markup(start, limit int) int {
	text := b.s.masked[start:limit]
	switch {
	case len(text) < 2, text[0] != '<':
		return start
	case bytes.HasPrefix(text, []byte("<!--")):
		return b.comment(start, limit)
	case text[1] == '!' || text[1] == '?' || text[1] == '/' && len(text) > 2 && !letter(text[2]):
		end := limit
		if i := bytes.IndexByte(text, '>'); i >= 0 {
			end = start + i + 1
		}
		b.leaf("#comment", start, end)
		return end
	case text[1] == '/' && len(text) > 2:
		n, _ := b.s.startTag(start+1, limit)
		if n == nil {
			b.endless = true
			return start
		}
		b.endTag(n.Name, start, n.End)
		return n.End
	case letter(text[1]):
		n, self := b.s.startTag(start, limit)
		if n == nil {
			b.endless = true
			return start
		}
		return b.startTag(n, self, limit)
	}
	return start
}

// comment ends at -->, --!> or, when it is <!--> or <!--->, at once (§13.2.5.43 to 51).
func (b *builder) comment(start, limit int) int {
	rest := b.s.masked[start+len("<!--") : limit]
	end := limit
	switch {
	case bytes.HasPrefix(rest, []byte(">")), bytes.HasPrefix(rest, []byte("->")):
		end = start + bytes.IndexByte(b.s.masked[start:limit], '>') + 1
	default:
		if i := bytes.Index(rest, []byte("-->")); i >= 0 {
			end = start + len("<!--") + i + len("-->")
			rest = rest[:i]
		}
		if i := bytes.Index(rest, []byte("--!>")); i >= 0 {
			end = min(end, start+len("<!--")+i+len("--!>"))
		}
	}
	b.leaf("#comment", start, end)
	return end
}

// startTag adds an element and gives where to go on: behind the tag, or behind the element when its text is raw.
func (b *builder) startTag(n *Node, self bool, limit int) int {
	if (n.Name == "html" || n.Name == "body" || n.Name == "head") && b.find([]string{n.Name}, nil) >= 0 {
		return n.End // its attributes would be the first one's
	}
	if n.Name == "body" {
		b.close([]string{"head"}, nil, n.Start)
	}
	if slices.Contains(closeP, n.Name) {
		b.close([]string{"p"}, inParagraph, n.Start)
	}
	if top := b.open[len(b.open)-1]; slices.Contains(headings, n.Name) && slices.Contains(headings, top.Name) {
		b.pop(len(b.open)-1, n.Start)
	}
	if ends, hide := implied(n.Name); ends != nil {
		b.close(ends, hide, n.Start)
	}
	b.add(n)
	n.Until = n.End
	switch foreign := b.find([]string{"svg", "math"}, nil) >= 0; {
	case slices.Contains(void, n.Name), foreign && self:
	case slices.Contains(rawText, n.Name) && !foreign:
		return b.raw(n, limit)
	case len(b.open) < maxDepth:
		n.Until = limit
		b.open = append(b.open, n)
	}
	return n.End
}

// raw adds the text of an element in which there are no tags but its own end.
func (b *builder) raw(n *Node, limit int) int {
	end, after := limit, limit
	for at := n.End; at < limit; at++ {
		i := bytes.Index(b.s.masked[at:limit], []byte("</"))
		if i < 0 {
			break
		}
		at += i
		name := at + len("</")
		if tail := name + len(n.Name); tail < limit && strings.EqualFold(b.s.text[name:tail], n.Name) && !letter(b.s.masked[tail]) {
			if tag, _ := b.s.startTag(at+1, limit); tag != nil {
				end, after = at, tag.End
			}
			break // a tag that does not end takes all that follows
		}
	}
	b.open = append(b.open, n)
	if end > n.End {
		b.leaf("#text", n.End, end)
	}
	b.open = b.open[:len(b.open)-1]
	n.Until = after
	return after
}

// endTag ends an element that is open and in reach, with those inside of it; otherwise it does nothing.
func (b *builder) endTag(name string, start, end int) {
	names, hide := []string{name}, scope
	switch {
	case name == "html" || name == "body": // what follows is still inside (§13.2.6.4.19)
		return
	case name == "table":
		hide = nil
	case slices.Contains(cells, name):
		hide = []string{"table"}
	case name == "li":
		hide = inList
	case name == "p":
		hide = inParagraph
	case slices.Contains(headings, name):
		names = headings
	}
	i := b.find(names, hide)
	if i < 0 {
		if name == "p" { // a reader makes an empty paragraph of it (§13.2.6.4.7)
			b.add(&Node{Name: "p", Start: start, End: start, Until: end})
		}
		return
	}
	n := b.open[i]
	b.pop(i, start)
	b.endAt(n, end)
}

// find gives the place of the innermost open element with one of some names, unless one of others is further inside; -1: none.
func (b *builder) find(names, hide []string) int {
	for i := len(b.open) - 1; i > 0; i-- {
		switch n := b.open[i].Name; {
		case slices.Contains(names, n):
			return i
		case slices.Contains(hide, n):
			return -1
		}
	}
	return -1
}

// close ends all elements with some names that are in reach.
func (b *builder) close(names, hide []string, at int) {
	for i := b.find(names, hide); i >= 0; i = b.find(names, hide) {
		b.pop(i, at)
	}
}

// pop ends the open elements from the i-th on.
func (b *builder) pop(i, at int) {
	for _, n := range b.open[i:] {
		b.endAt(n, at)
	}
	b.open = b.open[:i]
}

func (b *builder) endAt(n *Node, at int) {
	if n.Until = at; n.Call != b.call {
		n.Until = -1
	}
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
