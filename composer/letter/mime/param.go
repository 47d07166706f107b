package mime

import "strings"

// disposition gives the tokens of a Content-Disposition field for an attachment: a plain file name for everyone, and the
// true one as an extended parameter (RFC 2231 §4, RFC 6266 appendix D) when it is not plain ASCII.
func disposition(name string) []string {
	fallback := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, name)
	if fallback == name {
		return []string{"attachment;", `filename="` + name + `"`}
	}
	var b strings.Builder
	b.WriteString("filename*=utf-8''")
	for i := range len(name) {
		if c := name[i]; attrChar(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return []string{"attachment;", `filename="` + fallback + `";`, b.String()}
}

// attrChar is attribute-char of RFC 2231 §7, a little narrower.
func attrChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_'
}
