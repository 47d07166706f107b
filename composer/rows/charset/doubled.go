package charset

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Doubled recognises UTF-8 that was decoded as windows-1252 (or ISO 8859-1) and encoded again, such as "MÃ¼ller", and
// gives what it was: "Müller". It is strict: all that is not ASCII must be so.
func Doubled(s string) (repaired string, ok bool) {
	if strings.IndexFunc(s, func(c rune) bool { return c >= utf8.RuneSelf }) < 0 || !utf8.ValidString(s) {
		return "", false
	}
	var out strings.Builder
	runes := []rune(s)
	total := 0
	for i := 0; i < len(runes); {
		if runes[i] < utf8.RuneSelf {
			out.WriteRune(runes[i])
			i++
			continue
		}
		end := i
		for end < len(runes) && runes[end] >= utf8.RuneSelf {
			end++
		}
		text, chars, ok := undouble(runes, i, end)
		if !ok {
			return "", false
		}
		out.WriteString(text)
		total += chars
		i = end
	}
	repaired = out.String()
	// Other scripts than Latin take two octets each as well, but by themselves they are more easily met by chance.
	if total < 2 && strings.IndexFunc(repaired, foreign) >= 0 {
		return "", false
	}
	return repaired, true
}

// undouble reads a run of characters that are not ASCII.
func undouble(runes []rune, from, to int) (text string, chars int, ok bool) {
	b := make([]byte, 0, to-from)
	for _, c := range runes[from:to] {
		octet, ok := charmap.Windows1252.EncodeRune(c)
		if !ok && (c < 0x80 || c > 0x9f) {
			return "", 0, false
		}
		if !ok {
			octet = byte(c)
		}
		b = append(b, octet)
	}
	if !utf8.Valid(b) || closing(runes, from, to) {
		return "", 0, false
	}
	chars = utf8.RuneCount(b)
	letter := func(i int) bool {
		return i >= 0 && i < len(runes) && runes[i] < utf8.RuneSelf && unicode.IsLetter(runes[i])
	}
	if chars == 1 && len(b) == 2 && !letter(from-1) && !letter(to) { // such as Ä… alone
		return "", 0, false
	}
	for _, c := range string(b) {
		if !expected(c) {
			return "", 0, false
		}
	}
	return string(b), chars, true
}

// closing tells of a capital with a sign that closes a word, as in AMANHÃ… and CAFÉ™.
func closing(runes []rune, from, to int) bool {
	last := runes[to-1]
	if to-from != 2 || unicode.IsLetter(last) || unicode.IsDigit(last) || from == 0 || !unicode.IsUpper(runes[from-1]) {
		return false
	}
	return to == len(runes) || !unicode.IsLetter(runes[to])
}

// expected tells that a character is one that lists have: Latin-1, Latin Extended-A, punctuation, and two other scripts.
func expected(c rune) bool {
	return c >= 0xa0 && c <= 0x17f || c >= 0x2010 && c <= 0x203a || c == '€' || c == '™' || foreign(c)
}

func foreign(c rune) bool { return c >= 0x370 && c <= 0x45f && unicode.IsLetter(c) }
