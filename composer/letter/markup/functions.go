package markup

import (
	"fmt"
	"iter"
	"maps"
	"strings"

	"github.com/mailblast/mailblast/composer/letter/vocabulary"
)

// Names of functions that only this package puts into templates.
const (
	stepMust    = "_must"
	stepTick    = "_tick"
	stepRaw     = "_raw"
	stepDerived = "_derived"
	stepDig     = "_dig"
	stepQuery   = "_query" // html/template allows a function named urlquery at the end of a pipeline only
)

// functions are what templates may call: the vocabulary, and what the row at hand has.
func (r *Renderer) functions() map[string]any {
	all := vocabulary.Functions(r.language)
	maps.Copy(all, map[string]any{
		"col":             func(name string) any { return r.data[name] },
		"campaign":        func() string { return r.set.campaign },
		"recipient":       func() string { return r.row.Recipient },
		"preheader":       func() string { return r.row.Preheader },
		"unsubscribe_url": func() string { return r.row.UnsubscribeURL },
		stepMust:          r.must,
		stepTick:          r.tick,
		stepRaw:           raw,
		stepDig:           dig,
		stepDerived:       func() string { return r.row.Content },
		stepQuery:         all["urlquery"],
	})
	return all
}

// dig follows a path into a nested value: what is below NULL is NULL, as in the languages of databases.
func dig(v any, path ...string) (any, error) {
	for i, name := range path {
		switch m := v.(type) {
		case nil:
			return nil, nil
		case map[string]any:
			v = m[name]
		default:
			return nil, fmt.Errorf("%q is looked for in a value that is no mapping", strings.Join(path[i:], "."))
		}
	}
	return v, nil
}

// textFunctions are those of templates that are no HTML.
func (r *Renderer) textFunctions() map[string]any {
	all := r.functions()
	maps.Copy(all, vocabulary.TextForms())
	return all
}

func functionNames() iter.Seq[string] { return maps.Keys((&Renderer{}).functions()) }

// Text is the text form of a value.
func Text(v any) string { return vocabulary.Text(v) }
