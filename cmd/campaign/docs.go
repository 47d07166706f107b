package campaign

import (
	"encoding/json"
	"fmt"
	"strings"
)

func jsonType(name string) map[string]any { return map[string]any{"type": name} }

// jsonPattern is text of a form, or with a variable in it.
func jsonPattern(pattern string) map[string]any {
	return orVariable(map[string]any{"type": "string", "pattern": pattern})
}

func orVariable(schema map[string]any) map[string]any {
	return map[string]any{"anyOf": []any{schema, map[string]any{"type": "string", "pattern": `\$\{`}}}
}

func (m mapping) schema() map[string]any {
	object := objectSchema(m.fields, m.need)
	if m.json == nil {
		return object
	}
	return map[string]any{"anyOf": []any{m.json, object}}
}

func objectSchema(fields []field, need []string) map[string]any {
	properties := map[string]any{}
	for _, f := range fields {
		s := map[string]any{"description": f.doc}
		for k, v := range f.kind.schema() {
			s[k] = v
		}
		if f.def != "" {
			s["default"] = defaultValue(f)
		}
		// an empty value is a key that is not set
		properties[f.key] = map[string]any{"description": f.doc, "anyOf": []any{map[string]any{"type": "null"}, s}}
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(need) > 0 {
		out["required"] = need
	}
	return out
}

func defaultValue(f field) any {
	if f.def == "true" || f.def == "false" {
		return f.def == "true"
	}
	return number(f.def)
}

// Schema is the JSON schema of campaign.yaml, for editors.
func Schema() []byte {
	root := objectSchema(keys(&Campaign{}), nil)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "mailblast campaign"
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("campaign: schema: %v", err)) // only strings, maps and lists are in it
	}
	return append(out, '\n')
}

// Reference is docs/campaign.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(intro)
	c := &Campaign{}
	b.WriteString("## The letter and its recipients\n\n")
	rows(&b, "", letterKeys(c))
	b.WriteString("\n## Sending\n\n")
	rows(&b, "", sendingKeys(c))
	var q Queue
	b.WriteString("\n## A queue, under `queues.NAME`\n\n")
	rows(&b, "", queueKeys(&q))
	for _, f := range keys(c) {
		if m, ok := f.kind.(mapping); ok && f.key != "fallback" {
			fmt.Fprintf(&b, "\n## `%s`\n\n", f.key)
			rows(&b, "", m.fields)
		}
	}
	b.WriteString("\n## Front matter of a template\n\nBetween two lines of three hyphens, at the very top of a .md, .html or .txt template:\n\n")
	rows(&b, "", frontKeys(&Front{}))
	b.WriteString("\n## Names taken for others\n\nThese are accepted with a warning:\n\n| written | taken for |\n|---|---|\n")
	for _, alias := range sorted(meant) {
		fmt.Fprintf(&b, "| `%s` | `%s` |\n", alias, meant[alias])
	}
	return b.String()
}

func rows(b *strings.Builder, prefix string, fields []field) {
	b.WriteString("| key | default | meaning |\n|---|---|---|\n")
	for _, f := range fields {
		def := ""
		if f.def != "" {
			def = "`" + f.def + "`"
		}
		doc := strings.ReplaceAll(f.doc, "|", "\\|")
		if s, ok := f.kind.(scalar); ok {
			if values, ok := s.json["enum"].([]any); ok {
				doc += fmt.Sprintf(" Values: `%s`.", strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", "` `"), "[]"))
			}
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s |\n", prefix, f.key, def, doc)
	}
}

const intro = "# campaign.yaml\n\n<!-- Generated from cmd/campaign/keys.go by `go generate ./cmd/campaign`. -->\n\n" +
	"One file describes one campaign. Every key below is checked before anything is dialled, and all faults are told at once,\n" +
	"each with its line and column. A key that is not listed here is a fault, and so is one that is repeated.\n\n" +
	"**Values.** Times are written `90s`, `10m`, `4h`, `2d`; rates `20/s`, `20/m`, `500/h`, `1000/d`; sizes `500kB`, `25MB`. A list of one may be\n" +
	"written without brackets. A key with nothing behind it is not set. Text that starts with `{{`, `*`, `@`, `%` or `[`, or has `: ` in it,\n" +
	"needs quotes.\n\n" +
	"**Variables.** `${VAR}`, `${VAR:-default}` and `${VAR:?message}` are replaced inside of values, after the file was parsed, so that a variable\n" +
	"never changes its structure. They come from the environment, then from `.env` beside the campaign. A variable that is not set and has no\n" +
	"default is a fault. A bare `$` stands for itself. Templates (from, to, cc, bcc, reply_to, subject, preheader, locale, headers) are left alone.\n\n" +
	"**Where a value comes from.** A flag, then its variable (`MAILBLAST_RATE`), campaign.yaml, the nearest `mailblast.yaml` in its folder or\n" +
	"above (a key given in both is campaign.yaml's as a whole), the default. `mailblast check --show config` prints where each is from.\n\n" +
	"**Paths.** Template, text, layout and attachments lie below the campaign's folder. Other files are relative to the file that names them.\n\n"

	//go:generate go test -run TestGenerated . -update
