package refuse

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for spec, want := range map[string]string{
		"":                                     "",
		"rcpt 2%=550 5.1.1":                    "rcpt 2%=550 5.1.1 refused by a rule of this capture server",
		"data 5%=451":                          "data 5%=451 4.0.0 refused by a rule of this capture server",
		"GMAIL.com 10%=421 4.7.0 slow down":    "rcpt gmail.com 10%=421 4.7.0 slow down",
		"Bob@X.example=550 5.1.1 no such user": "rcpt bob@x.example=550 5.1.1 no such user",
		"ann@x.example once=451 greylisted":    "rcpt ann@x.example once=451 4.0.0 greylisted",
		"bücher.example=550":                   "rcpt xn--bcher-kva.example=550 5.0.0 refused by a rule of this capture server",
	} {
		rules, err := Parse(spec)
		if err != nil {
			t.Errorf("%q: %v", spec, err)
			continue
		}
		got := ""
		if len(rules) > 0 {
			got = rules[0].String()
		}
		if got != want {
			t.Errorf("%q = %q, want %q", spec, got, want)
		}
	}
	for spec, want := range map[string]string{
		"gmail.com 10%":           `fail rule 1 "gmail.com 10%": no "="`,
		"=550, data 0%=451":       `fail rule 2 "data 0%=451": "0%": a percentage`,
		"101%=451":                "at most 100",
		"x=250":                   `reply code "250"`,
		"x=55":                    `reply code "55"`,
		"x=550 4.1.1 no":          "does not go with 550",
		"a.example b.example=550": "one domain or address",
		"a.example 5% once=550":   "after the percentage",
		"@=550":                   "no stage",
		"x=550 \x1b[31m":          "printable",
		"=550,":                   `fail rule 2 ""`,
	} {
		if _, err := Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", spec, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("rcpt 2%=550 5.1.1, data 5%=451, gmail.com 10%=421")
	f.Add("ann@x.example once=451 4.7.1 greylisted")
	f.Fuzz(func(t *testing.T, spec string) {
		rules, err := Parse(spec)
		if err != nil {
			return
		}
		for _, r := range rules {
			again, err := Parse(r.String())
			if err != nil || len(again) != 1 || again[0].String() != r.String() {
				t.Fatalf("%q gives %q, and that %v, %v", spec, r, again, err)
			}
		}
	})
}

func TestRulesHit(t *testing.T) {
	c := New(must(t, "bob@x.example=550, x.example once=451, data 25%=452"), rand.New(rand.NewPCG(1, 2)))
	for i, want := range []int{550, 550, 451, 0, 0, 451} {
		to := []string{"bob@x.example", "BOB@x.example", "ann@X.example", "ann@x.example", "ann@notx.example", "cy@x.example"}[i]
		got := 0
		if e := c.Pick(AtRcpt, to); e != nil {
			got = e.Code
		}
		if got != want {
			t.Errorf("%d %s: %d, want %d", i, to, got, want)
		}
	}
	hits := 0
	for range 10_000 {
		if c.Pick(AtData, "a@b.example") != nil {
			hits++
		}
	}
	if hits < 2300 || hits > 2700 {
		t.Errorf("25%% hit %d of 10,000", hits)
	}
}

func must(t *testing.T, spec string) []Rule {
	t.Helper()
	rules, err := Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}
