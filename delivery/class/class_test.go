package class

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mailblast/mailblast/delivery"
)

func stageNamed(t *testing.T, name string) delivery.Stage {
	for s := delivery.StageGate; s <= delivery.StageDot; s++ {
		if s.String() == name {
			return s
		}
	}
	t.Fatalf("no stage %q", name)
	return 0
}

func TestReplies(t *testing.T) {
	data, err := os.ReadFile("testdata/replies.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "|", 5)
		if strings.HasPrefix(line, "#") {
			continue
		}
		if len(f) != 5 {
			t.Fatalf("bad line %q", line)
		}
		code, err := strconv.Atoi(f[1])
		if err != nil {
			t.Fatalf("bad code in %q", line)
		}
		if got := Of(code, f[2], f[4], stageNamed(t, f[3])).String(); got != f[0] {
			t.Errorf("got %q for %s", got, line)
		}
	}
}

// A mailbox or its domain may be called anything; only the server's own words count.
func TestAddressesAreNoEvidence(t *testing.T) {
	for _, to := range []string{"<spam@example.net>:", "no-such-user@example.net", "<a@spamhaus.example>", "quota@blacklist.example"} {
		if got := Of(550, "5.1.1", to+" User unknown", delivery.StageRcpt); got != delivery.ClassHard {
			t.Errorf("%s: got %v", to, got)
		}
	}
	if got := Of(550, "", "<no-such-user@example.net> try something else", delivery.StageRcpt); got != delivery.ClassSoft {
		t.Errorf("got %v from the name of a mailbox", got)
	}
}

func TestStatusIn(t *testing.T) {
	for text, want := range map[string]string{
		"User unknown (#5.1.1)":             "5.1.1",
		"5.7.1 <a@example.net> Access":      "5.7.1",
		"from 5.1.1.9, 4.16.55.1; 10.5.1.1": "",
		"v5.1.1 of postfix":                 "",
		"ends with 5.2.2.":                  "5.2.2",
		"5.1234.1 and 5..1 and 3.1.1":       "",
		"":                                  "",
	} {
		if got := statusIn(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"":                                " ",
		"<a@b.example>: User UNKNOWN!":    " user unknown ",
		"doesn't, doesn’t":                " doesnt doesnt ",
		"see http://x.example/?p=a@b":     " see http x example p a b ",
		"[TSS04]\r\nBuzón\xff lleno \x1b": " tss04 buzón lleno ",
	} {
		if got := plain(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestMeaning(t *testing.T) {
	for _, c := range []struct {
		class    delivery.Class
		code     int
		enhanced string
		want     string
	}{
		{delivery.ClassHard, 550, "5.1.1", "no such user"},
		{delivery.ClassSoft, 552, "5.2.2", "mailbox full"},
		{delivery.ClassBlock, 554, "5.7.1", "refused by policy"},
		{delivery.ClassBlock, 550, "5.7.999", "refused by policy"},
		{delivery.ClassHard, 550, "5.7.1", "no such address"}, // the text knew better than the code
		{delivery.ClassHard, 556, "", "domain takes no mail"},
		{delivery.ClassHard, 550, "", "no such address"},
		{delivery.ClassSoft, 0, "", "trouble at the recipient's server"},
		{delivery.ClassThrottle, 421, "", "too many messages at once"},
		{delivery.ClassDuplicate, 0, "", "same address twice"},
		{delivery.ClassNone, 0, "", "no reason given"},
		{delivery.ClassNone, 550, "5.1.2", "no such domain"},
	} {
		if got := Meaning(c.class, c.code, c.enhanced); got != c.want {
			t.Errorf("%v %d %s: got %q, want %q", c.class, c.code, c.enhanced, got, c.want)
		}
	}
}

func TestEveryClassHasAMeaning(t *testing.T) {
	for c := delivery.ClassHard; c <= delivery.ClassNull; c++ {
		if Meaning(c, 0, "") == "no reason given" {
			t.Errorf("%v has none", c)
		}
	}
}

func TestTableFaults(t *testing.T) {
	for _, text := range []string{
		"text hard", "text dead no such user", "word hard a", "status hard 1.1", "status hard 1.1 a\nstatus soft 1.1 b",
		"reply hard x a", "reply hard 550", "reply hard 550 a\nreply hard 550 b",
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// A rule that is spelt as no text can be after plain has reduced it would never fit.
func TestRulesCanFit(t *testing.T) {
	for _, r := range rules.text {
		said := strings.Join(r.parts, " ")
		if got := plain(said); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(said), " ") {
			t.Errorf("rule %q never fits: such a text becomes %q", said, got)
		}
	}
}

func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.IntRange(200, 599).Draw(t, "code")
		words := rapid.SampledFrom([]string{"user unknown", "spam", "quota", "slow down", "5.1.1", "", "no such user"})
		text := rapid.String().Draw(t, "before") + " " + words.Draw(t, "words")
		enhanced := rapid.SampledFrom([]string{"", "5.1.1", "4.1.1", "5.7.1", "2.1.5", "5.99.99"}).Draw(t, "enhanced")
		stage := delivery.Stage(rapid.IntRange(int(delivery.StageConnect), int(delivery.StageDot)).Draw(t, "stage"))
		got := Of(code, enhanced, text, stage)
		switch {
		case code < 400 && got != delivery.ClassNone, code >= 400 && (got < delivery.ClassHard || got > delivery.ClassBlock):
			t.Fatalf("%d is %v", code, got)
		case got == delivery.ClassHard && (code < 500 || stage < delivery.StageRcpt):
			t.Fatalf("%d at %v must not cost an address", code, stage)
		}
	})
}

func FuzzOf(f *testing.F) {
	f.Add(550, "5.1.1", "<a@example.net>: User unknown")
	f.Add(421, "4.7.0", "[TSS04] Messages from 192.0.2.1 deferred; see https://x.example/e")
	f.Add(0, "", "\xff\xfe (#5.1.")
	f.Fuzz(func(t *testing.T, code int, enhanced, text string) {
		for stage := delivery.StageConnect; stage <= delivery.StageDot; stage++ {
			c := Of(code, enhanced, text, stage)
			if Meaning(c, code, enhanced) == "" {
				t.Error("no words")
			}
			if c == delivery.ClassHard && (code < 500 || stage < delivery.StageRcpt) || code >= 200 && code < 400 && c != delivery.ClassNone {
				t.Errorf("%d %s %q at %v is %v", code, enhanced, text, stage, c)
			}
		}
	})
}

func BenchmarkOfSent(b *testing.B) {
	for b.Loop() {
		Of(250, "2.0.0", "Ok: queued as 4F1", delivery.StageDot)
	}
}

func BenchmarkOfRefused(b *testing.B) {
	for b.Loop() {
		Of(550, "", "Requested action not taken, and we will not say anything that helps you to find out why", delivery.StageRcpt)
	}
}
