package class

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mailblast/mailblast/delivery"
)

//go:embed rules.txt
var rulesText string

var rules = mustParse(rulesText)

// table is rules.txt compiled.
type table struct {
	text   []textRule
	detail map[string]codeRule // by "subject.detail"
	reply  map[int]codeRule
}

type codeRule struct {
	class delivery.Class
	words string
}

// textRule fits when its parts stand in the text in this order.
type textRule struct {
	class delivery.Class
	code  string   // only with this reply code, enhanced code, or first digit; empty is any
	parts []string // each begins with a space, and ends with one unless it is the start of a word
}

func (r *textRule) fits(code int, enhanced, words string) bool {
	for _, p := range r.parts {
		i := strings.Index(words, p)
		if i < 0 {
			return false
		}
		words = words[i+len(strings.TrimSuffix(p, " ")):]
	}
	if r.code == "" || r.code == enhanced {
		return true
	}
	digits := strconv.Itoa(code)
	return r.code == digits || r.code == digits[:1]
}

// status finds the rule for an enhanced code; an unknown detail falls back to the subject's 0.
func (t *table) status(enhanced string) (codeRule, bool) {
	class, detail, _ := strings.Cut(enhanced, ".")
	if class != "4" && class != "5" {
		return codeRule{}, false
	}
	if r, ok := t.detail[detail]; ok {
		return r, true
	}
	subject, _, _ := strings.Cut(detail, ".")
	r, ok := t.detail[subject+".0"]
	return r, ok
}

func mustParse(text string) *table {
	t, err := parse(text)
	if err != nil {
		panic("class: rules.txt: " + err.Error())
	}
	return t
}

// parse compiles a table. Its form is described at the head of rules.txt.
func parse(text string) (*table, error) {
	t := &table{detail: map[string]codeRule{}, reply: map[int]codeRule{}}
	number := 0
	for line := range strings.Lines(text) {
		number++
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) < 3 {
			return nil, fmt.Errorf("line %d: too few words", number)
		}
		if err := t.add(f[0], f[1], f[2:]); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return t, nil
}

func (t *table) add(kind, verdict string, rest []string) error {
	verdict, code, _ := strings.Cut(verdict, "/")
	c, ok := classes[verdict]
	if !ok {
		return fmt.Errorf("unknown class %q", verdict)
	}
	words := strings.Join(rest[1:], " ")
	switch kind {
	case "text":
		t.text = append(t.text, textRule{c, code, parts(rest)})
	case "status":
		if _, twice := t.detail[rest[0]]; twice || words == "" {
			return fmt.Errorf("status %s: twice, or without words", rest[0])
		}
		t.detail[rest[0]] = codeRule{c, words}
	case "reply":
		n, err := strconv.Atoi(rest[0])
		if _, twice := t.reply[n]; twice || err != nil || words == "" {
			return fmt.Errorf("reply %s: no number, twice, or without words", rest[0])
		}
		t.reply[n] = codeRule{c, words}
	default:
		return fmt.Errorf("unknown kind %q", kind)
	}
	return nil
}

var classes = map[string]delivery.Class{
	"hard": delivery.ClassHard, "soft": delivery.ClassSoft, "throttle": delivery.ClassThrottle, "block": delivery.ClassBlock,
}

// parts makes the parts of a text rule out of its words.
func parts(words []string) []string {
	var out []string
	for len(words) > 0 {
		n := slices.Index(words, "...")
		if n < 0 {
			n = len(words)
		}
		p := " " + strings.Join(words[:n], " ") + " "
		out = append(out, strings.TrimSuffix(p, "* "))
		words = words[min(n+1, len(words)):]
	}
	return out
}
