package locale

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decimal is a number as its digits, so that nothing of it is lost. Whole has at least one digit and no zeros before others.
type decimal struct {
	negative    bool
	whole, part string
}

// decimalOf reads an integer, a float (as the shortest decimal that is it) or decimal text: a sign or none, digits, and
// perhaps a point and digits.
func decimalOf(v any) (decimal, error) {
	switch r := reflect.ValueOf(v); {
	case !r.IsValid():
		return decimal{}, fmt.Errorf("NULL is not a number")
	case r.CanInt():
		return readDecimal(strconv.FormatInt(r.Int(), 10))
	case r.CanUint():
		return readDecimal(strconv.FormatUint(r.Uint(), 10))
	case r.CanFloat():
		if n := r.Float(); math.IsNaN(n) || math.IsInf(n, 0) {
			return decimal{}, fmt.Errorf("%v is not a number that can be written", n)
		}
		return readDecimal(strconv.FormatFloat(r.Float(), 'f', -1, r.Type().Bits()))
	case r.Kind() == reflect.String:
		return readDecimal(r.String())
	}
	return decimal{}, fmt.Errorf("a value of type %T is not a number", v)
}

func readDecimal(s string) (decimal, error) {
	digits := strings.TrimPrefix(s, "-")
	d := decimal{negative: len(digits) < len(s)}
	if !d.negative {
		digits = strings.TrimPrefix(s, "+")
	}
	whole, part, point := strings.Cut(digits, ".")
	if !allDigits(whole) || point && !allDigits(part) {
		return decimal{}, fmt.Errorf("%q is not a number\nhint: write it like -1234.50, without grouping marks", s)
	}
	d.whole, d.part = stripZeros(whole), part
	return d, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// stripZeros takes the zeros before other digits away.
func stripZeros(s string) string {
	if t := strings.TrimLeft(s, "0"); t != "" {
		return t
	}
	return "0"
}

// round gives the number with so many decimals, -1 for as many as it has. A half goes away from zero: 0.125 with two
// decimals is 0.13, and -0.125 is -0.13.
func (d decimal) round(decimals int) decimal {
	switch more := decimals - len(d.part); {
	case decimals < 0 || more == 0:
	case more > 0:
		d.part += strings.Repeat("0", more)
	default:
		up := d.part[decimals] >= '5'
		kept := d.whole + d.part[:decimals]
		if up {
			kept = increment(kept)
		}
		d.whole, d.part = kept[:len(kept)-decimals], kept[len(kept)-decimals:]
	}
	if strings.Trim(d.whole+d.part, "0") == "" {
		d.negative = false // of nothing nothing is missing
	}
	return d
}

// increment adds one in the last place.
func increment(digits string) string {
	b := []byte(digits)
	for i := range slices.Backward(b) {
		if b[i] != '9' {
			b[i]++
			return string(b)
		}
		b[i] = '0'
	}
	return "1" + string(b)
}

// hundredfold is a hundred times the number.
func (d decimal) hundredfold() decimal {
	part := d.part + strings.Repeat("0", max(0, 2-len(d.part)))
	d.whole, d.part = stripZeros(d.whole+part[:2]), part[2:]
	return d
}
