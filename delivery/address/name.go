package address

import (
	"errors"
	"fmt"
	"strings"
)

// nameAddr takes a name-addr (RFC 5322 §3.4), which ends in >.
func nameAddr(s string) (name string, a Address, err error) {
	open := strings.LastIndexByte(s, '<')
	if open < 0 {
		return "", Address{}, errors.New("it has > without <")
	}
	if a, err = parse(strings.TrimFunc(s[open+1:len(s)-1], separator)); err != nil {
		return "", Address{}, err
	}
	if name, err = displayName(strings.TrimFunc(s[:open], separator)); err != nil {
		return "", Address{}, err
	}
	return name, a, nil
}

// displayName takes one quoted string, or words that need no quotes.
func displayName(s string) (string, error) {
	if strings.HasPrefix(s, `"`) {
		if len(s) < 2 || !strings.HasSuffix(s, `"`) {
			return "", errors.New(`the name has a quote that is never closed`)
		}
		return unquote(s[1 : len(s)-1])
	}
	if i := strings.IndexAny(s, `<>@,;:"()[]\`); i >= 0 {
		return "", fmt.Errorf("the name holds %q: put the name in double quotes", s[i])
	}
	return s, nil
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
	return b.String(), nil
}
