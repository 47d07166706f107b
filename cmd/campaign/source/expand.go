package source

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Lookup finds an environment variable.
type Lookup func(name string) (value string, ok bool)

// Unset is the error of Expand for a variable that is not set.
type Unset struct{ Name, Message string }

func (e *Unset) Error() string {
	if e.Message != "" {
		return "the variable " + e.Name + " is not set: " + e.Message
	}
	return "the variable " + e.Name + " is not set"
}

// Expand replaces ${VAR}, ${VAR:-default} and ${VAR:?message} in s. A bare $ is literal. What a variable holds is not
// expanded again. The error says which variable is missing, at is where its $ stands in s, in characters.
func Expand(s string, env Lookup) (out string, at int, err error) {
	var b strings.Builder
	rest := s
	for {
		i := strings.Index(rest, "${")
		if i < 0 {
			b.WriteString(rest)
			return b.String(), 0, nil
		}
		b.WriteString(rest[:i])
		before := s[:len(s)-len(rest)+i]
		end := strings.IndexByte(rest[i:], '}')
		if end < 0 {
			return "", utf8.RuneCountInString(before), errors.New("${ is never closed by }")
		}
		value, err := expandOne(rest[i+2:i+end], env)
		if err != nil {
			return "", utf8.RuneCountInString(before), err
		}
		b.WriteString(value)
		rest = rest[i+end+1:]
	}
}

func expandOne(expr string, env Lookup) (string, error) {
	name, rest, has := strings.Cut(expr, ":")
	if !isName(name) {
		return "", errors.New("${ } holds no variable: its name must be letters, digits and _") // it may be a part of a secret
	}
	if has && !strings.HasPrefix(rest, "-") && !strings.HasPrefix(rest, "?") {
		return "", fmt.Errorf("${%s:…} must be ${VAR}, ${VAR:-default} or ${VAR:?message}", name)
	}
	value, ok := env(name)
	switch {
	case !has && ok:
		return value, nil
	case !has:
		return "", &Unset{Name: name}
	case value != "":
		return value, nil
	case strings.HasPrefix(rest, "-"):
		return rest[1:], nil
	}
	return "", &Unset{Name: name, Message: Mask(strings.TrimSpace(rest[1:]))}
}

func isName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
