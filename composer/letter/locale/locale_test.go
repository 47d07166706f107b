package locale

import (
	"bufio"
	"maps"
	"math/big"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func locale(t testing.TB, tag string) Locale {
	t.Helper()
	l, err := Parse(tag)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestParse(t *testing.T) {
	for in, want := range map[string]string{"de": "de", "DE": "de", "de_AT": "de-AT", "de-at": "de-AT", "pt-BR": "pt-BR", " fr ": "fr",
		"zh-Hant-TW": "zh-Hant-TW", "zh_hant_tw": "zh-Hant-TW", "iw": "he", "deu": "de", "ckb": "ckb", "de-CH-1996": "de-CH",
		"de-u-co-phonebk": "de", "es-419": "es-419", "tlh": "tlh"} {
		if l, err := Parse(in); err != nil || l.String() != want {
			t.Errorf("%q: %q (%v), want %q", in, l, err, want)
		}
	}
	for _, in := range []string{"", "german", "xx", "x-foo", "und", "root", "C", "de--AT", "de_DE.UTF-8", "1", "\x00"} {
		if _, err := Parse(in); err == nil || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestFallbacks(t *testing.T) {
	for in, want := range map[string]string{"de": "de", "de-AT": "de-AT de", "zh-Hant-TW": "zh-Hant-TW zh-Hant zh", "zh-TW": "zh-TW zh-Hant zh",
		"pt-BR": "pt-BR pt", "en-AU": "en-AU en-001 en", "es-MX": "es-MX es-419 es", "nb": "nb no", "no": "no nb", "sr-Latn-RS": "sr-Latn-RS sr-Latn sr"} {
		if got := strings.Join(locale(t, in).Fallbacks(), " "); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestRightToLeft(t *testing.T) {
	for _, tag := range []string{"ar", "ar-EG", "he", "iw", "fa", "ur", "yi", "ps", "dv", "ckb", "sd", "ug", "az-Arab", "ks-Arab"} {
		if !locale(t, tag).RightToLeft() {
			t.Error(tag)
		}
	}
	for _, tag := range []string{"de", "en", "ja", "tr", "az", "uz", "el", "tlh", "sr-Latn"} {
		if locale(t, tag).RightToLeft() {
			t.Error(tag)
		}
	}
}

// What Intl of Node writes, we write, to the last space.
func TestIntl(t *testing.T) {
	f, err := os.Open("testdata/intl.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		cells := strings.Split(s.Text(), "\t")
		rows++
		got, err := write(locale(t, cells[0]), cells[1], cells[2])
		if err != nil || got != cells[3] {
			t.Errorf("%s %s %s: got %+q, Intl %+q (%v)", cells[0], cells[1], cells[2], got, cells[3], err)
		}
	}
	if rows < 5000 {
		t.Errorf("only %d rows", rows)
	}
}

func write(l Locale, kind, arg string) (string, error) {
	kind, code, _ := strings.Cut(kind, " ")
	switch kind {
	case "number":
		return l.Number(arg, -1)
	case "percent":
		return l.Percent(arg, 0)
	case "money":
		return l.Money(arg, code)
	case "plural":
		return l.Plural(arg)
	}
	at, err := time.Parse("2006-01-02T15:04", arg)
	if err != nil {
		return "", err
	}
	return l.Date(kind, at)
}

// Every locale of the table is whole, and can be asked for by its name.
func TestTable(t *testing.T) {
	for name, f := range read().locales {
		for _, n := range []names{f.beside, f.alone} {
			if len(n.months) != 12 || len(n.shortMonths) != 12 || len(n.weekdays) != 7 || len(n.shortWeekdays) != 7 {
				t.Errorf("%s: %d %d %d %d names", name, len(n.months), len(n.shortMonths), len(n.weekdays), len(n.shortWeekdays))
			}
			for _, s := range slices.Concat(n.months, n.shortMonths, n.weekdays, n.shortWeekdays, f.periods[:]) {
				if strings.TrimSpace(s) == "" {
					t.Errorf("%s: an empty name", name)
				}
			}
		}
		for style, p := range f.patterns {
			for _, piece := range p {
				if _, ok := layouts[piece.field]; !ok && !slices.Contains([]string{"", "MMMM", "MMM", "EEEE", "EEE", "cccc", "H", "a"}, piece.field) {
					t.Errorf("%s %s: unknown field {%s}", name, style, piece.field)
				}
			}
			if len(p) == 0 {
				t.Errorf("%s: no pattern %s", name, style)
			}
		}
		for _, n := range []form{f.number, f.percent, f.money, f.letters} {
			if n.decimal == "" || n.negative == n.positive {
				t.Errorf("%s: form %+q", name, n)
			}
		}
		if got := locale(t, name); got.String() != name || got.facts != f {
			t.Errorf("%s is not found by its name", name)
		}
	}
}

// The first locale that is asked for may be asked for by many at once, and all have the same of it.
func TestTogether(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, tag := range slices.Sorted(maps.Keys(read().locales)) {
				if _, err := locale(t, tag).Money("-1234.5", "usd"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// A number in English is the exact decimal value, rounded half away from zero, with a comma at every third digit.
func TestNumberIsExact(t *testing.T) {
	en := locale(t, "en")
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.StringMatching(`-?[0-9]{1,40}(\.[0-9]{1,30})?`).Draw(t, "in")
		decimals := rapid.IntRange(0, 30).Draw(t, "decimals")
		got, err := en.Number(in, decimals)
		if err != nil {
			t.Fatal(err)
		}
		whole, _, _ := strings.Cut(strings.TrimPrefix(got, "-"), ".")
		for i, group := range strings.Split(whole, ",") {
			if len(group) > 3 || i > 0 && len(group) < 3 {
				t.Fatalf("%s: group of %d digits", got, len(group))
			}
		}
		exact, _ := new(big.Rat).SetString(in)
		want := exact.FloatString(decimals) // half away from zero
		if strings.Trim(want, "-0.") == "" {
			want = strings.TrimPrefix(want, "-")
		}
		if plain := strings.ReplaceAll(got, ",", ""); plain != want {
			t.Fatalf("%s with %d decimals: %s, want %s", in, decimals, plain, want)
		}
		percent, err := en.Percent(in, decimals)
		if want := exact.Mul(exact, big.NewRat(100, 1)).FloatString(decimals); err != nil ||
			strings.TrimPrefix(strings.ReplaceAll(percent, ",", ""), "-") != strings.TrimPrefix(want, "-")+"%" {
			t.Fatalf("%s as %s, want %s%% (%v)", in, percent, want, err)
		}
	})
}

// Whatever it is given, it gives a text or an error.
func Fuzz(f *testing.F) {
	f.Add("de_AT", "Monday, 2. January 2006", "-1234.50", "EUR", 2)
	f.Add("fa", "full", "0.005", "bhd", -1)
	f.Fuzz(func(t *testing.T, tag, style, number, code string, decimals int) {
		l, err := Parse(tag)
		if err != nil {
			return
		}
		at := time.Date(2026, 11, 24, 15, 4, 5, 0, time.UTC)
		if s, err := l.Date(style, at); err == nil && s == "" {
			t.Errorf("style %q gives nothing", style)
		}
		if again, err := Parse(l.String()); err != nil || again.String() != l.String() {
			t.Errorf("%s is read as %s (%v)", l, again, err)
		}
		for _, write := range []func() (string, error){
			func() (string, error) { return l.Number(number, decimals) },
			func() (string, error) { return l.Percent(number, decimals) },
			func() (string, error) { return l.Money(number, code) },
			func() (string, error) { return l.Plural(number) },
		} {
			if s, err := write(); err == nil && s == "" {
				t.Errorf("%q gives nothing", number)
			}
		}
	})
}
