// Package locale writes dates, numbers and money as readers of a language expect them:
//
//  1. Parse reads a language tag (BCP 47) and finds what is known of it, or of the nearest locale there is something known of;
//  2. dates are written by that locale's patterns and names, or by a Go layout with its names;
//  3. numbers are read as decimal text, exactly, rounded, and written with that locale's marks;
//  4. money is a number with its currency (ISO 4217), and as many decimals as that has.
//
// What is known is in cldr.txt, made from the Unicode CLDR by testdata/cldr.mjs. A locale that is not in it has its parent's
// habits (de-LU those of de, en-NA those of en-001); a language that is not in it has those of English in Europe (en-150):
// 24 November 2026, 15:04, 1,234.5.
package locale

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// Locale is a language, and perhaps a script and a region. It is a small value, safe for concurrent use; the zero Locale is
// not valid.
type Locale struct {
	tag     language.Tag
	facts   *facts
	plurals language.Tag
}

// Parse reads a language tag such as de, pt-BR or zh-Hant-TW, in any case and with - or _ in it. Variants and extensions
// are left out: neither names nor marks depend on them. The error is for a person.
func Parse(s string) (Locale, error) {
	tag, err := language.Parse(strings.TrimSpace(s))
	if err != nil {
		return Locale{}, fmt.Errorf("language %q: no such language tag\nhint: write it like de or pt-BR", s)
	}
	base, script, region := tag.Raw()
	if tag, err = language.Compose(base, script, region); err != nil || base.String() == "und" {
		return Locale{}, fmt.Errorf("language %q: it names no language\nhint: write it like de or pt-BR", s)
	}
	return Locale{tag: tag, facts: known(tag), plurals: pluralsOf(tag)}, nil
}

// String gives the tag in its canonical form: de-AT, zh-Hant-TW.
func (l Locale) String() string { return l.tag.String() }

// Fallbacks gives the tags to look for when something is there in some languages only, such as a file: the locale itself
// first, the bare language last. de-AT gives de-AT and de, zh-TW gives zh-TW, zh-Hant and zh.
func (l Locale) Fallbacks() []string {
	tags := []string{l.tag.String()}
	for t := l.tag.Parent(); t != language.Und; t = t.Parent() {
		tags = append(tags, t.String())
	}
	base, _ := l.tag.Base()
	for _, name := range []string{base.String(), twins[base.String()]} {
		if name != "" && !slices.Contains(tags, name) {
			tags = append(tags, name)
		}
	}
	return tags
}

// twins are two tags of one language, of which people use either.
var twins = map[string]string{"no": "nb", "nb": "no"}

// rightToLeft are the scripts of it (ISO 15924) that languages are written in today.
var rightToLeft = []string{"Arab", "Aran", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm", "Rohg", "Mand", "Samr", "Yezi"}

// RightToLeft tells whether the language is written from right to left, as Arabic and Hebrew are.
func (l Locale) RightToLeft() bool {
	script, _ := l.tag.Script()
	return slices.Contains(rightToLeft, script.String())
}
