package vocabulary

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailblast/mailblast/composer/letter/locale"
)

// local are the functions that depend on the letter's language.
type local struct{ in func() locale.Locale }

func (l local) lang() string { return l.in().String() }

// dir is for the attribute dir of HTML.
func (l local) dir() string {
	if l.in().RightToLeft() {
		return "rtl"
	}
	return "ltr"
}

// moment is a time.Time, or a value that holds one.
type moment interface {
	In(*time.Location) time.Time
	Location() *time.Location
}

// timeForms are the forms in which lists write points in time.
var timeForms = [...]string{time.DateOnly, time.DateTime, time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07",
	"2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"}

// date writes a point in time in a style with a name, or in a layout of Go's.
func (l local) date(style string, v any) (any, error) {
	switch t := v.(type) {
	case nil:
		return nil, nil
	case moment:
		return l.in().Date(style, t.In(t.Location()))
	}
	s := strings.TrimSpace(Text(v))
	for _, form := range timeForms {
		if t, err := time.Parse(form, s); err == nil {
			return l.in().Date(style, t)
		}
	}
	return nil, fmt.Errorf("%.40q is no date such as 2006-01-02 or 2006-01-02 15:04", s)
}

// number takes a value, or how many digits to show after the point and a value.
func (l local) number(args ...any) (any, error) {
	digits := -1
	switch len(args) {
	case 1:
	case 2:
		n, ok := args[0].(int)
		if !ok || n < 0 || n > 20 {
			return nil, errors.New("number wants how many digits to show after the point, 0 to 20, and a value")
		}
		digits = n
	default:
		return nil, errors.New("number wants a value")
	}
	v := args[len(args)-1]
	if v == nil {
		return nil, nil
	}
	text, err := decimalText(v)
	if err != nil {
		return nil, err
	}
	return l.in().Number(text, digits)
}

// money takes a currency's code and an amount.
func (l local) money(code string, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	text, err := decimalText(v)
	if err != nil {
		return nil, err
	}
	return l.in().Money(text, strings.ToUpper(code))
}

// plural takes the text for one, that for many and a count; or, for languages with more forms, a mapping from the
// categories zero, one, two, few, many and other (CLDR) to their texts, and a count.
func (l local) plural(args ...any) (any, error) {
	if len(args) < 2 || len(args) > 3 {
		return nil, errors.New(`plural is written: plural "one item" "many items" .count`)
	}
	n := args[len(args)-1]
	if n == nil {
		return nil, nil
	}
	text, err := decimalText(n)
	if err != nil {
		return nil, err
	}
	category, err := l.in().Plural(text)
	if err != nil {
		return nil, err
	}
	forms, ok := args[0].(map[string]any)
	switch {
	case len(args) == 3 && category == "one":
		return args[0], nil
	case len(args) == 3:
		return args[1], nil
	case !ok:
		return nil, errors.New(`plural wants a dict: plural (dict "one" "item" "other" "items") .count`)
	}
	if v, ok := forms[category]; ok {
		return v, nil
	}
	if v, ok := forms["other"]; ok {
		return v, nil
	}
	return nil, fmt.Errorf("the dict of plural has neither %q nor \"other\", which %s needs for %s", category, l.in(), text)
}

// decimalText gives a number's digits with a point.
func decimalText(v any) (string, error) {
	if _, _, ok := decimal(v); !ok {
		return "", fmt.Errorf("%.40q is no number such as 1234.5", Text(v))
	}
	return strings.TrimPrefix(strings.TrimSpace(Text(v)), "+"), nil
}
