// Package text writes values of rows as text, the same way wherever they are read: in letters, lists and reports.
package text

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Of gives the text form of a value as the documentation of package rows states it: nothing for NULL, lists and mappings
// as compact JSON with their keys in order.
func Of(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case fmt.Stringer:
		return v.String()
	case []any, map[string]any:
		return compact(v)
	}
	return fmt.Sprint(v)
}

func compact(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it goes into letters, which escape for themselves
	if e.Encode(plain(v)) != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// plain replaces what JSON has no form for, or another one, by its text form.
func plain(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = plain(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = plain(item)
		}
		return out
	case float64:
		if s := Of(v); json.Valid([]byte(s)) { // all but NaN and the infinite ones
			return json.RawMessage(s)
		}
		return Of(v)
	case fmt.Stringer:
		return v.String()
	}
	return v
}
