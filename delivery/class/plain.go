package class

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds what is looked at; smtpwire keeps no more of a reply.
const maxText = 4096

// plain reduces text to lower-case words with one space before and after each. Addresses are left out, since a mailbox
// may be called anything; apostrophes are dropped, so that "doesn't" is one word.
func plain(text string) string {
	text = text[:min(len(text), maxText)]
	var b strings.Builder
	b.Grow(len(text) + 2)
	b.WriteByte(' ')
	for field := range strings.FieldsSeq(text) {
		if isAddress(field) {
			continue
		}
		inWord := false
		for _, r := range field {
			switch {
			case r == '\'' || r == '’':
			case r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)):
				b.WriteRune(unicode.ToLower(r))
				inWord = true
			case inWord:
				b.WriteByte(' ')
				inWord = false
			}
		}
		if inWord {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func isAddress(field string) bool {
	return strings.Contains(field, "@") && !strings.Contains(field, "://")
}

// statusIn finds an enhanced status code that a server put elsewhere than right after its reply code (QUIRK: "User
// unknown (#5.1.1)"). It is not part of an IP address or version.
func statusIn(text string) string {
	text = text[:min(len(text), maxText)]
	for start := 0; start < len(text); {
		if !numeric(text[start]) {
			start++
			continue
		}
		end := start
		for end < len(text) && numeric(text[end]) {
			end++
		}
		if s := strings.TrimRight(text[start:end], "."); isStatus(s) && !glued(text, start) {
			return s
		}
		start = end
	}
	return ""
}

func numeric(c byte) bool { return c >= '0' && c <= '9' || c == '.' }

// glued tells that a letter, hyphen or the like stands right before, as in "v5.1.1".
func glued(text string, start int) bool {
	return start > 0 && !strings.ContainsRune(" (#[:;,-", rune(text[start-1]))
}

func isStatus(s string) bool {
	f := strings.Split(s, ".")
	if len(f) != 3 || f[0] != "4" && f[0] != "5" {
		return false
	}
	for _, n := range f[1:] {
		if len(n) < 1 || len(n) > 3 {
			return false
		}
	}
	return true
}
