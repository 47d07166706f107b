// Package hint looks at addresses that are valid, and tells which a person should look at before mail goes out:
//
//  1. Typo: the domain is one slip of the finger from a large provider's, or ends in what is no top-level domain;
//  2. Role: the local part is an office, not a person (RFC 2142 and what is in use beside it);
//  3. Mixed: a label of the domain mixes alphabets that look alike (UTS 39 §5.1).
//
// None of them is a reason to skip anybody. Typo is silent rather than wrong: a mistyped name that somebody could have
// registered on purpose is left alone unless nothing but a slip explains it.
package hint

import (
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// Typo gives the domain that was probably meant by one in lower-case A-labels, such as gmail.com for gmial.com.
func Typo(domain string) (meant string, ok bool) {
	if genuine[domain] {
		return "", false
	}
	squeezed := strings.ReplaceAll(domain, ".", "")
	for _, known := range providers {
		if known.name == domain {
			return "", false
		}
		switch {
		case len(squeezed) == known.letters && sameButDots(squeezed, known.name): // gmailcom, yahoo.couk
			meant = known.name
		case meant == "" && known.coined && slip(domain, known.name, strings.IndexByte(known.name, '.')):
			meant = known.name
		}
	}
	if meant != "" {
		return meant, true
	}
	return ending(domain)
}

// ending puts a slip in the top-level domain right.
func ending(domain string) (string, bool) {
	dot := strings.LastIndexByte(domain, '.')
	if dot <= 0 {
		return "", false
	}
	name, tld := domain[:dot+1], domain[dot+1:]
	if right, ok := noTLD[tld]; ok {
		return name + right, true
	}
	if right, ok := wrongTLD[tld]; ok && known(name+right) {
		return name + right, true
	}
	return "", false
}

func known(domain string) bool {
	for _, p := range providers {
		if p.name == domain {
			return true
		}
	}
	return false
}

func sameButDots(squeezed, name string) bool {
	i := 0
	for j := range len(name) {
		if name[j] == '.' {
			continue
		}
		if squeezed[i] != name[j] {
			return false
		}
		i++
	}
	return true
}

// slip tells that typed is want with one letter changed, left out, added or swapped with the next one, among want's first n
// letters. Only a swap may touch the first one: gmail.com is not a slip of mail.com, and people see what they begin with.
func slip(typed, want string, n int) bool {
	if d := len(typed) - len(want); d < -1 || d > 1 {
		return false
	}
	head := 0
	for head < len(typed) && head < len(want) && typed[head] == want[head] {
		head++
	}
	t, w := typed[head:], want[head:]
	for len(t) > 0 && len(w) > 0 && t[len(t)-1] == w[len(w)-1] {
		t, w = t[:len(t)-1], w[:len(w)-1]
	}
	switch {
	case len(t) == 2 && len(w) == 2:
		return head+1 < n && t[0] == w[1] && t[1] == w[0]
	case len(t)+len(w) == 1, len(t) == 1 && len(w) == 1:
		return 0 < head && head <= n-len(w) && t != "." && w != "."
	}
	return false
}

// Role tells whether the local part is one that several people read, or nobody. A +tag does not matter.
func Role(local string) bool {
	name, _, _ := strings.Cut(local, "+")
	return roles[strings.ToLower(name)]
}

// Mixed gives the first label of a domain, as people see it, that mixes Latin, Greek, Cyrillic or Armenian letters.
func Mixed(domain string) (label string, ok bool) {
	if !strings.Contains(domain, "xn--") {
		return "", false
	}
	for l := range strings.SplitSeq(domain, ".") {
		if !strings.HasPrefix(l, "xn--") {
			continue
		}
		if u, err := idna.Punycode.ToUnicode(l); err == nil && alphabets(u) > 1 {
			return u, true
		}
	}
	return "", false
}

func alphabets(label string) (n int) {
	for _, table := range []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Armenian} {
		if strings.ContainsFunc(label, func(r rune) bool { return unicode.Is(table, r) }) {
			n++
		}
	}
	return n
}
