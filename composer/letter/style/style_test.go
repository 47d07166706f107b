package style_test

import (
	"flag"
	"fmt"
	htmltemplate "html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/composer/letter/page"
	"github.com/mailblast/mailblast/composer/letter/style"
)

var update = flag.Bool("update", false, "rewrite the wanted templates in testdata")

// templates reads a case: lines of the form "=== name" part templates.
func templates(text string) []page.Template {
	parts := strings.Split("\n"+text, "\n=== ")
	list := []page.Template{{Name: "page", Text: strings.TrimPrefix(parts[0], "\n")}}
	for _, p := range parts[1:] {
		name, rest, _ := strings.Cut(p, "\n")
		list = append(list, page.Template{Name: name, Text: rest})
	}
	return list
}

func joined(list []page.Template) string {
	text := list[0].Text
	for _, t := range list[1:] {
		text = strings.TrimSuffix(text, "\n") + "\n=== " + t.Name + "\n" + t.Text
	}
	return text
}

func cases(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.in.html")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	return files
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Each testdata/NN-name.in.html is a letter's templates and NN-name.want.html what they become, with the faults behind.
func TestGolden(t *testing.T) {
	for _, file := range cases(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			in := templates(readFile(t, file))
			out, _, faults := style.Inline(in...)
			got := joined(out)
			for _, f := range faults {
				got = strings.TrimSuffix(got, "\n") + fmt.Sprintf("\n=== fault in %s at %q\n%s\n%s\n", f.Source, near(in, f), f.Text, f.Hint)
			}
			want := strings.TrimSuffix(file, ".in.html") + ".want.html"
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if w := readFile(t, want); got != w {
				t.Errorf("%s becomes\n%s\nwant\n%s", file, got, w)
			}
			compile(t, in)
			compile(t, out)
			checkKept(t, in, out)
		})
	}
}

func near(in []page.Template, f style.Fault) string {
	i := slices.IndexFunc(in, func(t page.Template) bool { return t.Name == f.Source })
	return in[i].Text[f.Offset:min(f.Offset+12, len(in[i].Text))]
}

// compile has html/template read and escape templates.
func compile(t testing.TB, list []page.Template) *htmltemplate.Template {
	t.Helper()
	set, err := parsed(list)
	if err != nil {
		t.Fatalf("html/template: %v\n%s", err, joined(list))
	}
	return set
}

func parsed(list []page.Template) (*htmltemplate.Template, error) {
	form := func(v any) any { return v }
	set := htmltemplate.New(list[0].Name).Funcs(htmltemplate.FuncMap{"markdown": form, "nl2br": form, "safe_html": form})
	for i, s := range list {
		to := set
		if i > 0 {
			to = set.New(s.Name)
		}
		if _, err := to.Parse(s.Text); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// A copy is known by what it was made of, whatever the names of templates look like.
func TestOrigin(t *testing.T) {
	in := []page.Template{
		{Name: "page", Text: `<style>.a b { color: red } .b b { color: blue }</style><div class="a">{{ template "p~2" . }}{{ template "q" . }}</div>` +
			`<div class="b">{{ template "p~2" . }}{{ template "q" . }}</div>{{ define "q" }}<b>y</b>{{ end }}`},
		{Name: "p~2", Text: "<b>x</b>"},
	}
	out, origin, faults := style.Inline(in...)
	if len(faults) > 0 || len(out) != len(in)+len(origin) || len(origin) != 2 {
		t.Fatalf("%q, copies of %v, faults %v", out, origin, faults)
	}
	for i, o := range origin {
		if copied := out[len(in)+i]; (o == 1) != strings.HasPrefix(copied.Name, "p~2~") || (o == 0) != strings.HasPrefix(copied.Name, "q~") {
			t.Errorf("%q is a copy of %q", copied, in[o].Name)
		}
	}
}
