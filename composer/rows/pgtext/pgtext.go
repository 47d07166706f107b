// Package pgtext makes values of what PostgreSQL's driver gives, as the documentation of package rows states them:
//
//  1. what the driver has decoded is kept, times with the form of their type;
//  2. JSON becomes nested values, arrays become lists, of as many dimensions as they have;
//  3. elements of arrays, which the driver leaves as text, are read by their type;
//  4. anything else is the text that the server writes.
package pgtext

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/mailblast/mailblast/composer/rows/jsontext"
	"github.com/mailblast/mailblast/composer/rows/store"
)

// Value makes the value of a column of that type (pg_type.typname; empty for those of users and extensions). An error
// says why there is none.
func Value(typ string, v any) (any, error) {
	switch v := v.(type) {
	case time.Time:
		return moment(typ, v), nil
	case string:
		return scalar(typ, v)
	case []byte:
		if typ == "bytea" {
			return base64.StdEncoding.EncodeToString(v), nil
		}
		return scalar(typ, string(v))
	}
	return v, nil // nil, int64, float64, bool
}

// scalar reads what the driver leaves as text.
func scalar(typ, s string) (any, error) {
	switch typ {
	case "bpchar":
		return strings.TrimRight(s, " "), nil
	case "json", "jsonb":
		return jsontext.Value([]byte(s))
	case "oid":
		return integer(s)
	case "interval":
		return interval(s), nil
	}
	if elem, ok := strings.CutPrefix(typ, "_"); ok {
		return Array(s, func(s string) (any, error) { return element(elem, s) })
	}
	return s, nil
}

func integer(s string) (any, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is no integer", s)
	}
	return n, nil
}

// element reads the text of an array's element.
func element(typ, s string) (any, error) {
	switch typ {
	case "int2", "int4", "int8":
		return integer(s)
	case "float4", "float8":
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number", s)
		}
		return x, nil
	case "bool":
		return s == "t", nil
	case "bytea":
		b, err := hex.DecodeString(strings.TrimPrefix(s, `\x`))
		if err != nil {
			return s, nil // in the format escape, which somebody has chosen
		}
		return base64.StdEncoding.EncodeToString(b), nil
	case "date", "timestamp", "timestamptz":
		if t, err := pq.ParseTimestamp(nil, s); err == nil {
			return moment(typ, t), nil
		}
		return s, nil // infinity, or a DateStyle of the user's own
	case "time":
		if t, err := time.Parse("15:04:05", s); err == nil {
			return moment(typ, t), nil
		}
		return s, nil // 24:00:00
	}
	return scalar(typ, s)
}

func moment(typ string, t time.Time) any {
	m := store.Moment{Time: t, Form: store.Timestamp}
	switch typ {
	case "time", "timetz":
		m.Form = store.Time
		if typ == "timetz" {
			m.Form = store.TimeTZ
		}
		if t.Day() == 2 { // the driver's way to say 24:00:00, which no time.Time can
			return strings.Replace(m.String(), "00:00:00", "24:00:00", 1)
		}
		return m
	case "date":
		m.Form = store.Date
	case "timestamptz":
		m.Form = store.TimestampTZ
	}
	if year := t.Year(); year < 1 { // year 0 is 1 BC
		m.Time = t.AddDate(1-2*year, 0, 0)
		return m.String() + " BC"
	}
	return m
}

// interval writes months in full; the server shortens them to mon, and nothing else.
func interval(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		switch w {
		case "mon":
			words[i] = "month"
		case "mons":
			words[i] = "months"
		}
	}
	return strings.Join(words, " ")
}
