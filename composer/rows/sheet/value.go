package sheet

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mailblast/mailblast/composer/rows/store"
)

// shown gives a number as its format shows it.
func (b *Book) shown(x float64, f format) any {
	switch f.kind {
	case moment:
		if m, ok := b.moment(x, f.form); ok {
			return m
		}
	case duration:
		s := int64(math.Round(math.Abs(x) * 24 * 60 * 60))
		sign := ""
		if x < 0 {
			sign = "-"
		}
		return fmt.Sprintf("%s%d:%02d:%02d", sign, s/3600, s/60%60, s%60)
	case percent:
		return strconv.FormatFloat(round15(x*100), 'f', f.digits, 64) + "%"
	case picture:
		if x >= 0 && x == math.Trunc(x) && x < 1e15 {
			return place(strconv.FormatInt(int64(x), 10), f.picture)
		}
	}
	return plain(x)
}

// plain gives a number with the 15 digits a spreadsheet keeps, and never with an exponent.
func plain(x float64) any {
	if x = round15(x); x != math.Trunc(x) {
		return x
	}
	if math.Abs(x) < 1e15 {
		return int64(x)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

func round15(x float64) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 15, 64), 64)
	if err != nil {
		return x
	}
	return y
}

// place puts digits into a picture from the right; those that have no place go before its first.
func place(digits, pic string) string {
	var out []rune // backwards
	runes := []rune(pic)
	first := strings.IndexFunc(pic, func(c rune) bool { return c == '0' || c == '#' })
	first = len([]rune(pic[:max(first, 0)]))
	for i := len(runes) - 1; i >= 0; i-- {
		c := runes[i]
		literal := i > 0 && runes[i-1] == 0
		switch {
		case literal:
			out = append(out, c)
			i--
		case c != '0' && c != '#':
			out = append(out, c)
		case digits != "":
			out = append(out, rune(digits[len(digits)-1]))
			digits = digits[:len(digits)-1]
		case c == '0':
			out = append(out, '0')
		}
		if i == first {
			for ; digits != ""; digits = digits[:len(digits)-1] {
				out = append(out, rune(digits[len(digits)-1]))
			}
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return string(out)
}

// moment reads a serial number: days, and their fraction, since the end of 1899 or the beginning of 1904.
func (b *Book) moment(x float64, f store.Form) (store.Moment, bool) {
	if x < 0 || x >= 2958466 { // the year 10000
		return store.Moment{}, false
	}
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case b.date1904:
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case f != store.Time && x >= 60 && x < 61: // 29 February 1900, which never was
		return store.Moment{}, false
	case x < 60: // before it
		epoch = epoch.AddDate(0, 0, 1)
	}
	day, part := math.Modf(x)
	at := epoch.AddDate(0, 0, int(day)).Add(time.Duration(math.Round(part*24*60*60*1000)) * time.Millisecond)
	switch f {
	case store.Date:
		at = at.Truncate(24 * time.Hour)
	case store.Time:
		at = time.Date(0, 1, 1, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
	}
	return store.Moment{Time: at, Form: f}, true
}

// iso reads a cell of type d: ISO 8601.
func iso(s string) any {
	for layout, form := range map[string]store.Form{"2006-01-02": store.Date, "15:04:05.999": store.Time, "2006-01-02T15:04:05.999": store.Timestamp,
		"2006-01-02T15:04:05.999Z": store.Timestamp} {
		if t, err := time.Parse(layout, s); err == nil {
			return store.Moment{Time: t, Form: form}
		}
	}
	return s
}
