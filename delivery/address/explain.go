package address

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const alone = "write the address alone"

// explain looks for what people write in lists in place of an address, and says so; else it gives err. It judges nothing:
// s has been refused, and is short, since lengths were checked.
func explain(s string, err error) error {
	n := addresses(s)
	switch bracketed := strings.HasSuffix(s, ">"); {
	case prefix(s, "mailto:"):
		return errors.New("it begins with mailto:, " + alone)
	case s[0] == '@' && strings.Contains(s, ":"):
		return errors.New("it has a source route, which is not supported: " + alone)
	case strings.HasSuffix(s, ";") && strings.Contains(s, ":"):
		return errors.New("it is a group, which is not supported: write one address")
	case n == 2:
		return errors.New("it holds two addresses: give each a row of its own, or use cc")
	case n > 2:
		return fmt.Errorf("it holds %d addresses: give each a row of its own, or use cc", n)
	case !strings.Contains(s, "@") && strings.ContainsAny(s, "＠﹫"):
		return errors.New("it has a full-width ＠ (U+FF20): write @")
	case strings.Contains(s, "@") && strings.Contains(s, "(") && !bracketed:
		return errors.New("it holds a comment in brackets, which is not supported: write Ana <ana@acme.example>")
	case n == 0 || bracketed:
		return err
	case len(s) > 2 && strings.ContainsRune(`"'`, rune(s[0])) && s[len(s)-1] == s[0]:
		return errors.New("it stands in quotes: " + alone)
	}
	if r, _ := utf8.DecodeLastRuneInString(s); strings.ContainsRune(`.,;:'"!?)}。．｡，；、“”‘’«»`, r) {
		return fmt.Errorf("it ends in %q: %s", string(r), alone)
	}
	if r, _ := utf8.DecodeRuneInString(s); strings.ContainsRune(`,;:<([{“”‘’«»`, r) {
		return fmt.Errorf("it begins with %q: %s", string(r), alone)
	}
	return err
}

// nameless tells why s is no address without a name, if it is one with a name or in angle brackets.
func nameless(s string) error {
	if !strings.HasSuffix(s, ">") {
		return nil
	}
	switch _, _, err := nameAddr(s); {
	case err != nil:
		return nil
	case s[0] == '<':
		return errors.New("it stands in angle brackets: " + alone)
	}
	return errors.New("it has a name before it: " + alone)
}

// addresses counts the different words that look like an address.
func addresses(s string) int {
	between := func(r rune) bool { return separator(r) || strings.ContainsRune(",;|<>()，；、", r) }
	var found []string
	for word := range strings.FieldsFuncSeq(strings.ToLower(s), between) {
		if at := strings.LastIndexByte(word, '@'); at > 0 && at < len(word)-1 && !slices.Contains(found, word) {
			found = append(found, word)
		}
	}
	return len(found)
}

func prefix(s, p string) bool { return len(s) >= len(p) && strings.EqualFold(s[:len(p)], p) }
