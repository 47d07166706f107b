package sheet

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"github.com/mailblast/mailblast/composer/rows/store"
)

// kind is what a number format makes of a number.
type kind uint8

const (
	number   kind = iota // a number is a number
	moment               // a date, a time of day, or both
	duration             // hours past 24: 26:30:00
	percent
	picture // digits in their places: 00000, 000-00-0000
)

// format is a number format as far as it changes what a value is.
type format struct {
	kind    kind
	form    store.Form // of a moment
	digits  int        // of percent, behind the point
	picture string     // 0 and # for digits; anything else stands for itself
}

// builtin are the formats that are not in the file (ECMA-376 part 1, 18.8.30), those of East Asia among them.
var builtin = map[int]format{
	9: {kind: percent}, 10: {kind: percent, digits: 2}, 14: {kind: moment, form: store.Date}, 15: {kind: moment, form: store.Date},
	16: {kind: moment, form: store.Date}, 17: {kind: moment, form: store.Date}, 18: {kind: moment, form: store.Time}, 19: {kind: moment, form: store.Time},
	20: {kind: moment, form: store.Time}, 21: {kind: moment, form: store.Time}, 22: {kind: moment, form: store.Timestamp}, 45: {kind: moment, form: store.Time},
	46: {kind: duration}, 47: {kind: moment, form: store.Time},
}

func builtIn(id int) format {
	switch {
	case id >= 27 && id <= 31, id == 36, id >= 50 && id <= 54, id == 57, id == 58:
		return format{kind: moment, form: store.Date}
	case id >= 32 && id <= 35, id == 55, id == 56:
		return format{kind: moment, form: store.Time}
	}
	return builtin[id]
}

// styles reads what the numbers of cells' formats mean.
func (b *Book) styles(part string) error {
	own := map[int]format{}
	in := "" // cellXfs, and not cellStyleXfs
	return b.each(part, func(_ *reader, e xml.StartElement) error {
		id, err := strconv.Atoi(attr(e, "numFmtId"))
		switch e.Name.Local {
		case "cellXfs", "cellStyleXfs", "dxfs":
			in = e.Name.Local
		case "numFmt":
			if err == nil && in == "" {
				switch code := attr(e, "formatCode"); {
				case len(code) > maxName:
					return damaged(fmt.Errorf("a number format is longer than %d octets", maxName))
				case len(own) == maxStyles:
					return many(part, maxStyles, "number formats")
				}
				own[id] = parseFormat(attr(e, "formatCode"))
			}
		case "xf":
			if in != "cellXfs" {
				break
			}
			if len(b.formats) == maxStyles {
				return many(part, maxStyles, "cell formats")
			}
			f, ok := own[id]
			if !ok {
				f = builtIn(id)
			}
			b.formats = append(b.formats, f)
		}
		return nil
	})
}

// parseFormat reads a format code (ECMA-376 part 1, 18.8.31). Only its first section counts: that of positive numbers.
func parseFormat(code string) format {
	f := format{}
	plain, pic, elapsed := strip(code)
	lower := strings.ToLower(plain)
	if strings.EqualFold(plain, "general") {
		return f
	}
	if elapsed {
		return format{kind: duration}
	}
	lower = strings.NewReplacer("am/pm", "h", "a/p", "h").Replace(lower)
	date := strings.ContainsAny(lower, "yd") || strings.Contains(lower, "mmm")
	clock := strings.ContainsAny(lower, "hs")
	date = date || strings.Contains(lower, "m") && !clock
	switch {
	case date && clock:
		return format{kind: moment, form: store.Timestamp}
	case date:
		return format{kind: moment, form: store.Date}
	case clock:
		return format{kind: moment, form: store.Time}
	case strings.Contains(plain, "%"):
		f.kind = percent
		if _, behind, ok := strings.Cut(plain, "."); ok {
			f.digits = strings.Count(behind, "0")
		}
	case strings.Count(plain, "0") > 1 && !strings.ContainsAny(plain, ".,eE?/"):
		f.kind, f.picture = picture, pic
	}
	return f
}

// strip gives the first section of a code without what stands for itself (plain), and as a picture with it, where a 0 or
// # that stands for itself is kept apart by a NUL.
func strip(code string) (plain, pic string, elapsed bool) {
	var p, q strings.Builder
	literal := func(c rune) {
		if c == '0' || c == '#' {
			q.WriteByte(0)
		}
		q.WriteRune(c)
	}
	runes := []rune(code)
	for i := 0; i < len(runes); i++ {
		switch c := runes[i]; c {
		case ';':
			return p.String(), q.String(), elapsed
		case '"':
			for i++; i < len(runes) && runes[i] != '"'; i++ {
				literal(runes[i])
			}
		case '\\', '!':
			if i++; i < len(runes) {
				literal(runes[i])
			}
		case '_', '*': // the width of a character, and what fills the cell
			i++
		case '[':
			from := i + 1
			for i < len(runes) && runes[i] != ']' {
				i++
			}
			in := strings.ToLower(string(runes[from:min(i, len(runes))]))
			elapsed = elapsed || in != "" && strings.Trim(in, "h") == "" || in != "" && strings.Trim(in, "m") == "" || in != "" && strings.Trim(in, "s") == ""
		default:
			p.WriteRune(c)
			q.WriteRune(c)
		}
	}
	return p.String(), q.String(), elapsed
}
