package plain

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the wanted texts")

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got := Text(doc, Options{})
		if got != "" {
			got += "\n"
		}
		wanted := strings.TrimSuffix(file, "html") + "txt"
		if *update {
			if err := os.WriteFile(wanted, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(wanted)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	const doc = `<p>See <a href="https://x.test/1">the page</a> and <a href="mailto:a@x.test">write</a>.</p>`
	const many = doc + `<a href="https://x.test/2">2</a> <a href="https://x.test/3">3</a> <a href="https://x.test/4">4</a>`
	for _, c := range []struct {
		doc  string
		o    Options
		want string
	}{
		{doc, Options{}, "See the page (https://x.test/1) and write (a@x.test)."},
		{doc, Options{Links: Footnotes}, "See the page [1] and write (a@x.test).\n\n[1] https://x.test/1"},
		{doc, Options{Width: 20}, "See the page\n(https://x.test/1)\nand write\n(a@x.test)."},
		{many, Options{}, "See the page [1] and write (a@x.test).\n\n2 [2] 3 [3] 4 [4]\n\n[1] https://x.test/1\n[2] https://x.test/2\n[3] https://x.test/3\n[4] https://x.test/4"},
		{many, Options{Links: Inline}, "See the page (https://x.test/1) and write (a@x.test).\n\n2 (https://x.test/2) 3 (https://x.test/3) 4 (https://x.test/4)"},
	} {
		if got := Text([]byte(c.doc), c.o); got != c.want {
			t.Errorf("%+v: got\n%s\nwant\n%s", c.o, got, c.want)
		}
	}
}

func BenchmarkText(b *testing.B) {
	doc, err := os.ReadFile("testdata/01-newsletter.html")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		Text(doc, Options{})
	}
}
