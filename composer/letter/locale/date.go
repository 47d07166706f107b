package locale

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Date writes a date or time of day, in the zone that t has. The style is short, medium, long, full (with the weekday), time
// (hours and minutes), datetime, iso (2006-01-02 everywhere), or a layout of Go, whose January, Jan, Monday, Mon and PM are
// written in the language, months beside a day's number in the case that asks for. The calendar is always the Gregorian.
func (l Locale) Date(style string, t time.Time) (string, error) {
	var room [96]byte
	b := room[:0]
	if style == "iso" {
		return string(t.AppendFormat(b, time.DateOnly)), nil
	}
	if pattern, ok := l.facts.patterns[style]; ok {
		for _, p := range pattern {
			b = l.facts.field(b, p, t)
		}
		return l.facts.digits(b), nil
	}
	b = l.facts.layout(b, style, t)
	if string(b) == style && string(l.facts.layout(nil, style, t.Add(odd))) == style { // else every reader would see the layout
		return "", fmt.Errorf("date style %q: nothing of a date is in it\nhint: short, medium, long, full, time, datetime, iso, or a layout like 2 January 2006", style)
	}
	return l.facts.digits(b), nil
}

// odd is a time after which each part of a date is another.
const odd = (366+31+1)*24*time.Hour + 13*time.Hour + time.Minute + time.Second

// layouts of Go for the fields of a pattern that are numbers.
var layouts = map[string]string{"y": "2006", "yy": "06", "M": "1", "MM": "01", "d": "2", "dd": "02", "HH": "15", "h": "3", "hh": "03", "mm": "04"}

func (f *facts) field(b []byte, p piece, t time.Time) []byte {
	switch p.field {
	case "":
		return append(b, p.text...)
	case "MMMM":
		return append(b, f.beside.months[t.Month()-1]...)
	case "MMM":
		return append(b, f.beside.shortMonths[t.Month()-1]...)
	case "EEEE":
		return append(b, f.beside.weekdays[t.Weekday()]...)
	case "cccc":
		return append(b, f.alone.weekdays[t.Weekday()]...)
	case "EEE":
		return append(b, f.beside.shortWeekdays[t.Weekday()]...)
	case "H": // Go has no hour of 24 without a leading zero
		return fmt.Appendf(b, "%d", t.Hour())
	case "a":
		return append(b, f.periods[t.Hour()]...)
	}
	return t.AppendFormat(b, layouts[p.field])
}

// words of a Go layout that are names, the longer first where one begins another.
var words = []string{"January", "Jan", "Monday", "Mon", "PM", "pm"}

// layout writes by a layout of Go; what are no names is written by Go's own hand.
func (f *facts) layout(b []byte, layout string, t time.Time) []byte {
	names := f.alone
	if strings.Contains(strings.ReplaceAll(layout, "2006", ""), "2") {
		names = f.beside
	}
	for layout != "" {
		at, word := nextWord(layout)
		b = t.AppendFormat(b, layout[:at])
		switch word {
		case "January":
			b = append(b, names.months[t.Month()-1]...)
		case "Jan":
			b = append(b, names.shortMonths[t.Month()-1]...)
		case "Monday":
			b = append(b, names.weekdays[t.Weekday()]...)
		case "Mon":
			b = append(b, names.shortWeekdays[t.Weekday()]...)
		case "PM", "pm":
			b = append(b, f.periods[t.Hour()]...)
		}
		layout = layout[at+len(word):]
	}
	return b
}

// nextWord finds the first of the words in a layout. As with Go, Jan and Mon are none at the beginning of a longer word.
func nextWord(layout string) (at int, word string) {
	for i := range len(layout) {
		for _, w := range words {
			if !strings.HasPrefix(layout[i:], w) {
				continue
			}
			if next := i + len(w); len(w) == 3 && next < len(layout) && layout[next] >= 'a' && layout[next] <= 'z' {
				continue
			}
			return i, w
		}
	}
	return len(layout), ""
}

// digits puts the locale's digits in place of 0 to 9.
func (f *facts) digits(b []byte) string {
	if f.zero == '0' || !slices.ContainsFunc(b, isDigit) {
		return string(b)
	}
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		if isDigit(c) {
			out = utf8.AppendRune(out, f.zero+rune(c-'0'))
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
