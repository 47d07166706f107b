package screen

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Comma writes a number with thousands separators.
func Comma(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Printable makes text from outside safe to show in one line: whatever a terminal could take for a command, or that
// changes the direction of the text around it, becomes an escape such as \x1b or \u202e.
func Printable(s string) string {
	if !strings.ContainsFunc(s, hostile) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1, hostile(r) && r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case hostile(r) && r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		case hostile(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// hostile is every control and format character, C1 and bidirectional ones included, and bytes that are no UTF-8.
func hostile(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}

// short writes a duration as a person would: 45s, 30m, 2h 05m, 3d 4h.
func short(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Round(time.Minute).Minutes()))
	case d < 24*time.Hour:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	d = d.Round(time.Hour)
	return fmt.Sprintf("%dd %dh", int(d.Hours())/24, int(d.Hours())%24)
}

// perSecond writes a rate with as many digits as say something.
func perSecond(rate float64) string {
	switch {
	case rate >= 100:
		return Comma(int(rate+0.5)) + "/s"
	case rate >= 0.95 || rate == 0:
		return strings.TrimSuffix(strconv.FormatFloat(rate, 'f', 1, 64), ".0") + "/s"
	case rate*60 >= 0.95:
		return strconv.FormatFloat(rate*60, 'f', 0, 64) + "/min"
	}
	return strconv.FormatFloat(rate*3600, 'f', 0, 64) + "/h"
}
