package campaign

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

func duration(p *time.Duration, least time.Duration) scalar {
	return scalar{want: "a time such as 90s or 4h", print: func() string { return showDuration(*p) },
		json: jsonPattern(`^([0-9.]+(ms|s|m|h|d))+$`),
		parse: func(s string) *misfit {
			d, err := parseDuration(s)
			switch {
			case isNumber(s):
				return &misfit{fmt.Sprintf("%q needs a unit", s), s + "s, " + s + "m or " + s + "h?"}
			case err != nil:
				return &misfit{fmt.Sprintf("%q is not a time", clip(s)), "write it as 90s, 10m, 4h or 2d"}
			case d < least || d > 366*24*time.Hour:
				return &misfit{fmt.Sprintf("%q must lie between %s and 366d", clip(s), showDuration(least)), ""}
			}
			*p = d
			return nil
		}}
}

// parseDuration takes days, too.
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok && isNumber(days) {
		n, err := strconv.ParseFloat(days, 64)
		return time.Duration(min(n, 1e5) * 24 * float64(time.Hour)), err
	}
	return time.ParseDuration(s)
}

func showDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

var sizes = []struct {
	unit string
	n    float64
}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func size(p *int64, least int64) scalar {
	return scalar{want: "a size such as 25MB", print: func() string { return showSize(*p) },
		json: jsonPattern(`^[0-9.]+(GB|MB|kB|KB|GiB|MiB|KiB|B)$`),
		parse: func(s string) *misfit {
			if isNumber(s) {
				return &misfit{fmt.Sprintf("%q needs a unit", s), s + "MB or " + s + "kB?"}
			}
			for _, u := range sizes {
				number, ok := strings.CutSuffix(s, u.unit)
				if n, err := strconv.ParseFloat(number, 64); ok && err == nil && isNumber(number) {
					if n *= u.n; n < float64(least) || n > 1<<40 {
						return &misfit{fmt.Sprintf("%q must lie between %s and 1TB", s, showSize(least)), ""}
					}
					*p = int64(n)
					return nil
				}
			}
			return &misfit{fmt.Sprintf("%q is not a size", clip(s)), "write it as 25MB or 500kB"}
		}}
}

func showSize(n int64) string {
	for _, u := range sizes {
		if f := float64(n) / u.n; n > 0 && f == math.Trunc(f) {
			return strconv.FormatFloat(f, 'f', -1, 64) + u.unit
		}
	}
	return "0B"
}

var units = []struct {
	name string
	per  time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}}

func rate(p *Rate) scalar {
	return scalar{want: "a rate such as 20/s", print: func() string { return p.String() },
		json: jsonPattern(`^([0-9.]+/(s|m|h|d)|none)$`),
		parse: func(s string) *misfit {
			if s == "none" {
				*p = Rate{}
				return nil
			}
			number, unit, slash := strings.Cut(strings.ReplaceAll(s, " ", ""), "/")
			n, err := strconv.ParseFloat(number, 64)
			if err != nil || !isNumber(number) {
				return &misfit{fmt.Sprintf("rate %q is not a rate", clip(s)), "write it as 20/s, 20/m or 500/h"}
			}
			if !slash {
				return &misfit{fmt.Sprintf("rate %q needs a unit", s), fmt.Sprintf("%s/s, %s/m or %s/h?", s, s, s)}
			}
			if n <= 0 || n > 1e6 {
				return &misfit{fmt.Sprintf("rate %q must be more than 0 and at most 1000000", s), "leave the key out for no limit"}
			}
			for _, u := range units {
				if u.name == unit {
					*p = Rate{N: n, Per: u.per}
					return nil
				}
			}
			return &misfit{fmt.Sprintf("rate %q has an unknown unit", clip(s)), fmt.Sprintf("%s/s, %s/m, %s/h or %s/d?", number, number, number, number)}
		}}
}
