package address

import (
	"net/mail"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

var seeds = []string{
	"ana@x.test", `"a@b"@x.test`, "a@b@c.test", "a(x)@b.test", "ü@ü.test", "a@[1.2.3.4]", "Ana <a@x.test>", `"Ana, Sales" <a@x.test>`,
	"a@x.test (Ana)", "mailto:a@x.test", "a@x.test; b@y.test", "@a.test,@b.test:c@d.test", "user%other@relay.test", "a!b@c.test",
	"team: a@x.test;", "a＠x.test", "a@x。test", "a\u200b@x.test", "jose\u0301@x.test", "Ana\r\nBcc: b@x.test <a@x.test>",
	"=?utf-8?q?a@x.test?= <b@x.test>", "<a@x.test>", "a@xn--fa-hia.de", "A. B. <a@x.test>", "=?0?B??=<a@x.test>", "Ana < a@x.test >", "a @x.test", "a<",
}

// FuzzParse holds the parser against net/mail: what we take, it takes as well, and reads the same mailbox.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := Parse(s); err == nil {
			agree(t, s, a)
			stable(t, a)
		}
		if _, a, err := ParseMailbox(s); err == nil {
			agree(t, s, a)
			stable(t, a)
		}
	})
}

// inside is space in angle brackets, which RFC 5322 allows and net/mail does not.
var inside = regexp.MustCompile(`(<)\p{Zs}+|\p{Zs}+(>)$`)

// fatal is a test or a property.
type fatal interface{ Fatalf(string, ...any) }

func agree(t fatal, s string, a Address) {
	// To us a name is letters. net/mail decodes it, and refuses charsets that it does not know.
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		s = strings.ReplaceAll(s[:i], "=?", "==") + s[i:]
	}
	m, err := mail.ParseAddress(inside.ReplaceAllString(strings.TrimFunc(s, separator), "$1$2"))
	if err != nil {
		t.Fatalf("%q: read as %q, net/mail refuses: %v", s, a, err)
	}
	at := strings.LastIndexByte(m.Address, '@')
	domain, err := ParseDomain(m.Address[at+1:])
	if err != nil || norm.NFC.String(m.Address[:at]) != a.Local || domain != a.Domain {
		t.Fatalf("%q: read as %q, net/mail reads %q", s, a, m.Address)
	}
}

// stable proves that what was taken parses to itself again, holds nothing that could end a command, and has one key.
func stable(t fatal, a Address) {
	s := a.String()
	b, err := Parse(s)
	if err != nil || b != a {
		t.Fatalf("%q parses to %v, %v", s, b, err)
	}
	if strings.ContainsAny(s, "\r\n\x00\t <>\"(),;:\\") || len(s) > maxAddress || !ascii(a.Domain) {
		t.Fatalf("%q must not be taken", s)
	}
	k, err := Parse(a.Key())
	if err != nil || k.Key() != a.Key() {
		t.Fatalf("%q: key %q, whose key is %q, %v", s, a.Key(), k.Key(), err)
	}
}

func TestParseIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(
			rapid.StringMatching(`[a-zé.+@"\\ \x00-\x20]{0,12}@[a-zü.\-]{0,12}`),
			rapid.StringMatching(`["A-Zßﬁ\\ ,.]{0,6}<? ?[a-zA-Zέςİ\x{0301}%!']{1,6}@(xn--)?[a-zß0-9\x{0301}]{1,6}[.。．]test ?[>.,;]?`),
		).Draw(t, "in")
		if a, err := Parse(s); err == nil {
			agree(t, s, a)
			stable(t, a)
		}
		if _, a, err := ParseMailbox(s); err == nil {
			agree(t, s, a)
			stable(t, a)
		}
	})
}
