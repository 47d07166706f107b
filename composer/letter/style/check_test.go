package style_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/composer/letter/page"
)

var styles = regexp.MustCompile(`(?is)<style\b.*?</style>`)

// bare gives a template without style elements, style attributes and white space.
func bare(t testing.TB, text string) string {
	t.Helper()
	parts := page.Parse(page.Template{Name: "x", Text: text}).Actions[0]
	calls := `{{ template "x" . }}`
	for _, a := range parts {
		if a.Keyword == "define" {
			calls += text[a.Start:a.Start+2] + " template " + strconv.Quote(a.Name) + " }}"
		}
	}
	p := page.Parse(page.Template{Name: "all of it", Text: calls}, page.Template{Name: "x", Text: text})
	var edits []page.Edit
	for n := range p.Root.All() {
		for _, a := range n.Attributes {
			if a.Name == "style" && n.Template == 1 && n.Name != "style" {
				edits = append(edits, page.Edit{Offset: a.Start, Length: a.End - a.Start})
			}
		}
	}
	s, err := page.Apply(text, edits)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(styles.ReplaceAllString(s, "")), "")
}

// actionsOf lists the actions outside of style elements, in their order.
func actionsOf(text string) (list []string) {
	text = styles.ReplaceAllString(text, "")
	for _, a := range page.Parse(page.Template{Name: "x", Text: text}).Actions[0] {
		list = append(list, text[a.Start:a.End])
	}
	return list
}

// checkKept holds edited templates against the ones that were given: apart from styles, and from calls of copies, nothing
// has changed.
func checkKept(t testing.TB, in, out []page.Template) {
	t.Helper()
	renamed := regexp.MustCompile(`(\{\{-?\s*template\s+"[^"]*)~\d+"`)
	for i, was := range in {
		is := out[i]
		is.Text = renamed.ReplaceAllString(is.Text, `$1"`)
		if is.Name != was.Name || !slices.Equal(actionsOf(is.Text), actionsOf(was.Text)) {
			t.Errorf("template %s: the actions are %q, were %q", was.Name, actionsOf(is.Text), actionsOf(was.Text))
		}
		if bare(t, is.Text) != bare(t, was.Text) {
			t.Errorf("template %s: more than styles has changed:\n%s\nwas\n%s", was.Name, is.Text, was.Text)
		}
	}
}
