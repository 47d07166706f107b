package vocabulary

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// Sums are exact: 0.1 and 0.2 make 0.3. div alone rounds, after divDigits digits.
const divDigits = 10

func add(vs ...any) (any, error) { return fold(vs, (*big.Rat).Add, maxScale) }
func sub(a, b any) (any, error)  { return fold([]any{a, b}, (*big.Rat).Sub, maxScale) }
func mul(vs ...any) (any, error) {
	return fold(vs, (*big.Rat).Mul, func(a, b int) int { return a + b })
}

func div(a, b any) (any, error) {
	if d, _, ok := decimal(b); ok && d.Sign() == 0 {
		return nil, errors.New("division by zero")
	}
	v, err := fold([]any{a, b}, (*big.Rat).Quo, func(int, int) int { return divDigits })
	if s, ok := v.(string); ok {
		return strings.TrimSuffix(strings.TrimRight(s, "0"), "."), err
	}
	return v, err
}

func maxScale(a, b int) int { return max(a, b) }

// fold calculates from left to right. NULL among the values makes NULL; a whole result is an int64, another a text.
func fold(vs []any, op func(z, x, y *big.Rat) *big.Rat, scaled func(a, b int) int) (any, error) {
	var sum *big.Rat
	scale := 0
	for i, v := range vs {
		if v == nil {
			return nil, nil
		}
		d, n, ok := decimal(v)
		switch {
		case !ok:
			return nil, fmt.Errorf("%.20q is no number", Text(v))
		case i == 0:
			sum, scale = d, n
		default:
			scale = scaled(scale, n)
			sum = op(new(big.Rat), sum, d)
		}
	}
	switch {
	case sum == nil:
		return nil, errors.New("there is nothing to calculate with")
	case scale > maxDigits || sum.Num().BitLen() > 4*maxDigits:
		return nil, errors.New("the number grows too long")
	case sum.IsInt() && sum.Num().IsInt64() && scale == 0 || sum.IsInt() && sum.Num().IsInt64() && scale == divDigits:
		return sum.Num().Int64(), nil
	}
	return sum.FloatString(scale), nil
}
