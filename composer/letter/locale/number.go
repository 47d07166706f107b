package locale

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// most decimals a number is written with.
const most = 30

// Number writes a number with so many decimals (0 to 30, or -1: as many as it has), rounded half away from zero. v is an
// integer, a float, or decimal text such as "-1234.50", of any length; what is given as text is written exactly.
func (l Locale) Number(v any, decimals int) (string, error) {
	d, err := rounded(v, decimals, decimal.round)
	if err != nil {
		return "", err
	}
	return l.facts.write(d, l.facts.number, ""), nil
}

// Percent writes a fraction as a percentage with so many decimals (as in Number): 0.125 as 12.5%.
func (l Locale) Percent(v any, decimals int) (string, error) {
	d, err := rounded(v, decimals, func(d decimal, n int) decimal { return d.hundredfold().round(n) })
	if err != nil {
		return "", err
	}
	return l.facts.write(d, l.facts.percent, ""), nil
}

func rounded(v any, decimals int, round func(decimal, int) decimal) (decimal, error) {
	if decimals < -1 || decimals > most {
		return decimal{}, fmt.Errorf("%d decimals: a number is written with 0 to %d, or -1 for as many as it has", decimals, most)
	}
	d, err := decimalOf(v)
	if err != nil {
		return d, err
	}
	return round(d, decimals), nil
}

// Money writes an amount of a currency (its code of ISO 4217, such as EUR) with the currency's sign and as many decimals as
// it has in use: two for EUR, none for JPY, three for BHD. The amount is as in Number, and rounded so.
func (l Locale) Money(amount any, code string) (string, error) {
	code = strings.ToUpper(code)
	decimals, ok := read().decimals[code]
	if !ok {
		return "", fmt.Errorf("currency %q: no such currency\nhint: write its three letters of ISO 4217, like EUR", code)
	}
	d, err := rounded(amount, decimals, decimal.round)
	if err != nil {
		return "", err
	}
	sign := cmp.Or(l.facts.signs[code], code)
	form := l.facts.money
	at, _ := utf8.DecodeRuneInString(sign)
	if strings.Contains(form.positive.before, "{c}") {
		at, _ = utf8.DecodeLastRuneInString(sign)
	}
	if !unicode.In(at, unicode.S, unicode.Z) { // as UTS 35 has it of spacing between currency and number
		form = l.facts.letters
	}
	return l.facts.write(d, form, sign), nil
}

func (f *facts) write(d decimal, form form, sign string) string {
	var room [96]byte
	b := append(room[:0], d.whole...)
	if n := len(d.whole); n >= f.least && form.group != "" {
		b = b[:0]
		for i := range n {
			if left := n - i; i > 0 && left >= f.first && (left-f.first)%f.other == 0 {
				b = append(b, form.group...)
			}
			b = append(b, d.whole[i])
		}
	}
	if d.part != "" {
		b = append(append(b, form.decimal...), d.part...)
	}
	around := form.positive
	if d.negative {
		around = form.negative
	}
	return strings.ReplaceAll(around.before, "{c}", sign) + f.digits(b) + strings.ReplaceAll(around.behind, "{c}", sign)
}

// forms are the plural categories as the CLDR names them.
var forms = map[plural.Form]string{plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other"}

// Plural gives the cardinal plural category of a number (as in Number): zero, one, two, few, many or other. Every language
// has other; a text for a category that a language seldom uses may be left out for it. Zeros at the end of the decimals do
// not count, so 1.00 from a database is one.
func (l Locale) Plural(v any) (string, error) {
	d, err := decimalOf(v)
	if err != nil {
		return "", err
	}
	whole, part := d.whole, strings.TrimRight(d.part, "0")
	fraction := tail(part)
	form := plural.Cardinal.MatchPlural(l.plurals, tail(whole), len(part), len(part), fraction, fraction)
	base, _ := l.tag.Base()
	switch base.String() {
	case "ca", "es", "fr", "it", "pt": // "un million de", since CLDR 38
		if part == "" && len(whole) > 6 && strings.HasSuffix(whole, "000000") {
			form = plural.Many
		}
	case "he": // since CLDR 42 no form for tens, and 0.5 is one
		switch {
		case whole == "0" && part != "":
			form = plural.One
		case form == plural.Many:
			form = plural.Other
		}
	case "is", "mk": // of Croatian they share the form for one only
		if form == plural.Few {
			form = plural.Other
		}
	}
	return forms[form], nil
}

// tail is a number that has the plural of the one with these digits: the last seven decide, and that there are more.
func tail(digits string) int {
	if more := len(digits) - 7; more > 0 {
		digits = "1" + digits[more:]
	}
	n, _ := strconv.Atoi(digits) // digits only, and 0 for none
	return n
}

// pluralsOf gives the language whose plural rules in x/text, which are those of CLDR 32, serve for a locale.
func pluralsOf(tag language.Tag) language.Tag {
	base, _ := tag.Base()
	switch parent := tag.Parent(); {
	case parent == language.EuropeanPortuguese:
		return language.Portuguese // Angola and others count as Brazil does
	case base.String() == "mr":
		return language.Bulgarian // 1 only
	case base.String() == "is" || base.String() == "mk":
		return language.Croatian // 1, 21, 31 and 0.1, but not 11
	}
	return tag
}
