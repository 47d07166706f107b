package style_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer/letter/page"
	"github.com/mailblast/mailblast/composer/letter/style"
)

// A page that is too large comes back as it was, with a fault, within seconds; a large one is done.
func TestLimits(t *testing.T) {
	rules := func(n int, form string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, form+" { color: #%06x; padding: %dpx }\n", i, i, i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name, sheet, element string
		elements             int
		done                 bool
	}{
		{"classes", rules(10_000, ".c%d"), `<p class="c7 c9">x</p>`, 40_000, true},
		{"types", rules(10_000, "p:not(.c%d)"), `<p class="c7">x</p>`, 40_000, false},
		{"unsure", rules(10_000, ".c%d"), `<p class="{{ .x }}">x</p>`, 40_000, false},
		{"descendants", rules(1000, "b div div div div div .c%d"), "<div>", 1000, false},
		{"places", rules(1000, "p:nth-child(%d)"), "<p>", 20_000, false},
		{"kept", rules(3000, "p:hover + .c%d, p"), "<p>", 1000, false},
	} {
		in := page.Template{Name: "page", Text: "<style>" + c.sheet + "</style>" + strings.Repeat(c.element, c.elements)}
		if c.name == "descendants" {
			in.Text += `<p class="c7">`
		}
		start := time.Now()
		out, _, faults := style.Inline(in)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%s: it took %s", c.name, took)
		} else {
			t.Logf("%s: %s", c.name, took)
		}
		if done := len(faults) == 0; done != c.done || done == (out[0] == in) {
			t.Errorf("%s: done is %v, want %v; faults: %v", c.name, done, c.done, faults)
		}
	}
}

func FuzzInline(f *testing.F) {
	for _, file := range cases(f) {
		f.Add(readFile(f, file))
	}
	for _, sheet := range []string{"[--x]{color:red}", ":not([--x]){color:red}", "p{color:red}\x00", "[\x00]{color:red}", "p\x00{color:\x00}"} {
		f.Add("<style>" + sheet + "</style><p>x</p>")
	}
	f.Add("<style>[href]{color:red}</style{{ if 0 }}><a{{ end }}href>")
	f.Fuzz(func(t *testing.T, text string) {
		in := templates(text)
		out, _, faults := style.Inline(in...)
		for _, fault := range faults {
			near(in, fault)
		}
		for i := range in {
			if out[i].Name != in[i].Name {
				t.Fatalf("template %q became %q", in[i].Name, out[i].Name)
			}
		}
		if _, err := parsed(in); err == nil {
			compile(t, out)
		}
	})
}
