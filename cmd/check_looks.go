package cmd

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/rows/charset"
	"github.com/mailblast/mailblast/delivery/address"
	"github.com/mailblast/mailblast/delivery/address/hint"
)

// look finds one kind of thing that a person should see before a row's letter goes out. It keeps nothing from being sent.
type look struct {
	kind  string // for machines
	count func(n int) string
	at    func(r *composer.Row, to address.Address) string // what is odd; "": nothing
}

// looks are made at every row that will be sent, in this order.
func (d *desk) looks() []look {
	all := append(addressLooks[:len(addressLooks):len(addressLooks)], look{"double-encoded", func(n int) string { return verb(n, "value looks", "values look") + " encoded twice" },
		func(r *composer.Row, _ address.Address) string {
			for i, v := range r.Values {
				if s, ok := v.(string); ok && i < len(d.rows.Columns()) {
					if meant, ok := charset.Doubled(s); ok {
						return fmt.Sprintf("%s is %q: did you mean %q?", d.rows.Columns()[i].Name, short(s), short(meant))
					}
				}
			}
			return ""
		}})
	for _, i := range d.letter.Prints() {
		name := d.rows.Columns()[i].Name
		all = append(all,
			look{"empty", func(n int) string { return name + " is empty in " + plural(n, "row") + ", and the letter prints it" },
				printed(i, func(s string) string {
					if strings.TrimFunc(s, blankRune) == "" {
						return name + " is empty"
					}
					return ""
				})},
			look{"placeholder", func(n int) string {
				return name + " is no value in " + plural(n, "row") + ", such as #N/A, and the letter prints it"
			},
				printed(i, func(s string) string {
					if placeholder.MatchString(strings.TrimSpace(s)) {
						return fmt.Sprintf("%s is %q", name, short(s))
					}
					return ""
				})},
			look{"damaged", func(n int) string { return name + " has characters that were lost or escaped in " + plural(n, "row") },
				printed(i, func(s string) string {
					if strings.ContainsRune(s, '\ufffd') || entity.MatchString(s) {
						return fmt.Sprintf("%s is %q", name, short(s))
					}
					return ""
				})})
	}
	return all
}

// printed looks at the text of a column.
func printed(column int, at func(s string) string) func(*composer.Row, address.Address) string {
	return func(r *composer.Row, _ address.Address) string {
		if column < len(r.Values) {
			if s, ok := r.Values[column].(string); ok {
				return at(s)
			}
		}
		return ""
	}
}

// placeholder is what programs write where there is no value; entity is HTML where text should be.
var (
	placeholder = regexp.MustCompile(`(?i)^(?:#(?:N/A|NAME\?|REF!|VALUE!|DIV/0!|NULL!|NUM!)|null|undefined|nan|none|n/a|\(null\)|<null>|\[object object\])$`)
	entity      = regexp.MustCompile(`&(?:[a-zA-Z]{2,8}|#[0-9]{2,6});`)
)

// blankRune tells of characters that show nothing.
func blankRune(r rune) bool {
	return unicode.IsSpace(r) || r == '\u200b' || r == '\u2060' || r == '\ufeff' || r == '\u00ad'
}

// short is a value that fits a line.
func short(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

var addressLooks = []look{
	{"typo", func(n int) string { return verb(n, "address looks", "addresses look") + " mistyped" },
		func(_ *composer.Row, to address.Address) string {
			if meant, ok := hint.Typo(to.Domain); ok {
				return fmt.Sprintf("did you mean %s?", meant)
			}
			return ""
		}},
	{"mixed-script", func(n int) string { return verb(n, "domain mixes", "domains mix") + " alphabets that look alike" },
		func(_ *composer.Row, to address.Address) string {
			if label, ok := hint.Mixed(to.Domain); ok {
				return fmt.Sprintf("%q is not all in one alphabet", label)
			}
			return ""
		}},
	{"role", func(n int) string { return verb(n, "role address", "role addresses") + " such as info@" },
		func(_ *composer.Row, to address.Address) string {
			if hint.Role(to.Local) {
				return "an office, not a person"
			}
			return ""
		}},
}

// odd is what a look found in a row.
type odd struct {
	composer.Skipped // the row; its Text says what is odd
	kind             int
}

// oddities makes every look at a row.
func (d *desk) oddities(r *composer.Row) ([]odd, error) {
	env, err := d.letter.Envelope(r)
	if err != nil {
		return nil, err
	}
	var found []odd
	for i := range d.looking {
		if text := d.looking[i].at(r, env.Recipients[0]); text != "" {
			found = append(found, odd{composer.Skipped{Number: r.Number, Line: r.Line, To: d.letter.Addressee(r), Text: text}, i})
		}
	}
	return found, nil
}

// warnOdd tells what the looks found, counted by kind.
func (k *checkup) warnOdd(t *tally) {
	for i, x := range t.odd {
		if x.n > 0 {
			k.warnings++
			text := fmt.Sprintf("%s   (%s)%s", k.looking[i].count(x.n), k.env.onFile("check", "--show", "warnings"), x.String())
			k.print(finding{Level: "warning", Text: text, Kind: k.looking[i].kind, Count: x.n})
		}
	}
}
