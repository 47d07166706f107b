package store

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Text gives the text form of a value as the documentation of package rows states it: nothing for NULL, lists and maps
// as compact JSON, keys in order.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
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
		if s := Text(v); json.Valid([]byte(s)) { // all but NaN and the infinite ones
			return json.RawMessage(s)
		}
		return Text(v)
	case Moment:
		return v.String()
	}
	return v
}
