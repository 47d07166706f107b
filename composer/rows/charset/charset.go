// Package charset finds out how a text is encoded, and decodes it. Nothing is guessed that could be read otherwise:
//
//  1. a byte order mark, or the NULs of UTF-16, tell it;
//  2. what is UTF-8 as a whole is UTF-8;
//  3. anything else is taken as windows-1252 only when every encoding that is likely reads all of it the same, and
//     plausibly; else the reading is refused, with the word and what it may be;
//  4. a charset that is declared is held against the text, too;
//  5. octets that a charset does not define come out as 0xff, which no UTF-8 has: never as U+FFFD.
package charset

import (
	"bytes"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
)

// Charset is an encoding with the name MIME prefers for it (IANA), in lower case. The zero Charset is UTF-8.
type Charset struct {
	Name string
	enc  encoding.Encoding // nil: UTF-8
}

// names are what IANA and WHATWG call otherwise or not at all.
var names = map[string]string{
	"utf8": "utf-8", "unicode": "utf-16", "ucs-2": "utf-16",
	"ansi": "windows-1252", "cp1250": "windows-1250", "cp1251": "windows-1251", "cp1252": "windows-1252",
	"latin-1": "iso-8859-1", "latin-2": "iso-8859-2", "latin9": "iso-8859-15", "latin-9": "iso-8859-15",
	"mac": "macintosh", "macroman": "macintosh", "mac-roman": "macintosh", "cp866": "ibm866", "sjis": "shift_jis", "cp932": "shift_jis",
}

// Lookup finds a charset by its name or one of its aliases (IANA), in any case.
func Lookup(name string) (Charset, bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	if known, ok := names[name]; ok {
		name = known
	}
	switch name {
	case "utf-8":
		return Charset{Name: name}, true
	case "utf-16":
		return Charset{name, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)}, true
	}
	enc, err := ianaindex.IANA.Encoding(name)
	if err != nil || enc == nil {
		if enc, err = htmlindex.Get(name); err != nil {
			return Charset{}, false
		}
	}
	if enc == encoding.Replacement || enc == charmap.XUserDefined {
		return Charset{}, false
	}
	if known, err := ianaindex.MIME.Name(enc); err == nil {
		name = strings.ToLower(known)
	}
	return Charset{Name: name, enc: enc}, true
}

// Names gives the names people meet most, to tell what a misspelt one was meant to be.
func Names() []string {
	all := []string{"utf-8", "utf-16", "utf-16le", "utf-16be", "latin1"}
	for _, c := range candidates {
		all = append(all, c.name)
	}
	return all
}

// Error says why a text's charset is not known or not the one declared.
type Error struct {
	Line       int // 0: not known
	Text, Hint string
}

func (e *Error) Error() string { return e.Text }

var marks = []struct{ mark, name string }{
	{"\xef\xbb\xbf", "utf-8"}, {"\xff\xfe\x00\x00", "utf-32"}, {"\x00\x00\xfe\xff", "utf-32"},
	{"\xff\xfe", "utf-16le"}, {"\xfe\xff", "utf-16be"},
}

// marked gives the charset that a byte order mark tells.
func marked(head []byte) string {
	for _, m := range marks {
		if bytes.HasPrefix(head, []byte(m.mark)) {
			return m.name
		}
	}
	return ""
}

// unmarked gives the form of UTF-16 whose NULs are in an ASCII text's first octets.
func unmarked(head []byte) string {
	var nul [2]int
	for i, c := range head {
		if c == 0 {
			nul[i%2]++
		}
	}
	enough := max(2, len(head)/5)
	switch {
	case nul[1] >= enough && nul[0]*20 <= nul[1]:
		return "utf-16le"
	case nul[0] >= enough && nul[1]*20 <= nul[0]:
		return "utf-16be"
	}
	return ""
}
