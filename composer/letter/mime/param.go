package mime

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxToken is the longest token of a structured field that fits a line of its own, with the space before it.
const maxToken = foldAt - 1

const inUTF8 = "utf-8''"

// filename gives the tokens of the parameter filename, which is plain when it is one quoted string of ASCII. Else it is
// extended (RFC 2231 §4), or in sections, when one line cannot hold it (§3). There is never a second form of it in the
// field, as RFC 6266 has it for the web: that is a defect to some parsers.
func filename(name string) (tokens []string, plain bool) {
	extended := printable(name) != name
	whole := `filename="` + name + `"`
	if extended {
		whole = "filename*=" + inUTF8 + escaped(name)
	}
	if len(whole) <= maxToken {
		return []string{whole}, !extended
	}
	for i := 0; name != ""; i++ {
		head, tail := "filename*"+strconv.Itoa(i)+`="`, `";`
		if extended {
			head, tail = "filename*"+strconv.Itoa(i)+"*=", ";"
			if i == 0 {
				head += inUTF8
			}
		}
		var text string
		text, name = section(name, maxToken-len(head)-len(tail), extended)
		tokens = append(tokens, head+text+tail)
	}
	last := &tokens[len(tokens)-1]
	*last = strings.TrimSuffix(*last, ";")
	return tokens, false
}

// section takes as much of a name as fits room octets. Characters stay whole, for readers that decode section by section.
func section(name string, room int, extended bool) (text, rest string) {
	n := 0
	for n < len(name) {
		_, w := utf8.DecodeRuneInString(name[n:])
		one := name[n : n+w]
		if extended {
			one = escaped(one)
		}
		if len(text)+len(one) > room {
			break
		}
		text += one
		n += w
	}
	return text, name[n:]
}

// escaped is an ext-value of RFC 2231 §7.
func escaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; attrChar(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// fallback gives the parameter name with a plain form of the name that fits a line.
func fallback(name string) string {
	const room = maxToken - len(`name=""`)
	plain := printable(name)
	if len(plain) > room {
		ext := path.Ext(plain)
		if len(ext) > room/2 {
			ext = ""
		}
		plain = plain[:room-len(ext)] + ext
	}
	return `name="` + plain + `"`
}

// printable puts a _ for what a quoted string cannot hold as it is.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, name)
}

// attrChar is attribute-char of RFC 2231 §7, a little narrower.
func attrChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_'
}
