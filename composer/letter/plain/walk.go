package plain

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/atom"

	"github.com/mailblast/mailblast/composer/letter/plain/tree"
)

// walker writes the text of a tree.
type walker struct {
	lines
	notes *footnotes
	link  bool // a link has just ended
	lists int  // that are open
}

// spaces are what parts words in HTML. Other white space does not.
const spaces = " \n\t\r\f"

func (w *walker) children(n *tree.Node) {
	for c := n.First; c != nil; c = c.Next {
		if c.Tag == 0 {
			w.text(c.Text)
		} else {
			w.element(c)
		}
	}
}

func (w *walker) element(n *tree.Node) {
	around := n.Line
	if around > 1 && w.lists > 0 && (n.Tag == atom.Ul || n.Tag == atom.Ol) {
		around = 1
	}
	if around > 0 {
		w.breakBlock(around)
	} else if n.Apart {
		w.gap()
	}
	w.content(n)
	if around > 0 {
		w.breakBlock(around)
	} else if n.Apart {
		w.gap()
	}
}

// content writes an element whose line breaks are cared for.
func (w *walker) content(n *tree.Node) {
	switch n.Tag {
	case atom.Br:
		w.flush()
		w.breaks = min(w.breaks+1, 2)
	case atom.Hr:
		w.put(strings.Repeat("-", min(40, w.width)))
	case atom.Img:
		w.picture(n)
	case atom.H1:
		w.heading(n, "=")
	case atom.H2:
		w.heading(n, "-")
	case atom.A:
		w.anchor(n)
	case atom.Ul, atom.Ol, atom.Menu, atom.Dir:
		w.list(n)
	case atom.Dd:
		w.indented("  ", "  ", func() { w.children(n) })
	case atom.Blockquote:
		w.indented("", "> ", func() { w.children(n) })
	case atom.Pre:
		was := w.pre
		w.pre = true
		w.children(n)
		w.flush()
		w.pre = was
	case atom.Del, atom.S, atom.Strike:
		w.struck(n)
	case atom.Sup:
		w.raised(n, superscripts)
	case atom.Sub:
		w.raised(n, subscripts)
	case atom.Q:
		w.put(`"`)
		w.children(n)
		w.put(`"`)
	case atom.Table:
		w.table(n)
	default:
		w.children(n)
	}
}

// text writes words, with one gap for whatever white space is between them.
func (w *walker) text(s string) {
	if w.pre {
		for i, line := range strings.Split(s, "\n") {
			if i > 0 {
				w.flush()
				w.breaks = min(w.breaks+1, 2)
			}
			w.put(strings.TrimRight(line, "\r"))
		}
		return
	}
	for s != "" {
		i := strings.IndexAny(s, spaces)
		if i < 0 {
			w.put(s)
			w.link = false
			return
		}
		if i > 0 {
			w.put(s[:i])
		}
		w.gap()
		w.link = false
		s = strings.TrimLeft(s[i:], spaces)
	}
}

// picture writes the text for a picture, apart from its neighbours unless it is a character or two, such as an emoji.
func (w *walker) picture(n *tree.Node) {
	alt := strings.TrimSpace(n.Attribute("alt"))
	apart := utf8.RuneCountInString(alt) > 2
	if apart {
		w.gap()
	}
	w.text(alt)
	if apart {
		w.gap()
	}
}

func (w *walker) heading(n *tree.Node, line string) {
	w.flush()
	was := w.wide
	w.wide = 0
	w.children(n)
	w.flush()
	if width := w.wide - cellsOf(w.prefix); width > 0 {
		w.breakLine(1)
		w.put(strings.Repeat(line, min(width, 60)))
	}
	w.wide = max(was, w.wide)
}

// anchor writes a link's text, and its address or footnote behind it.
func (w *walker) anchor(n *tree.Node) {
	if w.link {
		w.gap() // two buttons beside each other
	}
	t, text := targetOf(n), words(n)
	w.children(n)
	breaks := 0
	if text != "" {
		breaks = w.unbreak() // a block is in the link: its address still stands at its end
	}
	switch {
	case t.address == "" || t.shows(text):
	case text == "" && n.Pictures:
		w.put(t.address)
	case text == "": // nothing to click on
	case t.short || w.notes.inline:
		w.gap()
		w.put("(" + t.address + ")")
	default:
		w.gap()
		w.put(mark(w.notes.number(t.address)))
	}
	if breaks > 0 {
		w.breakLine(breaks)
	}
	w.link = true
}

func (w *walker) list(n *tree.Node) {
	w.lists++
	defer func() { w.lists-- }()
	number, step := 1, 1
	if n.Has("reversed") {
		number, step = 0, -1
		for c := n.First; c != nil; c = c.Next {
			if c.Tag == atom.Li {
				number++
			}
		}
	}
	number = n.Integer("start", number)
	for c := n.First; c != nil; c = c.Next {
		switch {
		case c.Tag == 0:
			w.text(c.Text)
		case c.Tag != atom.Li:
			w.element(c)
		default:
			number = c.Integer("value", number)
			mark := "* "
			if n.Tag == atom.Ol {
				mark = numeral(number, n.Attribute("type")) + ". "
				number += step
			}
			w.breakBlock(1)
			w.indented(mark, strings.Repeat(" ", len(mark)), func() { w.children(c) })
			w.breakLine(1)
		}
	}
}

// numeral writes the number of a list's item as its type has it: 1, a, A, i or I.
func numeral(n int, kind string) string {
	s := ""
	switch strings.ToLower(kind) {
	case "a":
		for m := n; m > 0; m = (m - 1) / 26 {
			s = string(rune('a'+(m-1)%26)) + s
		}
	case "i":
		if n >= 4000 {
			break
		}
		for _, r := range []struct {
			value int
			sign  string
		}{{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"}, {90, "xc"}, {50, "l"}, {40, "xl"}, {10, "x"}, {9, "ix"}, {5, "v"}, {4, "iv"}, {1, "i"}} {
			for m := r.value; n >= m; n -= m {
				s += r.sign
			}
		}
	}
	switch {
	case s == "":
		return strconv.Itoa(n)
	case kind == "A" || kind == "I":
		return strings.ToUpper(s)
	}
	return s
}

// struck writes what no longer holds between marks: a price that is struck out must not read as one that is asked for.
func (w *walker) struck(n *tree.Node) {
	if n.Blocks || words(n) == "" {
		w.children(n)
		return
	}
	w.opening = "~~"
	w.children(n)
	w.opening = ""
	breaks := w.unbreak()
	if w.ended = false; len(w.word) == 0 { // the mark stands at the last word, not behind the gap after it
		w.spaces = 0
	}
	w.put("~~")
	if breaks > 0 {
		w.breakLine(breaks)
	}
}

// Digits and signs as they are raised and lowered.
var (
	superscripts = strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹", "+", "⁺", "-", "⁻", "−", "⁻")
	subscripts   = strings.NewReplacer("0", "₀", "1", "₁", "2", "₂", "3", "₃", "4", "₄", "5", "₅", "6", "₆", "7", "₇", "8", "₈", "9", "₉", "+", "₊", "-", "₋", "−", "₋")
)

// raised writes numbers raised or lowered, for m² is not m2; anything else, such as the th of 4th, stays as it is.
func (w *walker) raised(n *tree.Node, signs *strings.Replacer) {
	if c := n.First; c != nil && c.Next == nil && c.Tag == 0 && strings.Trim(c.Text, "0123456789+-−") == "" {
		w.put(signs.Replace(c.Text))
		return
	}
	w.children(n)
}
