package letter_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter"
	"github.com/mailblast/mailblast/delivery"
)

func plain() letter.Options {
	return letter.Options{Template: "a.txt", Subject: "s", From: "ana@acme.example", Columns: []string{"email", "first_name", "First Name", "n"},
		Vars: map[string]any{"season": "spring", "items": []any{map[string]any{"name": "x"}}}}
}

// Every fault is found at once, where it is.
func TestFaultsInTemplates(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a.txt", "Hi\n\n{{ if .n }}a{{ else }}x {{ .frist_name }}{{ end }}", `a.txt:3:28: the list has no column "frist_name": did you mean "first_name"?`},
		{"a.md", "# Hi\n\n*{{ .frist_name }}*", `a.md:3:5: the list has no column "frist_name": did you mean "first_name"?`},
		{"a.html", "<p>\n<!--[if mso]>{{ .frist_name }}<![endif]-->", `a.html:2:17: the list has no column "frist_name": did you mean "first_name"?`},
		{"a.txt", "{{ .a }} {{ .b }}", "a.txt:1:4: the list has no column \"a\"\na.txt:1:13: the list has no column \"b\""},
		{"a.txt", "{{ uper .n }}", `a.txt:1:4: there is no function "uper": did you mean "upper"?`},
		{"a.txt", "{{ env \"HOME\" }}", `a.txt:1:4: there is no function "env"`},
		{"a.txt", "{{ html .n }}", `a.txt:1:4: there is no function "html"`},
		{"a.txt", "{{ _raw \"x\" }}", `there is no function "_raw"`},
		{"a.txt", "x\n  {{ if .n }}", "unexpected EOF"},
		{"a.txt", "x\n  {{ | }}", "a.txt:2:3: unexpected"},
		{"a.txt", "{{ with .first_name }}{{ .n }}{{ end }}", "a.txt:1:26: .first_name is one value and has no \"n\": write $.n"},
		{"a.txt", "{{ .first_name.Len }}", `.first_name is one value and has no "Len"`},
		{"a.txt", "{{ .vars.saison }}", `a.txt:1:9: .vars has no "saison"`},
		{"a.txt", `{{ col "first name" }}`, `a.txt:1:8: the list has no column "first name": did you mean "First Name"?`},
		{"a.txt", `{{ .First_Nam }}`, `a.txt:1:4: the list has no column "First_Nam": did you mean {{ col "First Name" }}?`},
		{"a.txt", `{{ col .n }}`, `col needs a column's name in quotes`},
		{"a.txt", `{{ unsubscribe_url }}`, "the campaign has no unsubscribe URL"},
		{"a.txt", `{{ template "foot" . }}`, `there is no template "foot"`},
		{"a.txt", `{{ define "a" }}{{ template "b" . }}{{ end }}{{ define "b" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`, `calls itself`},
		{"a.txt", `{{ define "never" }}{{ uper .x }}{{ end }}`, `there is no function "uper"`},
		{"a.txt", "x {{ . }}", "a.txt:1:6: this prints the whole row: write {{ .column }}"},
		{"a.html", `<a {{ if .n }}href="x{{ end }}>`, "a.html:1"},
		{"a.html", `<p onclick="{{ .n">`, "a.html:1"},
	} {
		t.Run(c.want, func(t *testing.T) {
			o := plain()
			o.Template = c.name
			_, err := load(t, write(t, map[string]string{c.name: c.text}), o)
			if f := (letter.Faults)(nil); !errors.As(err, &f) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestFaultsInFields(t *testing.T) {
	for want, change := range map[string]func(*letter.Options){
		`subject: the list has no column "x"`:                               func(o *letter.Options) { o.Subject = "{{ .x }}" },
		"subject: it is missing":                                            func(o *letter.Options) { o.Subject = "" },
		"subject: it holds a line break":                                    func(o *letter.Options) { o.Subject = "a\nb" },
		"from: not an address: it has no @":                                 func(o *letter.Options) { o.From = "ana" },
		"from: a sender's local part must be ASCII":                         func(o *letter.Options) { o.From = "änne@x.test" },
		`to: the list has no column "mial"`:                                 func(o *letter.Options) { o.To = "{{ .mial }}" },
		"to: the list has no column email, e-mail or mail":                  func(o *letter.Options) { o.Columns = []string{"n"} },
		`cc[1]: the list has no column "x"`:                                 func(o *letter.Options) { o.CC = []string{"a@x.test", "A <{{ .x }}>"} },
		"return_path: {token} is not supported here":                        func(o *letter.Options) { o.ReturnPath = "b+{token}@x.test" },
		"headers.Bcc: Bcc is set for you":                                   func(o *letter.Options) { o.Headers = []letter.Header{{Name: "Bcc", Value: "x"}} },
		"headers.list-id: list-id is set for you":                           func(o *letter.Options) { o.Headers = []letter.Header{{Name: "list-id", Value: "x"}} },
		"headers.A b: a header's name is made of":                           func(o *letter.Options) { o.Headers = []letter.Header{{Name: "A b", Value: "x"}} },
		"headers.x-a: x-a is there twice":                                   func(o *letter.Options) { o.Headers = []letter.Header{{Name: "X-A"}, {Name: "x-a"}} },
		"unsubscribe.url: it is no https URL":                               func(o *letter.Options) { o.Unsubscribe.URL = "ftp://x" },
		"unsubscribe.url: it holds a character":                             func(o *letter.Options) { o.Unsubscribe.URL = "https://x.test/>?t={token}" },
		"unsubscribe.url: it is no template":                                func(o *letter.Options) { o.Unsubscribe.URL = "https://x.test/?{{.n}}" },
		"unsubscribe.mailto: not an address":                                func(o *letter.Options) { o.Unsubscribe.Mailto = "x" },
		"to: the list has several columns of addresses: email, E-Mail":      func(o *letter.Options) { o.Columns = []string{"email", "E-Mail"} },
		"on_null: it is none of":                                            func(o *letter.Options) { o.OnNull.Do = "drop" },
		"template: b.txt: there is no such file":                            func(o *letter.Options) { o.Template = "b.txt" },
		`template: "" is no kind of template`:                               func(o *letter.Options) { o.Template = "b" },
		"template: dir.txt: it is no regular file":                          func(o *letter.Options) { o.Template = "dir.txt" },
		"text: the template is the text part already":                       func(o *letter.Options) { o.Text = "a.txt" },
		"layout: layouts/fancy.txt: there is no such file":                  func(o *letter.Options) { o.Layout = "fancy" },
		"layout: it is a name, not a path":                                  func(o *letter.Options) { o.Layout = "../x" },
		"layouts/bad.txt:1:1: the layout has no place for":                  func(o *letter.Options) { o.Layout = "bad" },
		"attachments[0]: no.pdf: there is no such file":                     func(o *letter.Options) { o.Attachments = []letter.Attachment{{Path: "no.pdf"}} },
		"attachments[0]: ../a.pdf: it leads out of the campai":              func(o *letter.Options) { o.Attachments = []letter.Attachment{{Path: "../a.pdf"}} },
		"attachments[0]: out.pdf: it lies outside of the campaign's folder": func(o *letter.Options) { o.Attachments = []letter.Attachment{{Path: "out.pdf"}} },
		"attachments[0]: fifo: it is no regular file":                       func(o *letter.Options) { o.Attachments = []letter.Attachment{{Path: "fifo"}} },
		"attachments[0]: a.txt: its name: it holds a line":                  func(o *letter.Options) { o.Attachments = []letter.Attachment{{Path: "a.txt", Name: "a\nb"}} },
		"attachments[0]: big.bin: it is larger than max_messa":              func(o *letter.Options) { o.MaxMessage = 1000; o.Attachments = []letter.Attachment{{Path: "big.bin"}} },
	} {
		t.Run(want, func(t *testing.T) {
			dir := write(t, map[string]string{"a.txt": "x", "layouts/bad.txt": "x", "big.bin": strings.Repeat("x", 5000), "dir.txt/x": ""})
			if err := errors.Join(mkfifo(filepath.Join(dir, "fifo")), os.Symlink("/etc/hostname", filepath.Join(dir, "out.pdf"))); err != nil {
				t.Fatal(err)
			}
			o := plain()
			change(&o)
			_, err := load(t, dir, o)
			if f := (letter.Faults)(nil); !errors.As(err, &f) || !strings.Contains(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// A fault in a field is placed in the campaign's file.
func TestFaultPosition(t *testing.T) {
	o := plain()
	o.Subject = "Hi {{ .frist_name }}"
	o.Pos = func(field string) (string, int, int) { return "campaign.yaml", len(field), 10 }
	_, err := load(t, write(t, map[string]string{"a.txt": "x"}), o)
	if want := `campaign.yaml:7:16: subject: the list has no column "frist_name": did you mean "first_name"?`; fmt.Sprint(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

type stringer string

func (s stringer) String() string { return string(s) }

func TestValues(t *testing.T) {
	for _, c := range []struct {
		text, null string
		value      any
		want       string // or the fault
		status     delivery.Status
		class      delivery.Class
	}{
		{"{{ .n }}", "", "x", "x", 0, 0},
		{"{{ .n }}", "", int64(7), "7", 0, 0},
		{"{{ .n }}", "", 1234567.5, "1234567.5", 0, 0},
		{"{{ .n }}", "", 10000000.0, "10000000", 0, 0},
		{"{{ .n }}", "", true, "true", 0, 0},
		{"{{ .n }}", "", stringer("12.50"), "12.50", 0, 0},
		{"{{ .n | upper }}", "", stringer("eur"), "EUR", 0, 0},
		{"{{ .n }}", "fail", nil, "a.txt: n is NULL", delivery.Failed, delivery.ClassContent},
		{"{{ .n | upper | trim }}", "", nil, "a.txt: n is NULL", delivery.Failed, delivery.ClassContent},
		{`{{ printf "%s" .n }}`, "", nil, "a.txt: n is NULL", delivery.Failed, delivery.ClassContent},
		{`{{ $x := .n }}{{ $x }}`, "", nil, "a.txt: $x is NULL", delivery.Failed, delivery.ClassContent},
		{`{{ col "n" }}`, "", nil, "a.txt: n is NULL", delivery.Failed, delivery.ClassContent},
		{"{{ .n }}", "skip", nil, "a.txt: n is NULL", delivery.Skipped, delivery.ClassNull},
		{"[{{ .n }}]", "empty", nil, "[]", 0, 0},
		{`{{ .n | default "friend" }}`, "", nil, "friend", 0, 0},
		{`{{ .n | default "friend" }}`, "", "", "friend", 0, 0},
		{`{{ default "friend" .n | upper }}`, "", nil, "FRIEND", 0, 0},
		{"{{ if .n }}yes{{ else }}no{{ end }}", "", nil, "no", 0, 0},
		{`{{ if eq .n "x" }}yes{{ else }}no{{ end }}`, "", nil, "no", 0, 0},
		{"{{ with .n }}{{ . }}{{ else }}none{{ end }}", "", nil, "none", 0, 0},
		{`{{ .n | urlquery }} {{ urlquery .n }}`, "", "a b&", "a+b%26 a+b%26", 0, 0},
		{`{{ title .n }}`, "", "o'neil of new-york", "O'neil Of New-York", 0, 0},
		{`{{ date "2 Jan 2006" .n }} {{ .n | date "iso" }}`, "", "2026-11-24 08:00:00+01", "24 Nov 2026 2026-11-24", 0, 0},
		{`{{ date "long" .n }}`, "", form.Date, "November 24, 2026", 0, 0},
		{`{{ date "iso" .n }}`, "", "soon", "is no date", delivery.Failed, delivery.ClassContent},
		{`{{ join ", " .vars.list }} {{ .vars.season }}`, "", nil, "a, b spring", 0, 0},
		{`{{ range .vars.list }}<{{ . }}>{{ end }}{{ range $i, $e := .vars.list }}{{ $i }}{{ $e }}{{ end }}`, "", nil, "<a><b>0a1b", 0, 0},
		{`{{ campaign }} {{ recipient }}`, "", nil, "spring-offer jo@example.com", 0, 0},
		{`{{ define "x" }}[{{ . }}]{{ end }}{{ template "x" .n }}`, "", "v", "[v]", 0, 0},
		{`Save 50%! {{ .n }}`, "", "x", "Save 50%! x", 0, 0},
		{`{{ printf "%d" .n }}`, "", "x", `looks like a template`, delivery.Failed, delivery.ClassContent},
		{"{{ range 2000000000 }}{{ end }}", "", "x", "turns", delivery.Failed, delivery.ClassContent},
		{"{{ range 90000 }}xxxxxxxxxxxxxxxx{{ end }}", "", "x", "more than", delivery.Failed, delivery.ClassContent},
		{`{{ $x := "ab" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}`, "", "x", "grows longer", delivery.Failed, delivery.ClassContent},
		{`{{ define "a" }}{{ range 1000 }}{{ template "b" . }}{{ end }}{{ end }}{{ define "b" }}{{ range 1000 }}{{ template "c" . }}{{ end }}{{ end }}{{ define "c" }}{{ end }}{{ range 1000 }}{{ template "a" . }}{{ end }}`, "", "x", "turns", delivery.Failed, delivery.ClassContent},
	} {
		t.Run(c.text, func(t *testing.T) {
			o := plain()
			o.OnNull, o.Campaign = null(c.null), "spring-offer"
			o.Vars["list"] = []any{"a", "b"}
			l, err := load(t, write(t, map[string]string{"a.txt": c.text}), o)
			if err != nil {
				t.Fatal(err)
			}
			msg, err := rendered(t, l, &composer.Row{Values: []any{"jo@example.com", "Jo", nil, c.value}}, stamp)
			if c.status == 0 {
				_, body, _ := strings.Cut(string(msg), "\r\n\r\n")
				if err != nil || body != c.want+"\r\n" {
					t.Errorf("%q, %v; want %q", body, err, c.want)
				}
				return
			}
			unfit := (*delivery.Unfit)(nil)
			if !errors.As(err, &unfit) || unfit.Status != c.status || unfit.Class != c.class || !strings.Contains(unfit.Text, c.want) {
				t.Errorf("%+v; want %v %v %q", err, c.status, c.class, c.want)
			}
		})
	}
}

// null is the rule that a word of campaign.yaml stands for.
func null(word string) letter.Null {
	if word == "empty" {
		return letter.Null{Do: "print"}
	}
	return letter.Null{Do: word}
}

// A column answers to its plain name as well, unless another one has it.
func TestPlainNames(t *testing.T) {
	for _, c := range []struct {
		columns string
		text    string
		want    string // or the fault
	}{
		{"email,First Name,Straße Nr.,VIP", "{{ .first_name }} {{ .straße_nr }} {{ .vip }} {{ .VIP }} {{ col \"First Name\" }} {{ col \"first_name\" }}", "1 2 3 3 1 1"},
		{"email,First Name,first_name", "{{ .first_name }} {{ col \"First Name\" }}", "2 1"},
		{"email,First Name,First-Name", "{{ .first_name }}", `the list has no column "first_name": did you mean {{ col "First Name" }}?`},
		{"email,First Name", "{{ .frist_name }}", `the list has no column "frist_name": did you mean "first_name"?`},
		{"email,2nd Address", "{{ .nd_address }}", "1"},
		{"email,Vars", "{{ .vars.season }}", "spring"},
	} {
		o := plain()
		o.Columns = strings.Split(c.columns, ",")
		l, err := load(t, write(t, map[string]string{"a.txt": c.text}), o)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s of %s: %v, want %s", c.text, c.columns, err, c.want)
			}
			continue
		}
		msg, err := rendered(t, l, &composer.Row{Values: []any{"jo@x.test", int64(1), int64(2), int64(3)}}, stamp)
		if _, body, _ := strings.Cut(string(msg), "\r\n\r\n"); err != nil || !strings.Contains(body, c.want) && !strings.Contains(string(msg), "=C3") {
			t.Errorf("%s of %s: %v\n%s\nwant %s", c.text, c.columns, err, msg, c.want)
		}
	}
}

// What a NULL does can be said for single columns.
func TestNullOfColumns(t *testing.T) {
	o := plain()
	o.OnNulls = map[string]letter.Null{"first_name": {Do: "print", Text: "friend"}, "n": {Do: "skip"}, "First Name": {Do: "fail"}}
	o.OnNull = letter.Null{Do: "print"}
	o.Subject = "[{{ .first_name }}]"
	l, err := load(t, write(t, map[string]string{"a.txt": "{{ .first_name | upper }} {{ .n }}"}), o)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := rendered(t, l, &composer.Row{Values: []any{"jo@x.test", nil, "x", "y"}}, stamp)
	if err != nil || !strings.Contains(string(msg), "Subject: [friend]") || !strings.Contains(string(msg), "\r\n\r\nfriend y\r\n") {
		t.Errorf("%v\n%s", err, msg)
	}
	_, err = rendered(t, l, &composer.Row{Values: []any{"jo@x.test", nil, "x", nil}}, stamp)
	if u := (*delivery.Unfit)(nil); !errors.As(err, &u) || u.Status != delivery.Skipped || u.Class != delivery.ClassNull {
		t.Errorf("a NULL of n gave %v", err)
	}
	o.OnNulls = map[string]letter.Null{"frist": {Do: "skip"}}
	if _, err := load(t, write(t, map[string]string{"a.txt": "x"}), o); err == nil || !strings.Contains(err.Error(), `on_null.frist: the list has no column "frist"`) {
		t.Errorf("a rule for no column gave %v", err)
	}
}

// Lists and mappings in columns can be walked; what is not there is a NULL.
func TestNestedValues(t *testing.T) {
	o := plain()
	o.Nested = map[string]bool{"n": true}
	row := &composer.Row{Values: []any{"jo@x.test", "Jo", nil, map[string]any{"city": "Graz", "owner": nil, "items": []any{map[string]any{"name": "tea", "qty": int64(2)}}}}}
	for text, want := range map[string]string{
		"{{ .n.city }}": "Graz", "{{ range .n.items }}{{ .qty }} {{ .name }}{{ end }}": "2 tea", "{{ len .n.items }}": "1",
		"{{ .n.street | default \"-\" }}": "-", "{{ .n.street }}": "!a.txt: n.street is NULL", "{{ .n }}": `{"city":"Graz","items":[{"name":"tea","qty":2}],"owner":null}`,
		"{{ (index .n.items 0).name }}": "tea", "{{ with .n }}{{ .city }}{{ end }}": "Graz", "{{ .n.city.x }}": "!\"x\" is looked for in a value that is no mapping", "{{ .n.owner.name | default \"nobody\" }}": "nobody", "{{ $.n.owner.name }}": "!a.txt: n.owner.name is NULL",
		"{{ if .n.owner.name }}x{{ else }}y{{ end }}": "y", "{{ range .n.none.at.all }}x{{ else }}none{{ end }}": "none", "{{ with .n.owner.name }}x{{ end }}z": "z",
	} {
		l, err := load(t, write(t, map[string]string{"a.txt": text}), o)
		if err != nil {
			t.Fatal(err)
		}
		msg, err := rendered(t, l, row, stamp)
		_, body, _ := strings.Cut(string(msg), "\r\n\r\n")
		if fault, bad := strings.CutPrefix(want, "!"); bad && (err == nil || !strings.Contains(err.Error(), fault)) || !bad && body != want+"\r\n" {
			t.Errorf("%s: %q, %v; want %s", text, body, err, want)
		}
	}
}

// A letter without a subject or a text is a mistake, whoever it is for.
func TestEmptyLetters(t *testing.T) {
	for _, c := range []struct{ subject, text, want string }{
		{"{{ .n }}", "x", "the subject is empty"}, {"s", "{{ .n }}", "the letter is empty"}, {"s", " {{ if false }}x{{ end }}\n", "the letter is empty"}, {"s", "x", ""},
	} {
		o := plain()
		o.Subject = c.subject
		l, err := load(t, write(t, map[string]string{"a.txt": c.text}), o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = rendered(t, l, &composer.Row{Values: []any{"jo@x.test", "", "", ""}}, stamp)
		if u := (*delivery.Unfit)(nil); (c.want == "") != (err == nil) || err != nil && (!errors.As(err, &u) || !strings.Contains(u.Text, c.want)) {
			t.Errorf("%q, %q: %v, want %s", c.subject, c.text, err, c.want)
		}
	}
}

// Values that look like a template only together are held back as well.
func TestLeftOver(t *testing.T) {
	l, err := load(t, write(t, map[string]string{"a.txt": "Save 50%! {{ .first_name }}{{ .n }}"}), plain())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a, b string
		goes bool
	}{{"{", "{ .x }}", false}, {"<no ", "value>", false}, {"Zgot", "mplZ", false}, {"100%!", "(now)", true}, {"%!s", "(MISSING)", false}, {"}", "}", true}} {
		_, err := rendered(t, l, &composer.Row{Values: []any{"jo@x.test", c.a, nil, c.b}}, stamp)
		if u := (*delivery.Unfit)(nil); c.goes != (err == nil) || err != nil && !errors.As(err, &u) {
			t.Errorf("%q and %q: %v", c.a, c.b, err)
		}
	}
}

func TestHTMLEscaping(t *testing.T) {
	dir := write(t, map[string]string{"a.html": `<p>{{ .n }}</p><a href="{{ .n }}">x</a>`})
	o := plain()
	o.Template, o.Text, o.Subject = "a.html", "none", "s"
	l, err := load(t, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = rendered(t, l, &composer.Row{Values: []any{"jo@example.com", nil, nil, "javascript:alert(1)"}}, stamp)
	if unfit := (*delivery.Unfit)(nil); !errors.As(err, &unfit) || !strings.Contains(err.Error(), "javascript:") {
		t.Errorf("a javascript: link gave %v", err)
	}
	msg, err := rendered(t, l, &composer.Row{Values: []any{"jo@example.com", nil, nil, `https://x.test/"><script>`}}, stamp)
	if err != nil || strings.Contains(string(msg), "<script") {
		t.Errorf("a script came through: %v\n%s", err, msg)
	}
}

func TestEnvelope(t *testing.T) {
	base := func(change func(*letter.Options)) letter.Options {
		o := plain()
		o.Columns = []string{"email", "name", "cc"}
		change(&o)
		return o
	}
	none := func(*letter.Options) {}
	cc := func(o *letter.Options) {
		o.CC, o.BCC = []string{"{{ .cc }}"}, []string{"{{ .name }} <b@x.test>", "{{ .name }}"}
	}
	pair := func(o *letter.Options) { o.To = "{{ .name }} <{{ .email }}>" }
	for _, c := range []struct {
		change func(*letter.Options)
		row    []any
		want   string
	}{
		{none, []any{"jo@x.test", nil, nil}, "ana@acme.example > jo@x.test"},
		{none, []any{"Jo Doe <Jo@BÜCHER.example>", nil, nil}, "ana@acme.example > Jo@xn--bcher-kva.example"},
		{none, []any{nil, nil, nil}, "its address is NULL"},
		{none, []any{}, "its address is NULL"},
		{none, []any{"jo", nil, nil}, "not an address: it has no @"},
		{none, []any{"jo@x.test, eve@x.test", nil, nil}, "not an address"},
		{none, []any{"jo@x.test\r\nRCPT TO:<eve@x.test>", nil, nil}, "not an address"},
		{cc, []any{"jo@x.test", "", "c1@x.test, \"C, 2\" <c2@x.test>,"}, "ana@acme.example > jo@x.test c1@x.test c2@x.test b@x.test"},
		{cc, []any{"jo@x.test", nil, nil}, "ana@acme.example > jo@x.test b@x.test"},
		{cc, []any{"jo@x.test", nil, "c1"}, "cc[0]: not an address: it has no @"},
		{cc, []any{"jo@x.test", nil, strings.Repeat("a@x.test,", 200)}, "more than 100 recipients"},
		{pair, []any{"jo@x.test", "Eve <eve@x.test>, ", nil}, "ana@acme.example > jo@x.test"},
		{pair, []any{"jo@x.test> <eve@x.test", "x", nil}, "not an address"},
		{pair, []any{nil, "x", nil}, "its address"},
		{func(o *letter.Options) { o.ReturnPath = "bounce@x.test" }, []any{"jo@x.test", nil, nil}, "bounce@x.test > jo@x.test"},
		{func(o *letter.Options) { o.From = "{{ .name }}" }, []any{"jo@x.test", "Rep <rep@x.test>", nil}, "rep@x.test > jo@x.test"},
		{func(o *letter.Options) { o.From = "{{ .name }}" }, []any{"jo@x.test", "räp@x.test", nil}, "must be ASCII"},
		{func(o *letter.Options) { o.To = "fix@x.test" }, []any{nil, nil, nil}, "ana@acme.example > fix@x.test"},
		{func(o *letter.Options) { o.To = "{{ .name }}@x.test" }, []any{nil, "jo", nil}, "ana@acme.example > jo@x.test"},
	} {
		l, err := load(t, write(t, map[string]string{"a.txt": "x"}), base(c.change))
		if err != nil {
			t.Fatal(err)
		}
		env, err := l.Envelope(&composer.Row{Values: c.row})
		got := env.From.String() + " >"
		for _, a := range env.Recipients {
			got += " " + a.String()
		}
		unfit := (*delivery.Unfit)(nil)
		if err != nil && (!errors.As(err, &unfit) || unfit.Status != delivery.Skipped || unfit.Class != delivery.ClassInvalid) {
			t.Errorf("%v: %v is no invalid row", c.row, err)
		}
		if got != c.want && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %s, %v; want %s", c.row, got, err, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	o := plain()
	o.MaxMessage = 1000
	l, err := load(t, write(t, map[string]string{"a.txt": "{{ .n }}"}), o)
	if err != nil {
		t.Fatal(err)
	}
	row := &composer.Row{Values: []any{"jo@x.test", nil, nil, strings.Repeat("x ", 500)}}
	_, err = rendered(t, l, row, stamp)
	if unfit := (*delivery.Unfit)(nil); !errors.As(err, &unfit) || unfit.Status != delivery.Failed {
		t.Errorf("a letter past max_message gave %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Render(ctx, row, stamp, form); !errors.Is(err, context.Canceled) {
		t.Errorf("a cut context gave %v", err)
	}
}
