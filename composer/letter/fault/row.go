package fault

import (
	"strings"
	"unicode"

	"github.com/mailblast/mailblast/delivery"
)

// Row says that a row has no letter, and why.
func Row(text string) error {
	return &delivery.Unfit{Status: delivery.Failed, Class: delivery.ClassContent, Text: OneLine(text)}
}

// maxReason is how much is said of why a row has no letter, in octets: a value that is quoted may be of any length.
const maxReason = 280

// OneLine makes a text fit a line of a list, whatever it quotes.
func OneLine(s string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(s, "\nhint: ", "; ") {
		switch {
		case b.Len() > maxReason:
			b.WriteString("…")
			return b.String()
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}
