package vocabulary

import (
	"fmt"
	"strings"
	"unicode"
)

func title(s string) string {
	last := ' '
	return strings.Map(func(r rune) rune {
		start := !unicode.IsLetter(last) && !unicode.IsDigit(last) && last != '\'' && last != '’'
		last = r
		if start {
			return unicode.ToTitle(r)
		}
		return r
	}, s)
}

// trunc keeps the first n characters of a text, or with n below zero its last.
func trunc(n int, v any) any {
	if v == nil {
		return nil
	}
	r := []rune(Text(v))
	switch {
	case n >= 0 && n < len(r):
		r = r[:n]
	case n < 0 && -n < len(r):
		r = r[len(r)+n:]
	}
	return string(r)
}

func replace(old, with string, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	s := Text(v)
	if n := strings.Count(s, old); n > 0 && len(s)+n*(len(with)-len(old)) > MaxText {
		return nil, errGrows
	}
	return strings.ReplaceAll(s, old, with), nil
}

// about asks something of a text; of NULL it is never so.
func about(f func(s, part string) bool) func(part, v any) bool {
	return func(part, v any) bool { return v != nil && f(Text(v), Text(part)) }
}

// split parts a text into a list; a text without a character is a list of none.
func split(sep string, v any) []any {
	s := strings.TrimSpace(Text(v))
	if s == "" {
		return nil
	}
	parts := strings.Split(s, sep)
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = strings.TrimSpace(p)
	}
	return out
}

func join(sep string, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	vs, err := elements(v)
	if err == nil && len(vs)*len(sep) > 2*MaxText {
		err = errGrows
	}
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(vs))
	for i := range vs {
		parts[i] = Text(vs[i])
	}
	return capped(strings.Join(parts, sep))
}

func printf(format string, args ...any) (any, error) {
	if err := broad(format, args); err != nil {
		return nil, err
	}
	return printed(func(a ...any) string { return fmt.Sprintf(format, a...) }, args)
}

func printed(f func(...any) string, args []any) (any, error) {
	for _, a := range args {
		if a == nil {
			return nil, nil
		}
	}
	return capped(f(args...))
}
