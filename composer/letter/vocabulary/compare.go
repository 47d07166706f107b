package vocabulary

import (
	"fmt"
	"math/big"
	"strings"
)

// equal compares a with each of the others. Two texts are equal when they are the same; a number is equal to a text that
// writes it.
func equal(a any, others ...any) (bool, error) {
	if len(others) == 0 {
		return false, fmt.Errorf("eq wants two values")
	}
	for _, b := range others {
		if same(a, b) {
			return true, nil
		}
	}
	return false, nil
}

func same(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if isNumber(a) || isNumber(b) {
		if x, y, ok := decimals(a, b); ok {
			return x.Cmp(y) == 0
		}
	}
	return Text(a) == Text(b)
}

// order compares by size. What is not there, NULL or an empty text, is neither more nor less than anything.
func order(holds func(c int) bool) func(a, b any) (bool, error) {
	return func(a, b any) (bool, error) {
		if empty(a) || empty(b) {
			return false, nil
		}
		if x, y, ok := decimals(a, b); ok {
			return holds(x.Cmp(y)), nil
		}
		if isNumber(a) || isNumber(b) {
			return false, fmt.Errorf("%.20q cannot be compared with %.20q: one of them is no number", Text(a), Text(b))
		}
		return holds(strings.Compare(Text(a), Text(b))), nil // dates, too: their text forms are in order
	}
}

func decimals(a, b any) (x, y *big.Rat, ok bool) {
	x, _, okA := decimal(a)
	y, _, okB := decimal(b)
	return x, y, okA && okB
}
