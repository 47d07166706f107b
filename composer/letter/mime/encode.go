package mime

import (
	"bytes"
	"unicode/utf8"
)

// encoding is a content transfer encoding (RFC 2045 §6) that needs no extension of the server.
type encoding uint8

// The encodings, in the order of preference.
const (
	sevenBit encoding = iota
	quotedPrintable
	base64Text
)

var encodingNames = [...]string{"7bit", "quoted-printable", "base64"}

func (e encoding) String() string { return encodingNames[e] }

// Canon appends text with every kind of line end made CRLF, and one at the end.
func Canon(dst, text []byte) []byte {
	for len(text) > 0 {
		i := bytes.IndexByte(text, '\n')
		line := text
		if i >= 0 {
			line = text[:i]
		}
		if cr := bytes.IndexByte(line, '\r'); cr >= 0 {
			i = cr
		}
		if i < 0 {
			dst = append(dst, text...)
			break
		}
		dst = append(append(dst, text[:i]...), '\r', '\n')
		if text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n' {
			i++
		}
		text = text[i+1:]
	}
	if !bytes.HasSuffix(dst, []byte("\r\n")) {
		dst = append(dst, '\r', '\n')
	}
	return dst
}

// choose picks the encoding for a canonical text: as it is when it can pass any server unharmed, else the smaller one.
func choose(text []byte) encoding {
	asIs, size := true, 0
	for line := range bytes.SplitSeq(text, []byte("\r\n")) {
		if len(line) > textLine || mangled(line) {
			asIs = false
		}
		size += 2
		n, odd := len(line), false
		for _, c := range line {
			if !qpPlain[c] {
				n += 2
				odd = odd || c != '='
			}
		}
		size += n
		asIs = asIs && !odd
	}
	switch {
	case asIs:
		return sevenBit
	case int64(size) <= EncodedLen(int64(len(text))):
		return quotedPrintable
	}
	return base64Text
}

// mangled tells whether servers on the way are known to change such a line: "From " gets a > in mailboxes, white space
// at the end is dropped (RFC 2045 §6.7 (3)), a lone dot has ended many a message. Nor may a line hold what begins our
// boundaries, which some parsers find anywhere: the other encodings have no =_ in them.
func mangled(line []byte) bool {
	if len(line) == 0 {
		return false
	}
	last := line[len(line)-1]
	return last == ' ' || last == '\t' || line[0] == '.' && len(line) == 1 || bytes.HasPrefix(line, []byte("From ")) ||
		bytes.Contains(line, []byte("--=_"))
}

// encode appends a canonical text in the encoding e.
func encode(dst, text []byte, e encoding) []byte {
	switch e {
	case quotedPrintable:
		return appendQP(dst, text)
	case base64Text:
		return appendBase64(dst, text)
	}
	return append(dst, text...)
}

// qpPlain holds the octets that quoted-printable leaves as they are; each other one takes three (RFC 2045 §6.7).
var qpPlain = func() (plain [256]bool) {
	for c := ' '; c <= '~'; c++ {
		plain[c] = c != '='
	}
	plain['\t'] = true
	return plain
}()

// qpLine is the longest line of quoted-printable, RFC 2045 §6.7 (5).
const qpLine = 76

// appendQP encodes canonical text as quoted-printable. A character of several octets is kept on one line where it can be.
func appendQP(dst, text []byte) []byte {
	for len(text) > 0 {
		i := bytes.Index(text, []byte("\r\n"))
		if i < 0 {
			return qpOneLine(dst, text)
		}
		dst = append(qpOneLine(dst, text[:i]), '\r', '\n')
		text = text[i+2:]
	}
	return dst
}

func qpOneLine(dst, line []byte) []byte {
	col := 0
	fromLine := bytes.HasPrefix(line, []byte("From "))
	for i := 0; i < len(line); {
		if n := plainRun(line[i:], qpLine-1-col); n > 0 && col > 0 {
			dst = append(dst, line[i:i+n]...)
			col += n
			i += n
			continue
		}
		c, w := line[i], 1
		if c >= utf8.RuneSelf {
			_, w = utf8.DecodeRune(line[i:])
		}
		last := i+w == len(line)
		escape := !qpPlain[c] || last && (c == ' ' || c == '\t') || fromLine && i == 0 || c == '.' && col == 0
		n := w
		if escape {
			n = 3 * w
		}
		if room := qpLine - col; n > room || n == room && !last { // the soft line break needs one octet
			dst = append(dst, '=', '\r', '\n')
			col = 0
			continue
		}
		for _, c := range line[i : i+w] {
			if escape {
				dst = append(dst, '=', hexDigits[c>>4], hexDigits[c&15])
			} else {
				dst = append(dst, c)
			}
		}
		col += n
		i += w
	}
	return dst
}

// plainRun counts the plain octets that line begins with, room at most. The last one of a line has rules of its own and is
// not counted.
func plainRun(line []byte, room int) int {
	n := 0
	for end := min(len(line)-1, room); n < end && qpPlain[line[n]]; {
		n++
	}
	return n
}

// textLine is the longest line that goes out as it is, RFC 5322 §2.1.1.
const textLine = 78
