package vocabulary

import (
	"fmt"
	htmltemplate "html/template"
	"strconv"
	"strings"
)

// capped keeps a text within MaxText.
func capped(s string) (any, error) {
	if len(s) > MaxText {
		return nil, errGrows
	}
	return s, nil
}

var errGrows = fmt.Errorf("a text grows longer than %d octets", MaxText)

// light refuses values that would be longer than MaxText when they are printed together: a list made of itself, over and over,
// takes no memory until somebody looks at it.
func light(vs ...any) error {
	room := MaxText
	for _, v := range vs {
		if room -= weight(v, room); room < 0 {
			return errGrows
		}
	}
	return nil
}

// weight tells about how many octets a value takes when it is printed. It gives up, with more than most, beyond most.
func weight(v any, most int) (n int) {
	switch v := v.(type) {
	case string:
		return len(v) + 1
	case htmltemplate.HTML:
		return len(v) + 1
	case htmltemplate.URL:
		return len(v) + 1
	case []any:
		for _, item := range v {
			if n += weight(item, most-n) + 1; n > most {
				break
			}
		}
		return n + 2
	case map[string]any:
		for key, item := range v {
			if n += len(key) + weight(item, most-n) + 2; n > most {
				break
			}
		}
		return n + 2
	}
	return 16
}

// broad refuses a format that would make a text far beyond MaxText before that could be found to be too long. Every verb is
// taken to print the heaviest value, in its longest form.
func broad(format string, args []any) error {
	const room, longest = 16 * MaxText, 6
	heaviest := 0
	for _, a := range args {
		heaviest = max(heaviest, longest*weight(a, room))
	}
	n := len(format)
	for i := strings.IndexByte(format, '%'); i >= 0 && n <= room; {
		verb := format[i+1:]
		end := strings.IndexFunc(verb, func(r rune) bool { return r != '[' && r != ']' && !strings.ContainsRune("+-# .*0123456789", r) })
		if end < 0 {
			end = len(verb)
		}
		n += heaviest
		for digits := range strings.FieldsFuncSeq(verb[:end], func(r rune) bool { return r < '0' || r > '9' }) {
			if w, err := strconv.Atoi(digits); err == nil { // package fmt refuses what is beyond a million
				n += min(w, 1e6)
			}
		}
		n += 1e6 * strings.Count(verb[:end], "*")
		next := strings.IndexByte(verb[min(end+1, len(verb)):], '%')
		if next < 0 {
			break
		}
		i += 1 + min(end+1, len(verb)) + next
	}
	if n > room {
		return errGrows
	}
	return nil
}
