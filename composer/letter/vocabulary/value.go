package vocabulary

import (
	"errors"
	"fmt"
	htmltemplate "html/template"
	"math/big"
	"reflect"
	"strings"

	"github.com/mailblast/mailblast/composer/text"
)

// Text is the text form of a value.
func Text(v any) string {
	switch v := v.(type) {
	case htmltemplate.HTML:
		return string(v)
	case htmltemplate.URL:
		return string(v)
	}
	return text.Of(v)
}

func onText(f func(string) string) func(any) (any, error) {
	return func(v any) (any, error) {
		if v == nil {
			return nil, nil
		}
		return capped(f(Text(v)))
	}
}

// empty tells what default stands in for: NULL and text without a character.
func empty(v any) bool { return v == nil || Text(v) == "" }

func orDefault(d, v any) any {
	if empty(v) {
		return d
	}
	return v
}

func coalesce(vs ...any) any {
	for _, v := range vs {
		if !empty(v) {
			return v
		}
	}
	return nil
}

func ternary(yes, no, v any) (any, error) {
	b, ok := v.(bool)
	if !ok && v != nil {
		return nil, fmt.Errorf("ternary wants true or false, not %s", kindOf(v))
	}
	if b {
		return yes, nil
	}
	return no, nil
}

func list(vs ...any) ([]any, error) { return vs, light(vs...) }

func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict wants a value for each key")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		m[Text(pairs[i])] = pairs[i+1]
	}
	return m, light(m)
}

// elements gives a list's values.
func elements(v any) ([]any, error) {
	if vs, ok := v.([]any); ok {
		return vs, nil
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice {
		return nil, fmt.Errorf("%s is no list", kindOf(v))
	}
	vs := make([]any, r.Len())
	for i := range vs {
		vs[i] = r.Index(i).Interface()
	}
	return vs, nil
}

func first(v any) (any, error) { return element(v, func(int) int { return 0 }) }
func last(v any) (any, error)  { return element(v, func(n int) int { return n - 1 }) }

func element(v any, which func(n int) int) (any, error) {
	if v == nil {
		return nil, nil
	}
	vs, err := elements(v)
	if err != nil || len(vs) == 0 {
		return nil, err
	}
	return vs[which(len(vs))], nil
}

// kindOf names what a value is, for people.
func kindOf(v any) string {
	switch v.(type) {
	case string, fmt.Stringer:
		return "text"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	if _, _, ok := decimal(v); ok {
		return "a number"
	}
	return "the value"
}

// maxDigits of a number that is calculated with.
const maxDigits = 60

// decimal reads a number, or the text that writes one, exactly. scale counts the digits after its point.
func decimal(v any) (d *big.Rat, scale int, ok bool) {
	switch n := v.(type) {
	case nil, bool:
		return nil, 0, false
	case int:
		return new(big.Rat).SetInt64(int64(n)), 0, true
	case int64:
		return new(big.Rat).SetInt64(n), 0, true
	}
	s := strings.TrimSpace(Text(v))
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" || len(digits) > maxDigits || strings.Trim(digits, "0123456789.") != "" {
		return nil, 0, false
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	if whole == "" || strings.Contains(fraction, ".") {
		return nil, 0, false
	}
	d, ok = new(big.Rat).SetString(s)
	return d, len(fraction), ok
}

// isNumber tells a number from the text that writes one.
func isNumber(v any) bool {
	switch v.(type) {
	case int, int64, float64:
		return true
	}
	return false
}
