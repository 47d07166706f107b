package plain

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/mailblast/mailblast/composer/letter/plain/tree"
)

// footnotes are the addresses that stand at the end of the text.
type footnotes struct {
	inline  bool // there are none: addresses stand behind their links
	list    []string
	numbers map[string]int // places in the list, from 1
}

// number gives the address's place in the list. A link that comes again has the number it had.
func (f *footnotes) number(address string) int {
	if f.numbers[address] == 0 {
		f.list = append(f.list, address)
		f.numbers[address] = len(f.list)
	}
	return f.numbers[address]
}

// mark is how a footnote is named.
func mark(n int) string { return "[" + strconv.Itoa(n) + "]" }

// target is where a link leads to, if a reader of a text can follow it: not to a place in the same letter, not to a script.
type target struct {
	address string
	short   bool // of mail or telephone: it stands behind its link always
}

func targetOf(n *tree.Node) target {
	href := strings.Join(strings.Fields(n.Attribute("href")), "%20")
	scheme, rest, ok := strings.Cut(href, ":")
	if !ok || rest == "" {
		return target{}
	}
	switch strings.ToLower(scheme) {
	case "javascript", "vbscript", "data", "cid", "file", "about":
		return target{}
	case "mailto", "tel", "sms":
		rest, _, _ = strings.Cut(rest, "?")
		if plain, err := url.PathUnescape(rest); err == nil {
			rest = plain
		}
		return target{rest, true}
	}
	return target{href, false}
}

// shows tells that a link's text is its address, give or take what people leave out of one.
func (t target) shows(text string) bool {
	if t.short {
		return phone(text) == phone(t.address)
	}
	return bare(text) == bare(t.address)
}

func bare(s string) string {
	s = strings.TrimSpace(s)
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(s), "www."), "/"))
}

// separators are what is put between the digits of a number.
var separators = strings.NewReplacer(" ", "", "\u00a0", "", "-", "", "/", "", "(", "", ")", "", ".", "")

func phone(s string) string { return strings.ToLower(separators.Replace(s)) }

// distinct counts the addresses that links will need to have written, up to one more than enough.
func distinct(anchors []*tree.Node, enough int) int {
	seen := map[string]bool{}
	for _, n := range anchors {
		t := targetOf(n)
		if t.address == "" || t.short || seen[t.address] {
			continue
		}
		if text := words(n); text != "" && !t.shows(text) {
			seen[t.address] = true
		}
		if len(seen) > enough {
			break
		}
	}
	return len(seen)
}

// words are what can be seen of a link's text.
func words(n *tree.Node) string {
	return strings.TrimSpace(string(tidy([]byte(strings.TrimSpace(n.Words())))))
}
