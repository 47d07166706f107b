package address

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// ParseDomain gives a mail domain in lower-case A-labels.
func ParseDomain(s string) (string, error) {
	if len(s) > 4*maxDomain {
		return "", fmt.Errorf("its domain is longer than %d octets", maxDomain)
	}
	if err := checkText(s); err != nil {
		return "", err
	}
	return domainOf(s)
}

// domainOf is ParseDomain for text that has been checked.
func domainOf(s string) (string, error) {
	switch {
	case s == "":
		return "", errors.New("it has no domain")
	case s[0] == '[':
		return "", errors.New("its domain is an address literal, which is not supported")
	case !ascii(s) || strings.Contains(strings.ToLower(s), "xn--"):
		var err error
		if s, err = international(s); err != nil {
			return "", err
		}
	}
	d := strings.ToLower(s)
	return d, checkDomain(d)
}

// international maps a name to A-labels (UTS 46 §4.2; RFC 5891 §5).
func international(s string) (string, error) {
	lookup := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(true), idna.CheckJoiners(true),
		idna.CheckHyphens(false)) // r3---x.example is in use; RFC 5891 §4.2.3.1 is held for the U-labels below
	d, err := lookup.ToASCII(s)
	if err != nil || strings.Contains(strings.ToLower(s), "xn--.") {
		return "", errors.New("its domain is no valid international name")
	}
	for l := range strings.SplitSeq(d, ".") {
		if !strings.HasPrefix(l, "xn--") {
			continue
		}
		// An A-label must come out of its U-label again (RFC 5890 §2.3.2.1), or two names would be one.
		u, err := lookup.ToUnicode(l)
		if err != nil || ascii(u) || !usable(u) {
			return "", fmt.Errorf("its domain holds %q, which is no valid international name", l)
		}
		if back, err := lookup.ToASCII(u); err != nil || back != l {
			return "", fmt.Errorf("its domain holds %q, which is no valid international name", l)
		}
	}
	return d, nil
}

// usable holds a U-label against RFC 5891 §4.2.3.1 (no hyphens where A-labels have them) and RFC 5892 §2, as far as UTS 46
// lets more pass: no punctuation but what Appendix A lists. It takes symbols such as ❤, which RFC 5892 leaves out: some
// registries sell them, and their owners get mail.
func usable(u string) bool {
	const appendixA = "-\u00b7\u0375\u05f3\u05f4\u30fb"
	r := []rune(u)
	if len(r) >= 4 && r[2] == '-' && r[3] == '-' {
		return false
	}
	return !strings.ContainsFunc(u, func(r rune) bool { return unicode.IsPunct(r) && !strings.ContainsRune(appendixA, r) })
}

// checkDomain holds an ASCII name against RFC 1035 §2.3.1 as relaxed by RFC 1123 §2.1.
func checkDomain(d string) error {
	if len(d) > maxDomain {
		return fmt.Errorf("its domain is longer than %d octets", maxDomain)
	}
	if !strings.Contains(d, ".") {
		return errors.New("its domain has no dot")
	}
	last := d
	for l := range strings.SplitSeq(d, ".") {
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
		last = l
	}
	if strings.Trim(last, "0123456789") == "" {
		return errors.New("its domain is a number")
	}
	return nil
}
