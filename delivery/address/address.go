// Package address parses e-mail addresses as campaigns use them, much more strictly than RFC 5322 allows:
//
//  1. lengths are checked before anything is looked at (RFC 5321 §4.5.3.1);
//  2. the local part is a dot-atom (RFC 5322 §3.2.3), or its UTF-8 extension (RFC 6531 §3.3). Quoted local parts,
//     comments, groups and routes are refused: parsers differ on them, so mail could be routed elsewhere than shown;
//  3. the domain becomes lower-case A-labels (UTS 46, IDNA 2008). Address literals and names without a dot are refused.
//
// What is routed and what is written into RCPT come from the same parsed value.
package address

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Limits in octets, RFC 5321 §4.5.3.1 and its erratum 1690.
const (
	maxAddress = 254
	maxLocal   = 64
	maxDomain  = 253
	maxLabel   = 63
	maxMailbox = 1000 // ours: display name and address together
)

// Address is a parsed addr-spec. The zero value is the null reverse-path.
type Address struct {
	Local  string // a dot-atom; may hold UTF-8
	Domain string // lower-case A-labels
}

// String gives the addr-spec as it goes into MAIL and RCPT, without angle brackets.
func (a Address) String() string {
	if a == (Address{}) {
		return ""
	}
	return a.Local + "@" + a.Domain
}

// Key gives a form that is equal for addresses of the same mailbox, as far as can be told without its server: RFC 5321
// §2.4 lets local parts differ by case, but no large provider does.
func (a Address) Key() string { return strings.ToLower(norm.NFC.String(a.Local)) + "@" + a.Domain }

// UTF8 tells whether the address can be written only with SMTPUTF8 (RFC 6531).
func (a Address) UTF8() bool { return !ascii(a.Local) }

// Parse takes an addr-spec, with nothing around it but space. The error is for a person and does not repeat the input.
func Parse(s string) (Address, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Address{}, errors.New("it is empty")
	}
	if len(s) > 4*maxAddress { // an IDN may shrink when it becomes A-labels, but not as much
		return Address{}, fmt.Errorf("it is longer than %d octets", maxAddress)
	}
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return Address{}, errors.New("it has no @")
	}
	local, domain := s[:at], s[at+1:]
	if err := checkLocal(local); err != nil {
		return Address{}, err
	}
	domain, err := ParseDomain(domain)
	if err != nil {
		return Address{}, err
	}
	if len(local)+1+len(domain) > maxAddress {
		return Address{}, fmt.Errorf("it is longer than %d octets", maxAddress)
	}
	return Address{Local: local, Domain: domain}, nil
}

// ParseMailbox takes "ana@acme.example", "Ana <ana@acme.example>" or `"Ana, Sales" <ana@acme.example>`.
func ParseMailbox(s string) (name string, a Address, err error) {
	if len(s) > maxMailbox {
		return "", Address{}, fmt.Errorf("it is longer than %d octets", maxMailbox)
	}
	s = strings.TrimSpace(s)
	if !strings.HasSuffix(s, ">") {
		a, err = Parse(s)
		return "", a, err
	}
	open := strings.LastIndexByte(s, '<')
	if open < 0 {
		return "", Address{}, errors.New("it has > without <")
	}
	if a, err = Parse(s[open+1 : len(s)-1]); err != nil {
		return "", Address{}, err
	}
	if name, err = displayName(strings.TrimSpace(s[:open])); err != nil {
		return "", Address{}, err
	}
	return name, a, nil
}

func displayName(s string) (string, error) {
	if strings.HasPrefix(s, `"`) {
		if len(s) < 2 || !strings.HasSuffix(s, `"`) {
			return "", errors.New(`the name has a quote that is never closed`)
		}
		return unquote(s[1 : len(s)-1])
	}
	if i := strings.IndexAny(s, `<>@,;:"()\`); i >= 0 {
		return "", fmt.Errorf("the name holds %q: put the name in double quotes", s[i])
	}
	return s, checkText(s, "the name")
}

func unquote(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return "", errors.New("the name has a quote inside quotes")
		case s[i] == '\\' && i+1 == len(s):
			return "", errors.New("the name ends in a backslash")
		case s[i] == '\\':
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), checkText(b.String(), "the name")
}

func checkLocal(s string) error {
	switch {
	case s == "":
		return errors.New("it has nothing before the @")
	case len(s) > maxLocal:
		return fmt.Errorf("its local part is longer than %d octets", maxLocal)
	case s[0] == '"':
		return errors.New("its local part is quoted, which is not supported")
	case s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, ".."):
		return errors.New("its local part has a dot at an end or two in a row")
	}
	if err := checkText(s, "its local part"); err != nil {
		return err
	}
	for _, r := range s {
		if r < utf8.RuneSelf && !atext(byte(r)) && r != '.' || r >= utf8.RuneSelf && unicode.IsSpace(r) {
			return fmt.Errorf("its local part holds %q", r)
		}
	}
	return nil
}

// checkText refuses what may not stand in any address or name: bad UTF-8, controls, line breaks, and invisible
// characters that make two texts look alike or run backwards.
func checkText(s, what string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s is not valid UTF-8", what)
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) {
			return fmt.Errorf("%s holds the invisible character %U", what, r)
		}
	}
	return nil
}

// atext of RFC 5322 §3.2.3.
func atext(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// ParseDomain gives a mail domain in lower-case A-labels.
func ParseDomain(s string) (string, error) {
	switch {
	case s == "":
		return "", errors.New("it has no domain")
	case len(s) > 4*maxDomain:
		return "", fmt.Errorf("its domain is longer than %d octets", maxDomain)
	case s[0] == '[':
		return "", errors.New("its domain is an address literal, which is not supported")
	}
	if err := checkText(s, "its domain"); err != nil {
		return "", err
	}
	d := strings.ToLower(s)
	if !ascii(d) || strings.Contains(d, "xn--") {
		var err error
		if d, err = idna.Lookup.ToASCII(s); err != nil {
			return "", fmt.Errorf("its domain is no valid international name")
		}
	}
	return d, checkDomain(d)
}

// checkDomain holds an ASCII name against RFC 1035 §2.3.1 as relaxed by RFC 1123 §2.1.
func checkDomain(d string) error {
	if len(d) > maxDomain {
		return fmt.Errorf("its domain is longer than %d octets", maxDomain)
	}
	labels := strings.Split(d, ".")
	if len(labels) < 2 {
		return errors.New("its domain has no dot")
	}
	for _, l := range labels {
		if l == "" {
			return errors.New("its domain has a dot at an end or two in a row")
		}
		if len(l) > maxLabel {
			return fmt.Errorf("its domain has a label longer than %d octets", maxLabel)
		}
		if l[0] == '-' || l[len(l)-1] == '-' {
			return errors.New("its domain has a label that begins or ends with a hyphen")
		}
		for _, r := range l {
			if r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') {
				return fmt.Errorf("its domain holds %q", r)
			}
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return errors.New("its domain is a number")
	}
	return nil
}
