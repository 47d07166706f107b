package campaign

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mailblast/mailblast/cmd/campaign/source"
)

// meant is what people type for a key.
var meant = map[string]string{
	"from_email":   "from",
	"reply-to":     "reply_to",
	"body":         "template",
	"csv":          "recipients",
	"list":         "recipients",
	"database_url": "recipients.dsn",
}

// later are keys that other mail tools have and this version does not serve.
var later = []string{
	"dkim", "promote", "stop_if", "schedule", "notify", "encoding",
	"queues.mx", "fallback.after",
}

// aliases renames what people type for a key, with a warning.
func (l *loader) aliases(entries []source.Entry) []source.Entry {
	out := slices.Clone(entries)
	for i, e := range out {
		key, ok := meant[e.Key]
		if !ok {
			continue
		}
		top, below, nested := strings.Cut(key, ".")
		j := slices.IndexFunc(out, func(o source.Entry) bool { return o.Key == top })
		if j >= 0 && (!nested || out[j].Value.Kind != source.Map || out[j].Value.Get(below) != nil) {
			l.fault(e.At, len(e.Key), fmt.Sprintf("%q stands for %q, which is there already", e.Key, key), "keep one of them")
			continue
		}
		l.warn(e.At, len(e.Key), fmt.Sprintf("%q is taken for %q", e.Key, key), "write "+key)
		if !nested {
			out[i].Key = top
			continue
		}
		inner := source.Node{Pos: e.Value.Pos, Kind: source.Map}
		if j >= 0 {
			inner = *out[j].Value
		}
		inner.Entries = append(slices.Clone(inner.Entries), source.Entry{Key: below, At: e.At, Value: e.Value})
		if j < 0 {
			j = i
		}
		out[j].Key, out[j].Value = top, &inner
	}
	return slices.DeleteFunc(out, func(e source.Entry) bool { return meant[e.Key] != "" })
}

// unknown tells of a key that is none, with the one that was probably meant.
func (l *loader) unknown(e source.Entry, fields []field, under string) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.key
	}
	what := fmt.Sprintf("unknown key %q", clip(e.Key))
	if under != "" {
		what += " under " + under
	}
	if len(l.faults) > mostFaults { // it will not be told
		l.fault(e.At, utf8.RuneCountInString(e.Key), what, "")
		return
	}
	top, _, _ := strings.Cut(under, ".")
	top, _, _ = strings.Cut(top, "[")
	hint := ""
	switch near := Nearest(e.Key, names); {
	case slices.Contains(later, strings.TrimPrefix(top+"."+e.Key, ".")):
		what += ": it is not supported"
	case near != "":
		what += fmt.Sprintf(": did you mean %q?", near)
	default:
		if home := homeOf(e.Key, under); home != "" {
			hint = fmt.Sprintf("%s belongs under %s", e.Key, home)
		} else if len(names) < 12 {
			hint = "known here: " + strings.Join(names, ", ")
		}
	}
	l.fault(e.At, utf8.RuneCountInString(e.Key), what, hint)
}

// homeOf finds the mapping that a misplaced key belongs to.
func homeOf(key, under string) string {
	key = strings.ToLower(key)
	top := keys(&Campaign{})
	if under != "" && slices.ContainsFunc(top, func(f field) bool { return f.key == key }) {
		return "no other key, at the left margin"
	}
	for _, f := range top {
		m, ok := f.kind.(mapping)
		if ok && f.key != under && slices.ContainsFunc(m.fields, func(f field) bool { return f.key == key }) {
			return f.key
		}
	}
	return ""
}

// Nearest gives the candidate that a word was probably meant to be; empty when none is near.
func Nearest(word string, candidates []string) string {
	if len(word) > 40 {
		return ""
	}
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
	best, least := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if d := source.Distance(plain(word), plain(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// orList writes values as "a, b or c".
func orList(values []string) string {
	if len(values) < 2 {
		return strings.Join(values, "")
	}
	return strings.Join(values[:len(values)-1], ", ") + " or " + values[len(values)-1]
}

func number(s string) any {
	plain := strings.ReplaceAll(s, "_", "")
	if n, err := strconv.ParseInt(plain, 0, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(plain, 64); err == nil {
		return f
	}
	return s
}
