package letter_test

import (
	"errors"
	"testing"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
	"github.com/mailblast/mailblast/delivery"
)

// FuzzValue puts a value into every place of a letter.
func FuzzValue(f *testing.F) {
	for v := range hostile {
		f.Add(v)
	}
	l := loadEverywhere(f)
	f.Fuzz(func(t *testing.T, v string) {
		msg, err := rendered(t, l, &composer.Row{Values: []any{"jo@example.com", v}}, stamp)
		if unfit := (*delivery.Unfit)(nil); errors.As(err, &unfit) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		hold(t, msg, v)
	})
}

// FuzzTemplate loads any text as a template of each kind: it is refused, or its letter is held back or well formed.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"{{ .v }}", "{{ if .v }}a{{ end }}", "{{ range 9 }}{{ . }}{{ end }}", "# a\n\n{{ if .v }}\n- b\n{{ end }}\n", "<!--[if mso]>{{ .v }}<![endif]-->",
		"<a href='{{ .v }}'>", "{{ define \"a\" }}{{ end }}{{ template \"a\" . }}", "{{ `}}` }}", "| a |\n|---|\n| {{ .v }} |", "{{/* x */}}", "{{ col \"v\" }}",
	} {
		f.Add(s, "v")
	}
	f.Fuzz(func(t *testing.T, text, v string) {
		for _, name := range []string{"a.txt", "a.html", "a.md"} {
			l, err := load(t, write(t, map[string]string{name: text}), letter.Options{Template: name, Subject: "s", From: "a@x.test", Columns: []string{"email", "v"}})
			if faults := (letter.Faults)(nil); errors.As(err, &faults) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			msg, err := rendered(t, l, &composer.Row{Values: []any{"jo@example.com", v}}, stamp)
			if unfit := (*delivery.Unfit)(nil); errors.As(err, &unfit) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			checkWire(t, msg)
		}
	})
}
