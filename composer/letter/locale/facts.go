package locale

import (
	_ "embed" // cldr.txt
	"maps"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/language"
)

//go:embed cldr.txt
var cldr string

// facts are what is known of a locale.
type facts struct {
	beside       names // beside a day's number: "24 ноября"
	alone        names // without one: "ноябрь"
	periods      [24]string
	patterns     map[string][]piece // by style
	least        int                // digits before the decimal mark from which on groups are made
	first, other int                // digits in the group at the decimal mark, and in the others
	zero         rune
	number       form
	percent      form
	money        form              // with a sign, such as $
	letters      form              // with letters at the number, such as USD or kr
	signs        map[string]string // of currencies; their code if they have none
}

// form of a number: what stands around it when it is positive and when it is negative, {c} for a currency, and its marks.
type form struct {
	positive, negative affixes
	decimal, group     string
}

// names of months from January on, of weekdays from Sunday on.
type names struct{ months, shortMonths, weekdays, shortWeekdays []string }

// affixes stand before and behind a number's digits.
type affixes struct{ before, behind string }

// piece of a pattern: a field of the date, or a text if that is "".
type piece struct{ field, text string }

// unknown is the locale of languages that the table does not have.
const unknown = "en-150"

// facts of all locales by name, and the decimals of all currencies by code. They are made once, at the first locale.
type table struct {
	locales  map[string]*facts
	decimals map[string]int
}

var read = sync.OnceValue(func() table {
	raw := map[string]map[string]string{}
	var section map[string]string
	for line := range strings.Lines(cldr) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "[") {
			name, parent, _ := strings.Cut(strings.Trim(line, "[]"), ":")
			section = map[string]string{}
			maps.Copy(section, raw[parent])
			raw[name] = section
		} else if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			section[key] = value
		}
	}
	t := table{map[string]*facts{}, map[string]int{}}
	for c := range strings.SplitSeq(raw["currencies"]["digits"], "|") {
		code, digits, _ := strings.Cut(c, " ")
		t.decimals[code] = number(digits)
	}
	delete(raw, "currencies")
	for name, section := range raw {
		t.locales[name] = compile(section)
	}
	return t
})

// styles of a date that cldr.txt has patterns for.
var styles = []string{"short", "medium", "long", "full", "time", "datetime"}

func compile(raw map[string]string) *facts {
	f := &facts{beside: namesOf(raw, ""), alone: namesOf(raw, "-alone"), patterns: map[string][]piece{}, signs: map[string]string{},
		number: formOf(raw, "number", ""), percent: formOf(raw, "percent", ""),
		money: formOf(raw, "money", "money-"), letters: formOf(raw, "money-letters", "money-")}
	f.zero, _ = utf8.DecodeRuneInString(raw["zero"])
	for _, style := range styles {
		f.patterns[style] = patternOf(raw[style])
	}
	for _, p := range strings.Split(raw["periods"], "|") {
		from, name, _ := strings.Cut(p, " ")
		for hour := number(from); hour < 24; hour++ {
			f.periods[hour] = name
		}
	}
	sizes := strings.Fields(raw["sizes"])
	f.first, f.other = number(sizes[0]), number(sizes[1])
	f.least = f.first + number(sizes[2])
	for key, sign := range raw {
		if code, ok := strings.CutPrefix(key, "sign-"); ok {
			f.signs[code] = sign
		}
	}
	return f
}

func number(s string) int {
	n, _ := strconv.Atoi(s) // the table's, which the tests read through
	return n
}

func namesOf(raw map[string]string, suffix string) names {
	list := func(key string) []string {
		if s, ok := raw[key+suffix]; ok {
			key = s
		} else {
			key = raw[key]
		}
		return strings.Split(key, "|")
	}
	return names{months: list("months"), shortMonths: list("short-months"), weekdays: list("weekdays"), shortWeekdays: list("short-weekdays")}
}

func formOf(raw map[string]string, key, marks string) form {
	return form{affixesOf(raw[key]), affixesOf(raw["negative-"+key]), raw[marks+"decimal"], raw[marks+"group"]}
}

func affixesOf(s string) affixes {
	before, behind, _ := strings.Cut(s, "{n}")
	return affixes{before, behind}
}

func patternOf(s string) []piece {
	var ps []piece
	for s != "" {
		text, rest, _ := strings.Cut(s, "{")
		field, rest, _ := strings.Cut(rest, "}")
		if text != "" {
			ps = append(ps, piece{text: text})
		}
		if field != "" {
			ps = append(ps, piece{field: field})
		}
		s = rest
	}
	return ps
}

// known gives the facts of the locale, or of the nearest of its parents.
func known(tag language.Tag) *facts {
	all := read().locales
	base, _ := tag.Base()
	script, _ := tag.Script()
	region, _ := tag.Region()
	full := base.String() + "-" + script.String() + "-" + region.String() // zh-HK is zh-Hant-HK there
	for _, name := range append([]string{tag.String(), full}, Locale{tag: tag}.Fallbacks()...) {
		if f, ok := all[name]; ok {
			return f
		}
	}
	return all[unknown]
}
