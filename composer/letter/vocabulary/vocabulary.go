// Package vocabulary is what templates may call: functions of values alone, without files, network, environment or state.
//
//  1. Functions gives them by name, for the language of the letter that is being made;
//  2. each takes values of rows as they are (text, numbers, times, lists, NULL) and hands NULL on, so that the end of a
//     pipeline or default decides about it;
//  3. eq, lt and their kin take the place of text/template's: a number is equal to the text that writes it, as lists
//     from files hold nothing but text;
//  4. no result is longer than MaxText, so that no loop can double a text until memory ends.
package vocabulary

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/mailblast/mailblast/composer/letter/locale"
)

// MaxText is the longest text a function makes, in octets.
const MaxText = 1 << 20

// Functions gives the functions by name. in is asked for the letter's language whenever one needs it.
func Functions(in func() locale.Locale) map[string]any {
	l := local{in}
	return map[string]any{
		"default":   orDefault,
		"coalesce":  coalesce,
		"ternary":   ternary,
		"upper":     onText(strings.ToUpper),
		"lower":     onText(strings.ToLower),
		"title":     onText(title),
		"trim":      onText(strings.TrimSpace),
		"trunc":     trunc,
		"replace":   replace,
		"contains":  about(strings.Contains),
		"hasPrefix": about(strings.HasPrefix),
		"hasSuffix": about(strings.HasSuffix),
		"split":     split,
		"join":      join,
		"list":      list,
		"dict":      dict,
		"first":     first,
		"last":      last,
		"add":       add,
		"sub":       sub,
		"mul":       mul,
		"div":       div,
		"date":      l.date,
		"number":    l.number,
		"money":     l.money,
		"plural":    l.plural,
		"lang":      l.lang,
		"dir":       l.dir,
		"urlquery":  onText(url.QueryEscape),
		"safe_url":  safeURL,
		"safe_html": safeHTML,
		"markdown":  markdown,
		"nl2br":     nl2br,
		"print":     func(args ...any) (any, error) { return printed(fmt.Sprint, args) },
		"println":   func(args ...any) (any, error) { return printed(fmt.Sprintln, args) },
		"printf":    printf,
		"eq":        equal,
		"ne":        func(a, b any) (bool, error) { e, err := equal(a, b); return !e, err },
		"lt":        order(func(c int) bool { return c < 0 }),
		"le":        order(func(c int) bool { return c <= 0 }),
		"gt":        order(func(c int) bool { return c > 0 }),
		"ge":        order(func(c int) bool { return c >= 0 }),
	}
}
