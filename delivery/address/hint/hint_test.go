package hint

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"
)

func TestTypo(t *testing.T) {
	for typed, want := range map[string]string{
		"gmial.com": "gmail.com", "gmai.com": "gmail.com", "gmal.com": "gmail.com", "gmil.com": "gmail.com", "gamil.com": "gmail.com",
		"mgail.com": "gmail.com", "gmaill.com": "gmail.com", "gmaik.com": "gmail.com", "gmail.con": "gmail.com", "gmail.cmo": "gmail.com",
		"gmail.ocm": "gmail.com", "gmail.comm": "gmail.com", "gmail.cm": "gmail.com", "gmail.om": "gmail.com", "gmailcom": "gmail.com",
		"g.mail.com": "gmail.com", "goglemail.com": "googlemail.com", "hotnail.com": "hotmail.com", "hotmial.com": "hotmail.com",
		"hotmil.com": "hotmail.com", "hotmai.com": "hotmail.com", "hotmal.fr": "hotmail.fr", "hotmial.co.uk": "hotmail.co.uk",
		"yaho.com": "yahoo.com", "yahooo.com": "yahoo.com", "yhaoo.com": "yahoo.com", "yaho.co.uk": "yahoo.co.uk", "yahoo.couk": "yahoo.co.uk",
		"yahoo.con": "yahoo.com", "outlok.com": "outlook.com", "outloo.com": "outlook.com", "outlook.con": "outlook.com",
		"oultook.com": "outlook.com", "iclod.com": "icloud.com", "icluod.com": "icloud.com", "gmx.ed": "gmx.de", "web.ed": "web.de",
		"t-onlin.de": "t-online.de", "tonline.de": "t-online.de", "orange.rf": "orange.fr", "wanado.fr": "wanadoo.fr",
		"lapost.net": "laposte.net", "comcst.net": "comcast.net", "mail.ur": "mail.ru", "acme.con": "acme.com", "acme.nte": "acme.net",
		"btinternt.com": "btinternet.com", "protonmial.com": "protonmail.com", "yandx.ru": "yandex.ru", "charter.nett": "charter.net",
	} {
		if got, ok := Typo(typed); got != want || !ok {
			t.Errorf("%s: %q, want %q", typed, got, want)
		}
	}
}

// Nobody is told that a good domain is mistyped: the providers themselves, and domains close to them or to their endings.
func TestTypoIsSilent(t *testing.T) {
	b, err := os.ReadFile("testdata/good.txt")
	if err != nil {
		t.Fatal(err)
	}
	good := strings.Fields(string(b))
	for _, p := range providers {
		good = append(good, p.name, "mail."+p.name)
	}
	if len(good) < 500 {
		t.Fatalf("only %d domains", len(good))
	}
	for _, d := range good {
		if got, ok := Typo(d); ok {
			t.Errorf("%s: %q", d, got)
		}
	}
}

// No ending that is taken for a slip is a top-level domain, and what it is a slip of is one.
func TestEndings(t *testing.T) {
	tld := func(s string) bool {
		_, icann := publicsuffix.PublicSuffix("x." + s)
		return icann
	}
	for slip, right := range noTLD {
		if tld(slip) || !tld(right) {
			t.Errorf("%s, %s", slip, right)
		}
	}
	for slip, right := range wrongTLD {
		if slip == right || !tld(right) {
			t.Errorf("%s, %s", slip, right)
		}
	}
	for i, p := range providers {
		if _, icann := publicsuffix.PublicSuffix(p.name); !icann {
			t.Errorf("%s has no public suffix", p.name)
		}
		for _, q := range providers[:i] {
			if q.name == p.name {
				t.Errorf("%s stands there twice", p.name)
			}
		}
	}
}

func TestRole(t *testing.T) {
	for _, local := range []string{"info", "INFO", "info+2026", "no-reply", "noreply", "postmaster", "abuse", "Sales", "webmaster", "kontakt", "mailer-daemon"} {
		if !Role(local) {
			t.Errorf("%s is a role", local)
		}
	}
	for _, local := range []string{"", "ana", "information.desk.ana", "sales1", "ana+info", "infos", "jo.admin"} {
		if Role(local) {
			t.Errorf("%s is a person", local)
		}
	}
}

func TestMixed(t *testing.T) {
	for domain, want := range map[string]string{
		"xn--pple-43d.com":              "аpple", // Cyrillic а
		"mail.xn--pple-43d.com":         "аpple",
		"xn--ggle-55da.com":             "gооgle",
		"acme.com":                      "",
		"xn--bcher-kva.example":         "",
		"xn--e1afmkfd.xn--80akhbyknj4f": "",
		"xn--fsqu00a.xn--0zwm56d":       "",
		"xn--a.com":                     "",
	} {
		if got, ok := Mixed(domain); got != want || ok != (want != "") {
			t.Errorf("%s: %q", domain, got)
		}
	}
}

func BenchmarkTypo(b *testing.B) {
	for _, d := range []string{"gmail.com", "acme.example"} {
		b.Run(d, func(b *testing.B) {
			for b.Loop() {
				Typo(d)
			}
		})
	}
}
