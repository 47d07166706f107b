// Package address parses e-mail addresses as campaigns use them, much more strictly than RFC 5322 allows:
//
//  1. lengths are checked before anything is looked at (RFC 5321 §4.5.3.1);
//  2. spaces around are taken off; control characters, invisible ones and bad UTF-8 are refused wherever they stand;
//  3. the local part is a dot-atom (RFC 5322 §3.2.3), or its UTF-8 extension (RFC 6531 §3.3) in NFC. Quoted local parts,
//     comments, groups, lists and routes are refused: parsers differ on them, so mail could be routed elsewhere than
//     shown. What only old relays read meaning into (user%other@relay, a!b@c) is an ordinary local part;
//  4. the domain becomes lower-case A-labels (UTS 46 without its transitional mapping, so faß.de is not fass.de).
//     Address literals and names without a dot are refused;
//  5. where all that fails, explain names what people write in lists in place of an address.
//
// What is routed and what is written into RCPT come from the same parsed value.
package address

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

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
	Local  string // a dot-atom; may hold UTF-8, in NFC
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
func (a Address) Key() string { return norm.NFC.String(strings.ToLower(a.Local)) + "@" + a.Domain }

// UTF8 tells whether the address can be written only with SMTPUTF8 (RFC 6531).
func (a Address) UTF8() bool { return !ascii(a.Local) }

// Parse takes an addr-spec, with nothing around it but space. The error is for a person and does not repeat the input.
func Parse(s string) (Address, error) {
	s, err := bare(s, 4*maxAddress) // an IDN may shrink when it becomes A-labels, but not as much
	if err != nil {
		return Address{}, err
	}
	a, err := parse(s)
	if err == nil {
		return a, nil
	}
	if named := nameless(s); named != nil {
		return Address{}, named
	}
	return Address{}, explain(s, err)
}

// ParseMailbox takes "ana@acme.example", "Ana <ana@acme.example>" or `"Ana, Sales" <ana@acme.example>`.
func ParseMailbox(s string) (name string, a Address, err error) {
	if s, err = bare(s, maxMailbox); err != nil {
		return "", Address{}, err
	}
	if !strings.HasSuffix(s, ">") {
		a, err = parse(s)
	} else {
		name, a, err = nameAddr(s)
	}
	if err != nil {
		return "", Address{}, explain(s, err)
	}
	return name, a, nil
}

// bare takes the space off around a text of at most limit octets, and refuses what may stand nowhere in it. Space is what
// Unicode calls a space separator: those that are no-break or ideographic come along when a table is pasted.
func bare(s string, limit int) (string, error) {
	if len(s) > limit {
		return "", fmt.Errorf("it is longer than %d octets", min(limit, maxAddress))
	}
	if s = strings.TrimFunc(s, separator); s == "" {
		return "", errors.New("it is empty")
	}
	return s, checkText(s)
}

func parse(s string) (Address, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return Address{}, errors.New("it has no @")
	}
	local := s[:at]
	if !ascii(local) {
		local = norm.NFC.String(local)
	}
	if err := checkLocal(local); err != nil {
		return Address{}, err
	}
	domain, err := domainOf(s[at+1:])
	if err != nil {
		return Address{}, err
	}
	if len(local)+1+len(domain) > maxAddress {
		return Address{}, fmt.Errorf("it is longer than %d octets", maxAddress)
	}
	return Address{Local: local, Domain: domain}, nil
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
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf && !atext(byte(r)) && r != '.':
			return fmt.Errorf("its local part holds %q", r)
		case r < utf8.RuneSelf:
		case separator(r):
			return fmt.Errorf("its local part holds %U, a space", r)
		case unicode.In(r, unicode.Pi, unicode.Pf):
			return fmt.Errorf("its local part holds %U, a typographic quote", r)
		default:
			if like := lookAlike(r); like != "" {
				return fmt.Errorf("its local part holds %U, which looks like %q", r, like)
			}
		}
	}
	return nil
}

// lookAlike gives the ASCII text that a character stands for in a wider, smaller or styled form, such as ．for a dot. RFC
// 6532 §3.1 lets nobody replace it, so a server that has "a.b" would not know it.
func lookAlike(r rune) string {
	if r == '。' || r == '｡' { // UTS 46 takes these for dots in domains; in local parts nobody does
		return "."
	}
	var buf [utf8.UTFMax]byte
	if like := string(norm.NFKC.Append(nil, buf[:utf8.EncodeRune(buf[:], r)]...)); ascii(like) {
		return like
	}
	return ""
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
