package campaign

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/cmd/campaign/source"
)

// others stands for every column that on_null does not name.
const others = "*"

// nullRules is the kind of on_null: a word for all columns, or a mapping by column.
type nullRules struct{ p *Nulls }

func (k nullRules) take(l *loader, path string, n *source.Node) {
	if n.Kind != source.Map {
		var rule Null
		nullWord(&rule).take(l, path, n)
		k.p.Default = rule
		return
	}
	l.record(path, n)
	k.p.Columns = map[string]Null{}
	for _, e := range n.Entries {
		var rule Null
		k.rule(l, path+"."+e.Key, e.Value, &rule)
		if e.Key == others {
			k.p.Default = rule
		} else {
			k.p.Columns[e.Key] = rule
		}
	}
}

func (k nullRules) rule(l *loader, path string, n *source.Node, rule *Null) {
	if n.Kind != source.Map {
		nullWord(rule).take(l, path, n)
		return
	}
	rule.Do = "print"
	mapping{fields: defaultKeys(rule), need: []string{"default"}}.take(l, path, n)
}

func defaultKeys(rule *Null) []field {
	return []field{{"default", letterText(&rule.Text), "", "What is printed in its place."}}
}

// nullWord takes one of the words for what a NULL does.
func nullWord(rule *Null) scalar {
	var word string
	k := oneOf(&word, "fail", "skip", "empty")
	inner := k.parse
	k.parse = func(s string) *misfit {
		m := inner(s)
		if rule.Do = word; word == "empty" {
			rule.Do = "print"
		}
		return m
	}
	return k
}

func (k nullRules) show() string {
	if len(k.p.Columns) == 0 {
		return showNull(k.p.Default)
	}
	all := make([]string, 0, len(k.p.Columns)+1)
	for name, rule := range k.p.Columns {
		all = append(all, name+": "+showNull(rule))
	}
	slices.Sort(all)
	return "{" + strings.Join(append(all, others+": "+showNull(k.p.Default)), ", ") + "}"
}

func showNull(n Null) string {
	switch {
	case n.Do == "print" && n.Text == "":
		return "empty"
	case n.Do == "print":
		return fmt.Sprintf("{default: %q}", n.Text)
	case n.Do == "":
		return "fail"
	}
	return n.Do
}

func (k nullRules) schema() map[string]any {
	word := nullWord(&Null{}).json
	rule := map[string]any{"anyOf": []any{word, objectSchema(defaultKeys(&Null{}), []string{"default"})}}
	return map[string]any{"anyOf": []any{word, map[string]any{"type": "object", "additionalProperties": rule}}}
}
