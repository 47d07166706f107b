package cmd

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// What a list, a letter or a server says commands no terminal: no control character, none of the second set, and nothing that
// turns the direction of text gets out, in whatever form a command prints.
func TestNothingCommandsTheTerminal(t *testing.T) {
	t.Parallel()
	const evil = "\x1b]0;owned\x07\u009b31mred\u202eder\u2066\u200b\u0085end"
	p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Extensions: []string{"SIZE 1000000", "X-" + evil}, Reply: func(verb, arg string) string {
		if strings.Contains(arg, "gone@") {
			return "550 5.1.1 " + evil
		}
		return ""
	}})
	s := newSending(t, map[string]string{
		"campaign.yaml": campaignHead + fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", p.Port()),
		"list.csv":      "email,n,x" + evil + "\njo@acme.test,\"" + evil + "\",1\ngone@acme.test,Ana,\"" + evil + "\"\nthird@acme.test,Ana,2\n" + evil + "@acme.test,Bo,3\nnobody" + evil + ",Bo,3\n",
		"letter.txt":    "Hello {{ .n }}, spring is here.\n",
		"bad.yaml":      campaignHead + "smtp: capture\nto: '{{ col \"" + evil + "\" }}'\n",
		"other.yaml":    strings.ReplaceAll(campaignHead, "list.csv", "'"+evil+".csv'") + "smtp: capture\n",
	})
	for _, args := range [][]string{
		{"check"}, {"check", "--json"}, {"check", "--show", "skipped"}, {"check", "--show", "skipped", "--json"}, {"check", "--show", "warnings"}, {"check", "--show", "config"},
		{"check", "bad.yaml"}, {"check", "bad.yaml", "--json"}, {"check", "other.yaml"}, {"check", "--show", "config", "other.yaml"}, {"send", "other.yaml", "--json"},
		{"check", evil}, {"report", evil}, {"status", evil}, {"report", "-o", evil}, {"check", "--state", evil}, {"--" + evil}, {evil},
		{"preview"}, {"preview", "-o", "json"}, {"preview", "--hard"}, {"preview", "-o", "html"}, {"preview", "-o", "eml"}, {"send", "-n", "-v"}, {"send", "-v", "--json"}, {"send", "-v"},
		{"status"}, {"status", "--json"}, {"report"}, {"report", "-o", "json"}, {"send", "--to", evil}, {"send", "--test", evil}, {"send", "--run", evil}, {"purge"}, {"purge", evil},
	} {
		e := s.run(args...)
		for stream, text := range map[string]string{"output": e.out, "error": e.err} {
			if i := strings.IndexFunc(text, commands); i >= 0 {
				t.Errorf("%q, standard %s: %q", args, stream, text[max(0, i-60):min(len(text), i+60)])
			}
		}
	}
	if len(p.Messages()) == 0 {
		t.Error("nobody got their letter")
	}
}

// commands tells whether a terminal might take a character for more than a sign.
func commands(r rune) bool {
	return r != '\n' && r != '\r' && r != '\t' && unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) && r != '\ufeff'
}

// A terminal is shown a letter and a table with what commands it made harmless; a file gets them as they are.
func TestPrinting(t *testing.T) {
	var b strings.Builder
	p := &printing{w: &b}
	const text = "jo,\"\x1b[31m\u009b\u202e\"\nünïcödé ☃ 😀,\xff\r\n"
	for i := range len(text) {
		if n, err := p.Write([]byte{text[i]}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := "jo,\"\\x1b[31m\\u009b\\u202e\"\nünïcödé ☃ 😀,\\xff\\x0d\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
