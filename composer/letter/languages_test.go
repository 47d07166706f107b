package letter_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jhillyerd/enmime/v2"

	"github.com/mailblast/mailblast/cmd/campaign"
	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
)

// front parses front matter as the program does.
func front(file, yaml string) (letter.Front, letter.Faults) {
	f, err := campaign.ParseFront(file, yaml)
	if faults := (campaign.Faults)(nil); errors.As(err, &faults) {
		var out letter.Faults
		for _, f := range faults {
			out = append(out, letter.Fault{File: f.File, Line: f.Line, Column: f.Column, Text: f.Text, Hint: f.Hint})
		}
		return letter.Front{}, out
	}
	return letter.Front{Subject: f.Subject, Preheader: f.Preheader, Layout: f.Layout, Locale: f.Locale, Pos: f.Pos}, nil
}

// offer is a letter in three languages, with layouts and partials in two.
var offer = map[string]string{
	"mail/offer.md":          "---\nsubject: Hello {{ .name }}\npreheader: Three things for {{ .name }}\n---\n# Hello {{ .name }}\n\n{{ number .n }} by {{ date \"long\" .day }}, {{ template \"sign\" . }}\n",
	"mail/offer.de.md":       "---\nsubject: Hallo {{ .name }}\n---\n# Hallo {{ .name }}\n\n{{ number .n }} bis {{ date \"long\" .day }}, {{ template \"sign\" . }}\n",
	"mail/offer.pt-BR.md":    "---\nsubject: Olá {{ .name }}\nlayout: none\n---\n# Olá\n\n{{ template \"sign\" . }}\n",
	"layouts/base.html":      "<html lang=\"{{ lang }}\" dir=\"{{ dir }}\"><body>{{ template \"content\" . }}{{ template \"foot\" . }}</body></html>",
	"partials/sign.md":       "your **shop**",
	"partials/sign.de.md":    "dein **Laden**",
	"partials/foot.html":     "<p>Bye from {{ campaign }}</p>",
	"partials/foot.de.html":  "<p>Tschüss von {{ campaign }}</p>",
	"partials/unused.html":   "{{ .nothing }}",
	"mail/offer.notes.md":    "{{ .nothing }}",
	"mail/offer.de.draft.md": "{{ .nothing }}",
}

func offerOptions() letter.Options {
	return letter.Options{Template: "mail/offer.md", Locale: "{{ .lang }}", From: "ana@acme.example", Campaign: "spring", Front: front,
		Columns: []string{"email", "name", "lang", "n", "day"}}
}

// The row's language chooses the letter, its subject, its partials, and how dates and numbers are written.
func TestLanguages(t *testing.T) {
	var notes []string
	o := offerOptions()
	o.Note = func(s string) { notes = append(notes, s) }
	l, err := load(t, write(t, offer), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		lang          any
		subject, text string
		html          string
	}{
		{"en", "Hello Jo", "1,234.5 by November 24, 2026, your shop", `lang="en"`},
		{"", "Hello Jo", "1,234.5 by November 24, 2026, your shop", `lang="en"`},
		{nil, "Hello Jo", "your shop", "Bye from spring"},
		{"de", "Hallo Jo", "1.234,5 bis 24. November 2026, dein Laden", `lang="de"`},
		{" de_AT ", "Hallo Jo", "bis 24. November 2026, dein Laden", `lang="de-AT"`},
		{"DE", "Hallo Jo", "dein Laden", "Tschüss von spring"},
		{"pt-br", "Olá Jo", "your shop", "<strong>shop</strong>"},
		{"fr", "Hello Jo", "1,234.5 by November 24, 2026, your shop", `lang="en"`},
		{"no language", "Hello Jo", "your shop", `lang="en"`},
	} {
		msg, err := rendered(t, l, &composer.Row{Values: []any{"jo@x.test", "Jo", c.lang, "1234.5", "2026-11-24"}}, stamp)
		if err != nil {
			t.Fatalf("%v: %v", c.lang, err)
		}
		e, err := enmime.ReadEnvelope(strings.NewReader(string(msg)))
		if err != nil || len(e.Errors) > 0 {
			t.Fatal(err, e.Errors)
		}
		text := strings.Join(strings.Fields(e.Text), " ")
		if e.GetHeader("Subject") != c.subject || !strings.Contains(text, c.text) || !strings.Contains(e.HTML, c.html) {
			t.Errorf("%v: subject %q, text %q, want %q in it, HTML\n%s\nwant %s in it", c.lang, e.GetHeader("Subject"), text, c.text, e.HTML, c.html)
		}
	}
	want := []string{"there is no letter for the language fr: the one without a language in its name is sent",
		"no language is no language such as de or pt-BR: the letter without a language in its name is sent"}
	for i := range notes {
		notes[i] = strings.ReplaceAll(notes[i], `"`, "")
	}
	if len(notes) != 2 || notes[0] != want[0] || !strings.HasPrefix(notes[1], "no language is no language such as") {
		t.Errorf("notes %q", notes)
	}
}

