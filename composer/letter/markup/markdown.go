package markup

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
)

// Markdown makes an HTML template of a checked Markdown one, once for all rows: each action is put aside behind a word
// that means nothing to Markdown, and put back into the HTML. So a row's value is never read as Markdown, and
// html/template escapes it for the place where it ends up. An action alone on its lines, such as {{ if .vip }}, is a block
// of its own, so that the elements between two of them stay whole. HTML that the author wrote stays as it is.
func Markdown(s Source) (Source, []Fault) {
	m := &markdown{word: unusedWord(s.Text)}
	text := m.putAside(s.Text)
	g := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Linkify, extension.Strikethrough),
		goldmark.WithRendererOptions(html.WithUnsafe()))
	var out bytes.Buffer
	if err := g.Convert([]byte(text), &out); err != nil {
		return Source{}, []Fault{{Source: s, Text: err.Error()}}
	}
	s.Text, s.Made = m.putBack(out.String()), true
	return s, nil
}

// Bare is the layout of Markdown that has none.
func Bare() Source {
	return Source{Name: "document", Text: "<!doctype html>\n<html><head><meta charset=\"utf-8\"></head>\n<body>\n{{ template \"content\" . }}</body></html>\n"}
}

type markdown struct {
	word    string
	actions []string
}

// action matches one action; a string in it may hold braces.
var action = regexp.MustCompile("(?s)\\{\\{(?:/\\*.*?\\*/|\"(?:\\\\.|[^\"\\\\])*\"|`[^`]*`|'(?:\\\\.|[^'\\\\])*'|[^\"`'}]|\\}[^}])*\\}\\}")

// control matches actions that print nothing, and those that print blocks.
var control = regexp.MustCompile(`^\{\{-?\s*(?:/\*|(?:if|else|end|range|with|define|block|template|break|continue)\b|\$\w*\s*(?:,\s*\$\w+\s*)?:?=|(?:markdown|safe_html)\b)|\|\s*(?:markdown|safe_html)\s*-?\}\}$`)

func unusedWord(text string) string {
	for n := 0; ; n++ {
		if w := "mergevalue" + strconv.Itoa(n) + "x"; !strings.Contains(text, w) {
			return w
		}
	}
}

func (m *markdown) putAside(text string) string {
	var b strings.Builder
	last := 0
	for _, at := range action.FindAllStringIndex(text, -1) {
		b.WriteString(text[last:at[0]])
		a := text[at[0]:at[1]]
		last = at[1]
		m.actions = append(m.actions, a)
		word := m.word + strconv.Itoa(len(m.actions)-1) + "x"
		before := text[:at[0]]
		line := before[strings.LastIndexByte(before, '\n')+1:]
		rest, _, _ := strings.Cut(text[last:], "\n")
		if control.MatchString(a) && strings.TrimSpace(line) == "" && strings.TrimSpace(rest) == "" {
			word = "<!--" + word + "-->" // an HTML block, which may interrupt a paragraph (CommonMark §4.6)
		}
		b.WriteString(word)
	}
	b.WriteString(text[last:])
	return b.String()
}

func (m *markdown) putBack(html string) string {
	words := regexp.MustCompile(`(?:<!--|&lt;!--)?` + m.word + `(\d+)x(?:-->|--&gt;)?`)
	return words.ReplaceAllStringFunc(html, func(s string) string {
		n, err := strconv.Atoi(words.FindStringSubmatch(s)[1])
		if err != nil || n >= len(m.actions) {
			return s
		}
		return m.actions[n]
	})
}
