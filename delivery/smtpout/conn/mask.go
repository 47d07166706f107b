package conn

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mailblast/mailblast/delivery/smtpwire"
)

// mask knows what a login said. Some servers say a line that they refuse again in their reply, which is shown, logged and
// kept in the journal.
type mask []string

const (
	masked = "***"
	// telling is how many octets of a secret in a row are taken for a part of it.
	telling = 8
	// shortest and longest are how many octets of a form are looked for in replies to other commands: less would be found in
	// any of them, and more may have been cut off.
	shortest, longest = 4, 32
)

// newMask hides secret, and the lines that carried it.
func newMask(secret string, lines ...string) mask {
	quoted := strconv.Quote(smtpwire.Printable(secret))
	m := mask{}
	for _, form := range append([]string{secret, smtpwire.Printable(secret), quoted[1 : len(quoted)-1], encode(secret)}, lines...) {
		if form != "" {
			m = append(m, form)
		}
	}
	return m
}

// reply hides what a reply, or the error of reading one, repeats. While the login goes on even a part of it is looked for:
// texts are cut at a limit.
func (m mask) reply(r *smtpwire.Reply, err error, login bool) {
	if len(m) == 0 {
		return
	}
	hide := func(s *string) {
		if login || m.whole(*s) {
			*s = m.hide(*s)
		}
	}
	hide(&r.Text)
	for i := range r.Lines {
		hide(&r.Lines[i])
	}
	var wire *smtpwire.ProtocolError
	if errors.As(err, &wire) {
		hide(&wire.Text)
	}
}

// whole tells whether one of the forms, or the beginning of a long one, is in s.
func (m mask) whole(s string) bool {
	for _, form := range m {
		if len(form) >= shortest && strings.Contains(s, form[:min(len(form), longest)]) {
			return true
		}
	}
	return false
}

// hide puts *** in place of every part of s that is in one of the forms.
func (m mask) hide(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		_, char := utf8.DecodeRuneInString(s[i:])
		n := m.match(s[i:])
		if n == 0 {
			b.WriteString(s[i : i+char])
			i += char
			continue
		}
		for i+n < len(s) && !utf8.RuneStart(s[i+n]) {
			n++
		}
		if !strings.HasSuffix(b.String(), masked) {
			b.WriteString(masked)
		}
		i += n
	}
	return b.String()
}

// match gives how many octets at the beginning of s are in one of the forms; 0 when they are too few to tell.
func (m mask) match(s string) (most int) {
	for _, form := range m {
		n := min(telling, len(form))
		if len(s) < n || !strings.Contains(form, s[:n]) {
			continue
		}
		for n < len(s) && strings.Contains(form, s[:n+1]) {
			n++
		}
		most = max(most, n)
	}
	return most
}
