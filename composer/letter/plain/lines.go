package plain

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// lines is a text in the making. Words may come in pieces; a gap or a line break ends one.
type lines struct {
	width  int // of a line at most
	out    []byte
	col    int    // cells of the line so far, its prefix included
	wide   int    // cells of the longest line, for headings
	breaks int    // line ends wanted before the next word, at most 2
	spaces int    // wanted before the next word in the same line
	prefix string // of every line: marks of quotations, and indents
	mark   string // of the next line in place of the prefix: that with a list's mark
	last   string // the prefix of the line before
	pre    bool   // white space is kept and lines are not broken
	word   []byte // that is not written yet
	ended  bool   // a gap came after it

	opening string // a mark to stand at the next word's beginning
}

// put adds to the word, or begins the next if a gap has ended it.
func (l *lines) put(s string) {
	if l.ended {
		l.flush()
	}
	l.word = append(append(l.word, l.opening...), s...)
	l.opening = ""
}

// gap ends a word.
func (l *lines) gap() {
	if l.ended = len(l.word) > 0; !l.ended {
		l.spaces = max(l.spaces, 1)
	}
}

// breakLine wants at least n line ends before the next word.
func (l *lines) breakLine(n int) {
	l.flush()
	l.breaks = max(l.breaks, n)
}

// breakBlock is breakLine for what is within a list's item too: whose line has only begun needs no break.
func (l *lines) breakBlock(n int) {
	if l.flush(); l.mark == "" {
		l.breakLine(n)
	}
}

// unbreak takes back the line ends wanted after the last word, if no other has begun, and tells how many they were.
func (l *lines) unbreak() (breaks int) {
	if len(l.word) == 0 {
		breaks, l.breaks = l.breaks, 0
	}
	return breaks
}

// indented has f write with a prefix before each of its lines, and a mark of the same width in place of it before the first.
func (l *lines) indented(mark, prefix string, f func()) {
	was := l.prefix
	first := l.mark // of a list whose first item begins with this one
	if first == "" {
		first = was
	}
	if mark != "" {
		l.mark = first + mark
	} else if l.mark != "" {
		l.mark = first + prefix
	}
	if cellsOf(was)+len(prefix) <= l.width/2 { // else deep quotations would leave no room for words
		l.prefix += prefix
	}
	f()
	l.flush()
	l.mark, l.prefix = "", was
}

// flush writes the word.
func (l *lines) flush() {
	if len(l.word) == 0 {
		return
	}
	word := l.word
	if l.pre {
		word = bytes.TrimRight(word, " \t")
	} else {
		if bytes.HasPrefix(word, []byte("\u00a0")) {
			l.spaces = max(l.spaces, 1)
		}
		word = tidy(word)
	}
	if len(word) == 0 {
		l.spaces = max(l.spaces, 1)
	} else {
		l.place(word)
	}
	l.word = l.word[:0]
	if l.ended {
		l.ended, l.spaces = false, max(l.spaces, 1)
	}
}

func (l *lines) place(word []byte) {
	width := cellsOf(word)
	switch {
	case len(l.out) == 0:
		l.begin(0)
	case l.breaks > 0:
		l.begin(l.breaks)
	case l.spaces > 0 && l.col+l.spaces+width > l.width && !l.pre && splits(word, l.width-l.col-l.spaces) == 0:
		l.begin(1)
	case l.spaces > 0:
		l.out = append(l.out, "  "[:l.spaces]...)
		l.col += l.spaces
	}
	l.breaks, l.spaces = 0, 0
	for l.col+width > l.width && !l.pre {
		n := splits(word, l.width-l.col)
		if n == 0 {
			break
		}
		l.out = append(l.out, word[:n]...)
		width -= cellsOf(word[:n])
		word = word[n:]
		l.begin(1)
	}
	l.out = append(l.out, word...)
	l.col += width
	l.wide = max(l.wide, l.col)
}

// begin begins a line.
func (l *lines) begin(ends int) {
	around := l.prefix
	if len(l.last) < len(around) {
		around = l.last
	}
	for i := range ends {
		if i > 0 { // an empty line within a quotation is marked too
			l.out = append(l.out, strings.TrimRight(around, " ")...)
		}
		l.out = append(l.out, '\n')
	}
	l.last = l.prefix
	prefix := l.prefix
	if l.mark != "" {
		prefix, l.mark = l.mark, ""
	}
	l.out = append(l.out, prefix...)
	l.col = cellsOf(prefix)
}

// condition has the widths that do not depend on where this runs.
var condition = &runewidth.Condition{StrictEmojiNeutral: true}

// cellsOf is the width of a text in cells of a terminal.
func cellsOf[T string | []byte](s T) int {
	n := 0
	for _, r := range string(s) {
		if narrow := r < 0x300 || r >= 0x370 && r < 0x483 || r >= 0x2010 && r < 0x2028 || r >= 0x20a0 && r < 0x20c0; !narrow {
			return condition.StringWidth(string(s)) // which is slow, as characters may be of many runes
		}
		n++
	}
	return n
}

// splits tells after how many bytes a word that is written without spaces, as Chinese and Japanese are, may go on in the next
// line, so that the first part has at most the width; 0 if nowhere.
func splits(word []byte, width int) int {
	at, used := 0, 0
	var before rune
	for i := 0; i < len(word); {
		r, n := utf8.DecodeRune(word[i:])
		if i > 0 && (ideographic(r) || ideographic(before)) && !unicode.In(r, unicode.Pe, unicode.Pf, unicode.Po, unicode.M) &&
			!unicode.In(before, unicode.Ps, unicode.Pi) && !strings.ContainsRune("ーぁぃぅぇぉっゃゅょァィゥェォッャュョ々\u200d", r) {
			at = i
		}
		if used += condition.RuneWidth(r); used > width {
			return at
		}
		before = r
		i += n
	}
	return 0
}

func ideographic(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0x3000 && r <= 0x303f || r >= 0xff01 && r <= 0xff60
}

// tidy takes from a word what cannot be seen: invisible characters that only fill a preheader, and spaces at its ends. Spaces
// that do not break become spaces.
func tidy(word []byte) []byte {
	if !slices.ContainsFunc(word, func(c byte) bool { return c >= utf8.RuneSelf }) {
		return word
	}
	word = bytes.TrimFunc(bytes.Map(func(r rune) rune {
		switch r {
		case '\u00a0', '\u2007':
			return ' '
		case '\u00ad', '\u034f', '\u200b', '\u2060', '\ufeff', '\u180e':
			return -1
		}
		return r
	}, word), func(r rune) bool { return r == ' ' || r == '\u200c' || r == '\u200d' || r == '\u202f' })
	if len(bytes.Trim(word, "\u200e\u200f\u061c")) == 0 { // direction marks without anything to direct
		return nil
	}
	return word
}