// One letter for all languages writes its dates and numbers for the reader.
func TestOneLetterForAll(t *testing.T) {
	o := offerOptions()
	o.Template, o.Subject = "a.txt", "s"
	l, err := load(t, write(t, map[string]string{"a.txt": "{{ number .n }}"}), o)
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string]string{"de": "1.234,5", "en": "1,234.5", "": "1,234.5"} {
		msg, err := rendered(t, l, &composer.Row{Values: []any{"jo@x.test", "Jo", lang, "1234.5", nil}}, stamp)
		if err != nil || !strings.HasSuffix(string(msg), "\r\n\r\n"+want+"\r\n") {
			t.Errorf("%s: %v\n%s", lang, err, msg)
		}
	}
}

// What is wrong in any language is found before there is a row, at its place in its file.
func TestFaultsInLanguages(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"mail/offer.de.md", "---\nsubject: Hallo {{ .nme }}\n---\nx", `mail/offer.de.md:2:19: subject: the list has no column "nme": did you mean "name"?`},
		{"mail/offer.de.md", "---\nsubject: Hallo\n---\n\nx {{ .nme }}", `mail/offer.de.md:5:6: the list has no column "nme": did you mean "name"?`},
		{"mail/offer.de.md", "---\nsubjet: Hallo\n---\nx", `mail/offer.de.md:2:1: unknown key "subjet" under front matter: did you mean "subject"?`},
		{"mail/offer.de.md", "---\nsubject: Hallo\n\nx", "mail/offer.de.md:1:1: the front matter that begins here is never closed"},
		{"mail/offer.de.md", "\n---\nsubject: Hallo\n---\nx", "mail/offer.de.md:1:1: this looks like front matter, and would be sent as a part of the letter"},
		{"mail/offer.de.md", "+++\nsubject = 'Hallo'\n+++\nx", "mail/offer.de.md:1:1: this looks like front matter"},
		{"mail/offer.de.md", "---\nlayout: fancy\n---\nx", "mail/offer.de.md:2:9: layout: layouts/fancy.html: there is no such file"},
		{"mail/offer.md", "---\nlocale: nowhere-at-all\n---\nx", "mail/offer.md:2:9: locale: "},
		{"mail/offer.md", "no subject", "subject: it is missing"},
		{"mail/offer.md", "---\nsubject: s\n---\n{{ template \"sgin\" . }}", `mail/offer.md:4:13: there is no template "sgin"`},
		{"partials/foot.de.html", "<p>{{ .nme }}", `partials/foot.de.html:1:7: the list has no column "nme"`},
		{"partials/foot.html", "{{ template \"foot\" . }}", `partials/foot.html:1:13: template "foot" calls itself`},
		{"partials/sign.md", "x {{ uper .name }}", `partials/sign.md:1:6: there is no function "uper"`},
		{"layouts/base.de.html", "<p>", "layouts/base.de.html:1:1: the layout has no place for the letter"},
	} {
		files := map[string]string{}
		for name, text := range offer {
			files[name] = text
		}
		files[c.file] = c.text
		_, err := load(t, write(t, files), offerOptions())
		if f := (letter.Faults)(nil); !errors.As(err, &f) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
		var f letter.Faults
		errors.As(err, &f)
		for i, one := range f {
			if slices.Contains(f[:i], one) {
				t.Errorf("told twice: %v", one)
			}
		}
	}
}

// What every letter is made of has a hash, which tells one campaign's content from another's.
func TestHash(t *testing.T) {
	seen := map[string]string{}
	for name := range offer {
		files := map[string]string{}
		for n, text := range offer {
			files[n] = text
		}
		files[name] += " "
		l, err := load(t, write(t, files), offerOptions())
		if err != nil {
			t.Fatal(err)
		}
		again, err := load(t, write(t, files), offerOptions())
		if err != nil || again.Hash() != l.Hash() {
			t.Errorf("%v: one content has two hashes", err)
		}
		if other, ok := seen[l.Hash()]; ok && !strings.Contains(fmt.Sprint(name, other), "unused") && !strings.Contains(name+other, "notes") && !strings.Contains(name+other, "draft") {
			t.Errorf("a change of %s and one of %s have the same hash", name, other)
		}
		seen[l.Hash()] = name
	}
	if want := len(offer) - 2; len(seen) != want {
		t.Errorf("%d hashes, want %d", len(seen), want)
	}
}
