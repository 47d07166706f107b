package charset

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// rank says when an encoding competes.
type rank uint8

const (
	likely rank = iota
	low         // when there are octets from 0x80 to 0x9f, where it has its letters
	script      // when there are words mostly of high octets
)

// candidates are the encodings that lists come in, more or less by how often.
var candidates = []struct {
	name  string
	enc   encoding.Encoding
	rank  rank
	table *unicode.RangeTable // its letters
}{
	{"windows-1252", charmap.Windows1252, likely, unicode.Latin},
	{"iso-8859-1", charmap.ISO8859_1, likely, unicode.Latin},
	{"iso-8859-15", charmap.ISO8859_15, likely, unicode.Latin},
	{"windows-1250", charmap.Windows1250, likely, unicode.Latin},
	{"iso-8859-2", charmap.ISO8859_2, likely, unicode.Latin},
	{"windows-1254", charmap.Windows1254, likely, unicode.Latin},
	{"windows-1257", charmap.Windows1257, likely, unicode.Latin},
	{"macintosh", charmap.Macintosh, low, unicode.Latin},
	{"ibm850", charmap.CodePage850, low, unicode.Latin},
	{"ibm852", charmap.CodePage852, low, unicode.Latin},
	{"windows-1251", charmap.Windows1251, script, unicode.Cyrillic},
	{"koi8-r", charmap.KOI8R, script, unicode.Cyrillic},
	{"iso-8859-5", charmap.ISO8859_5, script, unicode.Cyrillic},
	{"ibm866", charmap.CodePage866, script, unicode.Cyrillic},
	{"windows-1253", charmap.Windows1253, script, unicode.Greek},
	{"windows-1255", charmap.Windows1255, script, unicode.Hebrew},
	{"windows-1256", charmap.Windows1256, script, unicode.Arabic},
	{"gb18030", simplifiedchinese.GB18030, script, unicode.Han},
	{"big5", traditionalchinese.Big5, script, unicode.Han},
	{"shift_jis", japanese.ShiftJIS, script, nil},
	{"euc-jp", japanese.EUCJP, script, nil},
	{"euc-kr", korean.EUCKR, script, unicode.Hangul},
}

// reading is how a candidate reads a word, and whether anybody would write so.
type reading struct {
	text      string
	plausible bool
	broken    bool // it has octets that the candidate does not define
}

func read(c int, word []byte) reading {
	b, err := candidates[c].enc.NewDecoder().Bytes(word)
	r := reading{text: string(b)}
	if err != nil || strings.ContainsRune(r.text, utf8.RuneError) {
		return reading{broken: true}
	}
	for _, x := range r.text {
		if unicode.IsControl(x) {
			return reading{broken: true}
		}
	}
	runes := []rune(r.text)
	r.plausible = true
	for i, x := range runes {
		if x >= 0x80 && !(unicode.IsLetter(x) && inPlace(runes, i, candidates[c].table) || !unicode.IsLetter(x) && sign(runes, i)) {
			r.plausible = false
		}
	}
	// A letter alone may be any: it says nothing for an encoding that is rare.
	if candidates[c].rank != likely && len(runes) == 1 {
		r.plausible = false
	}
	return r
}

// inPlace tells that a letter may stand where it does: of the script, and no capital within a word.
func inPlace(word []rune, i int, script *unicode.RangeTable) bool {
	x := word[i]
	at := func(i int) rune {
		if i < 0 || i >= len(word) {
			return 0
		}
		return word[i]
	}
	prev, next, after := at(i-1), at(i+1), at(i+2)
	if x == 'ª' || x == 'º' {
		return !unicode.IsLetter(prev) && !unicode.IsLetter(next)
	}
	if script != nil && !unicode.Is(script, x) {
		return false
	}
	if script != unicode.Latin && (ascii(prev) || ascii(next)) {
		return false
	}
	if unicode.IsUpper(x) {
		return !unicode.IsLower(prev) && !(unicode.IsUpper(prev) && unicode.IsLower(next))
	}
	return !(unicode.IsUpper(next) && unicode.IsLower(after))
}

func ascii(x rune) bool { return x < utf8.RuneSelf && unicode.IsLetter(x) }

const (
	joins = "’‘´·‐-–\u00ad\u00a0" // may stand between letters
	signs = "§©®™°¿¡…–—†‡•·×÷±²³¹¼½¾¶‰´«»‹›“”„‘’‚\u00a0\u00ad"
)

// sign tells that what is no letter may stand where it does.
func sign(word []rune, i int) bool {
	x := word[i]
	if i > 0 && i+1 < len(word) && unicode.IsLetter(word[i-1]) && unicode.IsLetter(word[i+1]) {
		return strings.ContainsRune(joins, x)
	}
	return strings.ContainsRune(signs, x) || unicode.Is(unicode.Sc, x)
}
