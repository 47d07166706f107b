package letter_test

import (
	"bytes"
	"errors"
	"net/mail"
	"slices"
	"strings"
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
		"---\nsubject: \"{{ .v }}\"\n---\n{{ .v }}", "{{ printf .v 1 }}", "{{ $x := list .v }}{{ range 40 }}{{ $x = list $x $x }}{{ end }}{{ $x }}", "<a href='{{ .v }}'>", "{{ define \"a\" }}{{ end }}{{ template \"a\" . }}", "{{ `}}` }}", "| a |\n|---|\n| {{ .v }} |", "{{/* x */}}", "{{ col \"v\" }}",
	} {
		f.Add(s, "v")
		f.Add(s, "a\r\nBcc: eve@x.test\r\n\r\n.\r\n")
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
			oneOfEach(t, msg)
		}
	})
}

// oneOfEach holds the header of a letter whose campaign sets no field of its own against what it must be made of.
func oneOfEach(t failer, msg []byte) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(msg))
	if err != nil {
		t.Fatalf("net/mail: %v", err)
	}
	for _, key := range []string{"From", "To", "Subject", "Message-Id", "Date", "Mime-Version", "Content-Type"} {
		if len(m.Header[key]) != 1 {
			t.Fatalf("%d fields %s", len(m.Header[key]), key)
		}
	}
	for key := range m.Header {
		if !strings.HasPrefix(key, "Content-") && !slices.Contains([]string{"From", "To", "Subject", "Message-Id", "Date", "Mime-Version", "Auto-Submitted"}, key) {
			t.Fatalf("a field %s", key)
		}
	}
	if list, err := m.Header.AddressList("To"); err != nil || len(list) != 1 || list[0].Address != "jo@example.com" {
		t.Fatalf("to %v, %v", list, err)
	}
}
