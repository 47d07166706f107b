package mime

import (
	"encoding/base64"
	"unicode/utf8"
)

const (
	wordQ   = "=?utf-8?q?"
	wordB   = "=?utf-8?b?"
	wordEnd = "?="
)

// words writes s as encoded words (RFC 2047) in whichever of the two encodings is shorter. Space between two encoded words
// is not part of the text (§6.2), so the parts read as one again. A character is never split over two words (§5).
func (h *Header) words(s string) {
	_, b := encoded(s)
	for first := true; s != ""; first = false {
		if !first {
			h.fold()
		}
		room := min(maxWord, foldAt-h.line) - len(wordQ) - len(wordEnd)
		n := fit(s, room, b)
		if n == 0 { // the field's name, or what stands before, leaves no room for one character
			h.fold()
			n = fit(s, maxWord-len(wordQ)-len(wordEnd), b)
		}
		if b {
			h.add(wordB + base64.StdEncoding.EncodeToString([]byte(s[:n])) + wordEnd)
		} else {
			h.add(wordQ)
			h.q(s[:n])
			h.add(wordEnd)
		}
		s = s[n:]
	}
}

// encoded gives the length of s as one encoded word in the shorter encoding, and whether that is B.
func encoded(s string) (n int, b bool) {
	for i := range len(s) {
		n += qLen(s[i])
	}
	if other := base64.StdEncoding.EncodedLen(len(s)); n > other {
		n, b = other, true
	}
	return len(wordQ) + n + len(wordEnd), b
}

// fit gives how many octets of s, whole characters only, become at most room octets of encoded text.
func fit(s string, room int, b bool) int {
	n, size := 0, 0
	for n < len(s) {
		_, w := utf8.DecodeRuneInString(s[n:])
		if b {
			size = base64.StdEncoding.EncodedLen(n + w)
		} else {
			for i := n; i < n+w; i++ {
				size += qLen(s[i])
			}
		}
		if size > room {
			break
		}
		n += w
	}
	return n
}

// The Q encoding, RFC 2047 §4.2, with the set of §5 (3) that is safe within a phrase too.
func qLen(c byte) int {
	if c == ' ' || qSafe(c) {
		return 1
	}
	return 3
}

func qSafe(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '!' || c == '*' || c == '+' || c == '-' || c == '/'
}

const hexDigits = "0123456789ABCDEF"

func (h *Header) q(s string) {
	var out [maxWord]byte
	n := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			out[n] = '_'
			n++
		case qSafe(c):
			out[n] = c
			n++
		default:
			out[n], out[n+1], out[n+2] = '=', hexDigits[c>>4], hexDigits[c&15]
			n += 3
		}
	}
	h.add(string(out[:n]))
}
