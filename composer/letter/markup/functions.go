package markup

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// functions are what templates may call, bound to the state of one Renderer. Every one hands NULL on, so that the end of
// the pipeline or default decides about it. They take the place of text/template's own of the same name.
func (r *Renderer) functions() map[string]any {
	return map[string]any{
		"default":         orDefault,
		"upper":           onText(strings.ToUpper),
		"lower":           onText(strings.ToLower),
		"title":           onText(title),
		"trim":            onText(strings.TrimSpace),
		"urlquery":        onText(url.QueryEscape),
		"join":            join,
		"date":            date,
		"print":           func(args ...any) (any, error) { return printed(fmt.Sprint, args) },
		"println":         func(args ...any) (any, error) { return printed(fmt.Sprintln, args) },
		"printf":          printf,
		"col":             func(name string) any { return r.data[name] },
		"campaign":        func() string { return r.set.campaign },
		"recipient":       func() string { return r.row.Recipient },
		"unsubscribe_url": func() string { return r.row.UnsubscribeURL },
		stepMust:          r.must,
		stepTick:          r.tick,
		stepRaw:           raw,
		stepDerived:       func() string { return r.row.Content },
		stepQuery:         onText(url.QueryEscape),
	}
}

// Names of functions that only this package puts into templates.
const (
	stepMust    = "_must"
	stepTick    = "_tick"
	stepRaw     = "_raw"
	stepDerived = "_derived"
	stepQuery   = "_query" // html/template allows a function named urlquery at the end of a pipeline only
)

func functionNames() iter.Seq[string] { return maps.Keys((&Renderer{}).functions()) }

// Text is the text form of a value.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case fmt.Stringer:
		return v.String()
	}
	return fmt.Sprint(v)
}

func onText(f func(string) string) func(any) any {
	return func(v any) any {
		if v == nil {
			return nil
		}
		return f(Text(v))
	}
}

func orDefault(d, v any) any {
	if v == nil || Text(v) == "" {
		return d
	}
	return v
}

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

func join(sep string, list any) (any, error) {
	if list == nil {
		return nil, nil
	}
	v := reflect.ValueOf(list)
	if v.Kind() != reflect.Slice {
		return nil, errors.New("it is no list")
	}
	parts := make([]string, v.Len())
	for i := range parts {
		parts[i] = Text(v.Index(i).Interface())
	}
	return capped(strings.Join(parts, sep))
}

var layouts = map[string]string{"long": "2 January 2006", "short": "2 Jan 2006", "iso": time.DateOnly}

// The forms in which lists write points in time.
var timeForms = [...]string{time.DateOnly, time.DateTime, time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07", "2006-01-02 15:04", "2006-01-02T15:04:05"}

// date writes a point in time in a layout of Go's, or one of a few with names.
func date(layout string, v any) (any, error) {
	if named, ok := layouts[layout]; ok {
		layout = named
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case interface{ Format(layout string) string }: // a time.Time, or a value that holds one
		return v.Format(layout), nil
	}
	s := strings.TrimSpace(Text(v))
	for _, form := range timeForms {
		if t, err := time.Parse(form, s); err == nil {
			return t.Format(layout), nil
		}
	}
	return nil, errors.New("it is no date")
}

func printf(format string, args ...any) (any, error) {
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

// capped keeps a loop from doubling a text until memory ends.
func capped(s string) (any, error) {
	if len(s) > maxOutput {
		return nil, fmt.Errorf("a text grows longer than %d octets", maxOutput)
	}
	return s, nil
}
