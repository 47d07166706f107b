package address

import (
	"net/mail"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("a", 64)
	domain := strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." + strings.Repeat("d", 60)
	for _, c := range []struct{ in, want, fault string }{
		{"ana@acme.example", "ana@acme.example", ""},
		{"  Ana.Lee+x@ACME.Example ", "Ana.Lee+x@acme.example", ""},
		{"o'hara!#$%&*/=?^_`{|}~-@x.test", "o'hara!#$%&*/=?^_`{|}~-@x.test", ""},
		{"ana@bücher.example", "ana@xn--bcher-kva.example", ""},
		{"ana@BÜCHER.example", "ana@xn--bcher-kva.example", ""},
		{"ana@xn--bcher-kva.example", "ana@xn--bcher-kva.example", ""},
		{"ana@ab--cd.example", "ana@ab--cd.example", ""},
		{"用户@例子.测试", "用户@xn--fsqu00a.xn--0zwm56d", ""},
		{long + "@" + domain + ".x", "", "longer than 254"},
		{long + "@x.test", long + "@x.test", ""},
		{long + "a@x.test", "", "longer than 64"},
		{"", "", "empty"},
		{"ana", "", "no @"},
		{"@x.test", "", "nothing before"},
		{"ana@", "", "no domain"},
		{"ana@localhost", "", "no dot"},
		{"ana@[127.0.0.1]", "", "literal"},
		{"ana@127.0.0.1", "", "a number"},
		{"ana@x..test", "", "two in a row"},
		{"ana@x.test.", "", "dot at an end"},
		{"ana@-x.test", "", "hyphen"},
		{"ana@x_y.test", "", `'_'`},
		{".ana@x.test", "", "dot at an end"},
		{"a..b@x.test", "", "two in a row"},
		{`"a b"@x.test`, "", "quoted"},
		{"a b@x.test", "", `' '`},
		{"a(b)@x.test", "", `'('`},
		{"a@b@x.test", "", `'@'`},
		{"@r.test:a@x.test", "", `'@'`},
		{"a\r\nRCPT TO:<b@x.test", "", "invisible"},
		{"a\x00@x.test", "", "invisible"},
		{"a@x.te\nst", "", "invisible"},
		{"a\u200b@x.test", "", "invisible"},
		{"a\u202eb@x.test", "", "invisible"},
		{"a@x\u00ad.test", "", "invisible"},
		{"a\xff@x.test", "", "UTF-8"},
		{"a\u00a0b@x.test", "", "local part holds"},
		{"ana@xn--a.example", "", "international"},
		{strings.Repeat("(", 20000) + "@x.test", "", "longer"},
	} {
		a, err := Parse(c.in)
		switch {
		case c.fault != "":
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("Parse(%.40q) = %v, %v; want a fault with %q", c.in, a, err, c.fault)
			}
		case err != nil || a.String() != c.want:
			t.Errorf("Parse(%.40q) = %q, %v; want %q", c.in, a, err, c.want)
		}
	}
}

func TestParseMailbox(t *testing.T) {
	for _, c := range []struct{ in, name, addr, fault string }{
		{"ana@x.test", "", "ana@x.test", ""},
		{"Ana Lee <ana@x.test>", "Ana Lee", "ana@x.test", ""},
		{"<ana@x.test>", "", "ana@x.test", ""},
		{`"Lee, Ana \"A\"" <ana@x.test>`, `Lee, Ana "A"`, "ana@x.test", ""},
		{"Änne Ö. <a@x.test>", "Änne Ö.", "a@x.test", ""},
		{"Lee, Ana <ana@x.test>", "", "", "double quotes"},
		{"Ana (x) <ana@x.test>", "", "", "double quotes"},
		{`"Ana <ana@x.test>`, "", "", "never closed"},
		{"Ana\r\nBcc: e@x.test <ana@x.test>", "", "", "holds"},
		{"\"Ana\r\nBcc\" <ana@x.test>", "", "", "invisible"},
		{"ana@x.test>", "", "", "> without <"},
		{"Ana <ana>", "", "", "no @"},
		{strings.Repeat("x", 2000), "", "", "longer"},
	} {
		name, a, err := ParseMailbox(c.in)
		switch {
		case c.fault != "":
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("ParseMailbox(%.40q): %v; want a fault with %q", c.in, err, c.fault)
			}
		case err != nil || a.String() != c.addr || name != c.name:
			t.Errorf("ParseMailbox(%.40q) = %q, %q, %v", c.in, name, a, err)
		}
	}
}

func TestKey(t *testing.T) {
	for _, pair := range [][2]string{
		{"Ana@X.test", "ana@x.TEST"},
		{"a@bücher.example", "A@xn--bcher-kva.example"},
		{"jose\u0301@x.test", "JOSÉ@x.test"},
	} {
		a, err1 := Parse(pair[0])
		b, err2 := Parse(pair[1])
		if err1 != nil || err2 != nil || a.Key() != b.Key() {
			t.Errorf("%q and %q: keys %q and %q (%v, %v)", pair[0], pair[1], a.Key(), b.Key(), err1, err2)
		}
	}
	if (Address{}).String() != "" {
		t.Error("the null reverse-path must print as nothing")
	}
}

// What is accepted parses to itself again, and never holds what could end a command.
func TestParseIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, err := Parse(rapid.StringMatching(`[a-zé.+@"\\ \x00-\x20]{0,12}@[a-zü.\-]{0,12}`).Draw(t, "in"))
		if err != nil {
			return
		}
		s := a.String()
		if b, err := Parse(s); err != nil || b != a {
			t.Fatalf("%q parses to %v, %v", s, b, err)
		}
		if strings.ContainsAny(s, "\r\n\x00 <>\"(),;:") {
			t.Fatalf("%q holds a special", s)
		}
	})
}

// FuzzParse holds the parser against net/mail: what both accept must go to the same domain.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"ana@x.test", `"a@b"@x.test`, "a@b@c.test", "a(x)@b.test", "ü@ü.test", "a@[1.2.3.4]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil || a.UTF8() || !ascii(s) {
			return
		}
		m, err := mail.ParseAddress(a.String())
		if err != nil {
			t.Fatalf("%q: net/mail refuses: %v", a, err)
		}
		if !strings.EqualFold(m.Address, a.String()) {
			t.Fatalf("%q: net/mail reads %q", a, m.Address)
		}
	})
}
