package page_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer/letter/page"
)

var update = flag.Bool("update", false, "rewrite the wanted trees in testdata")

// Each testdata/NN-name.html is a page, and NN-name.want its tree. Lines of the form "=== name" part templates.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := page.Parse(templates(string(b))...)
			checkPage(t, p)
			got := outline(p)
			want := strings.TrimSuffix(file, ".html") + ".want"
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			w, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(w) {
				t.Errorf("the tree of %s is\n%s\nwant\n%s", file, got, w)
			}
		})
	}
}

func templates(text string) []page.Template {
	parts := strings.Split("\n"+text, "\n=== ")
	list := []page.Template{{Name: "page", Text: strings.TrimPrefix(parts[0], "\n")}}
	for _, p := range parts[1:] {
		name, rest, _ := strings.Cut(p, "\n")
		list = append(list, page.Template{Name: name, Text: rest})
	}
	return list
}

// outline writes a tree with one node a line, without the white space of texts.
func outline(p *page.Page) string {
	var b strings.Builder
	for n := range p.Root.All() {
		if n.Parent == nil {
			continue
		}
		text := p.Templates[n.Template].Text
		if n.Name == "#text" && strings.TrimSpace(text[n.Start:n.End]) == "" {
			continue
		}
		for up := n.Parent; up.Parent != nil; up = up.Parent {
			b.WriteString("  ")
		}
		fmt.Fprintf(&b, "%s %d:%d-%d", n.Name, n.Template, n.Start, n.End)
		if n.Name[0] == '#' {
			b.WriteString(" " + strconv.Quote(text[n.Start:n.End]))
		} else if n.Until != n.End {
			fmt.Fprintf(&b, " until %d", n.Until)
		}
		for _, a := range n.Attributes {
			fmt.Fprintf(&b, " [%s=%q", a.Name, a.Value)
			if a.Dynamic {
				b.WriteString(" dynamic")
			}
			if a.Within != nil {
				b.WriteString(" within " + a.Within.Keyword)
			}
			b.WriteString("]")
		}
		if n.Within != nil {
			b.WriteString(" within " + n.Within.Keyword)
		}
		if n.Loose {
			b.WriteString(" loose")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// checkPage holds a page against what is always so.
func checkPage(t *testing.T, p *page.Page) {
	t.Helper()
	for n := range p.Root.All() {
		if n.Parent == nil {
			continue
		}
		text := p.Templates[n.Template].Text
		if n.Start < 0 || n.End < n.Start || n.End == n.Start && n.Name != "p" || n.End > len(text) || n.Until != -1 && (n.Until < n.End || n.Until > len(text)) {
			t.Fatalf("%s stands at %d-%d until %d of %d octets", n.Name, n.Start, n.End, n.Until, len(text))
		}
		if n.Name[0] == '#' || n.End == n.Start {
			continue
		}
		if tag := text[n.Start:n.End]; !strings.HasPrefix(strings.ToLower(tag), "<"+n.Name) || tag[len(tag)-1] != '>' {
			t.Fatalf("%s has the start tag %q", n.Name, tag)
		}
		at := n.Start
		for _, a := range n.Attributes {
			if a.Start < at || a.ValueStart < a.Start || a.ValueEnd < a.ValueStart || a.End < a.ValueEnd || a.End > n.End {
				t.Fatalf("%s has an attribute out of place: %+v", n.Name, a)
			}
			if a.Quote != 0 && (text[a.ValueStart-1] != a.Quote || text[a.ValueEnd] != a.Quote) {
				t.Fatalf("the value of %+v does not stand in its quotes", a)
			}
			at = a.End
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.html")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkPage(t, page.Parse(templates(text)...))
	})
}

// Templates that call each other many times end.
func TestCut(t *testing.T) {
	list := []page.Template{{Name: "0", Text: "<p>"}}
	for i := range 30 {
		call := fmt.Sprintf(`{{ template "%d" . }}`, i+1)
		list[i].Text += call + call
		list = append(list, page.Template{Name: strconv.Itoa(i + 1), Text: "<b></b>"})
	}
	if p := page.Parse(list...); !p.Cut {
		t.Error("a page of a billion elements was not cut")
	}
}

// Tags and comments that do not end take no longer than their length: if each were read to the end, this would take hours.
func TestEndless(t *testing.T) {
	for _, piece := range []string{"<a ", "</a ", "<a b=' ", "<style></style ", "</style ", "<!---->", "<!--", "</", "<!a", "{{ if .a }}<a {{ end }}"} {
		for _, before := range []string{"", "<style>"} {
			text := before + strings.Repeat(piece, 300_000/len(piece))
			start := time.Now()
			p := page.Parse(page.Template{Name: "page", Text: text})
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("%q: it took %s", before+piece, took)
			} else {
				t.Logf("%q: %s", before+piece, took)
			}
			checkPage(t, p)
		}
	}
}

func TestApply(t *testing.T) {
	for _, c := range []struct {
		edits []page.Edit
		want  string // empty: an error
	}{
		{nil, "abcdef"},
		{[]page.Edit{{4, 1, "E"}, {0, 2, ""}}, "cdEf"},
		{[]page.Edit{{2, 0, "1"}, {2, 0, "2"}, {2, 1, "C"}}, "ab12Cdef"},
		{[]page.Edit{{2, 1, "C"}, {2, 0, "1"}}, "ab1Cdef"},
		{[]page.Edit{{2, 1, "C"}, {2, 1, "C"}, {6, 0, "!"}}, "abCdef!"},
		{[]page.Edit{{2, 2, "C"}, {3, 1, "D"}}, ""},
		{[]page.Edit{{6, 1, ""}}, ""},
		{[]page.Edit{{-1, 1, ""}}, ""},
		{[]page.Edit{{1, -1, ""}}, ""},
	} {
		got, err := page.Apply("abcdef", c.edits)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%v gives %q, %v; want %q", c.edits, got, err, c.want)
		}
	}
}
