package address

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// separator is a space of any width.
func separator(r rune) bool { return r == ' ' || r >= utf8.RuneSelf && unicode.Is(unicode.Zs, r) }

// called are characters nobody sees that come into tables by copying, and how people call them.
var called = map[rune]string{
	0: "NUL", '\t': "a tab", '\n': "a line break", '\v': "a line break", '\f': "a line break", '\r': "a line break", 0x1b: "escape",
	0x7f: "delete", 0x85: "a line break", 0x2028: "a line break", 0x2029: "a line break", 0xad: "a soft hyphen",
	0x200b: "a zero-width space", 0x200c: "a zero-width non-joiner", 0x200d: "a zero-width joiner", 0xfeff: "a byte order mark",
	0x200e: "a left-to-right mark", 0x200f: "a right-to-left mark", 0x202a: "a change of direction", 0x202b: "a change of direction",
	0x202c: "a change of direction", 0x202d: "a change of direction", 0x202e: "a change of direction", 0x2066: "a change of direction",
	0x2067: "a change of direction", 0x2068: "a change of direction", 0x2069: "a change of direction",
}

// checkText refuses what may stand in no address and no name: bad UTF-8, controls, line breaks, and invisible characters
// that make two texts look alike or run backwards.
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("it is not valid UTF-8")
	}
	for i, r := range s {
		if !invisible(r) || joins(r) && inName(s, i) {
			continue
		}
		if name := called[r]; name != "" {
			return fmt.Errorf("it holds the invisible character %U, %s", r, name)
		}
		return fmt.Errorf("it holds the invisible character %U", r)
	}
	return nil
}

// invisible is every control and format character, and what a reader is to leave out where it does not know better.
func invisible(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Variation_Selector,
		unicode.Other_Default_Ignorable_Code_Point)
}

// joins are the invisible characters that names are written with, in Persian, in Indic scripts and in emoji.
func joins(r rune) bool {
	return r == 0x200c || r == 0x200d || unicode.Is(unicode.Variation_Selector, r)
}

// inName tells that octet i stands before the angle bracket, not in an address.
func inName(s string, i int) bool {
	return strings.HasSuffix(s, ">") && i < strings.LastIndexByte(s, '<')
}
