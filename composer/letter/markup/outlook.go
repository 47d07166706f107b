package markup

import (
	htmltemplate "html/template"
	"regexp"
	"strconv"
)

// conditional matches the delimiters of the comments that Outlook reads, in the order of their forms: a condition that
// hides what follows from other programs or shows it to them, and its two ends. Style sheets and scripts are matched to be
// passed over.
var conditional = regexp.MustCompile(`(?is)<style\b.*?</style>|<script\b.*?</script>|` +
	`<!--\[if [^\]{}<>]*\]>(?:\s*<!--+>|--+>)?|<!\[if [^\]{}<>]*\]>|<!--\s*<!\[endif\]--+>|<!\[endif\]--+>|<!\[endif\]>`)

// outlook makes those delimiters actions that print them as they are, since html/template deletes comments with all that
// is in them. What stands between two of them is then a part of the document like any other, with its actions escaped for
// their context; no escaped value can hold the > that a delimiter ends with.
func outlook(html string) string {
	return conditional.ReplaceAllStringFunc(html, func(s string) string {
		if s[1] != '!' {
			return s
		}
		return "{{ " + stepRaw + " " + strconv.Quote(s) + " }}"
	})
}

func raw(s string) htmltemplate.HTML { return htmltemplate.HTML(s) }
