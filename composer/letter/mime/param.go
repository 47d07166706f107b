package mime

import "strings"

// named gives the tokens of Content-Type and Content-Disposition for an attachment. A name that is not plain ASCII is an
// extended parameter (RFC 2231 §4) there, with a fallback for old programs in Content-Type: two forms of it in one field,
// as RFC 6266 has it for the web, are a defect to some parsers.
func named(contentType, name string) (kind, disposition []string) {
	fallback := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, name)
	if fallback == name {
		return []string{contentType}, []string{"attachment;", `filename="` + name + `"`}
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
	return []string{contentType + ";", `name="` + fallback + `"`}, []string{"attachment;", b.String()}
}

// attrChar is attribute-char of RFC 2231 §7, a little narrower.
func attrChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_'
}
