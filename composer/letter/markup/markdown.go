package markup

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// Markdown makes an HTML template of a checked Markdown one, once for all rows: each action is put aside behind a word
// that means nothing to Markdown, and put back into the HTML. So a row's value is never read as Markdown, and
// html/template escapes it for the place where it ends up. An action alone on its lines, such as {{ if .vip }}, is a block
// of its own, so that the elements between two of them stay whole.
func Markdown(s Source) (Source, []Fault) {
	m := &markdown{source: s, word: unusedWord(s.Text)}
	text := m.putAside(s.Text)
	g := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Linkify, extension.Strikethrough),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(m, 1))))
	var out bytes.Buffer
	if err := g.Convert([]byte(text), &out); err != nil {
		return Source{}, []Fault{{Source: s, Text: err.Error()}}
	}
	return Source{Name: s.Name, Text: m.putBack(out.String())}, m.faults
}

// Bare is the layout of Markdown that has none.
func Bare() Source {
	return Source{Name: "document", Text: "<!doctype html>\n<html><head><meta charset=\"utf-8\"></head>\n<body>\n{{ template \"content\" . }}</body></html>\n"}
}

type markdown struct {
	source  Source
	word    string
	actions []string
	faults  []Fault
}

// action matches one action; a string in it may hold braces.
var action = regexp.MustCompile("(?s)\\{\\{(?:/\\*.*?\\*/|\"(?:\\\\.|[^\"\\\\])*\"|`[^`]*`|'(?:\\\\.|[^'\\\\])*'|[^\"`'}]|\\}[^}])*\\}\\}")

// control matches actions that print nothing.
var control = regexp.MustCompile(`^\{\{-?\s*(?:/\*|(?:if|else|end|range|with|define|block|template|break|continue)\b|\$\w*\s*(?:,\s*\$\w+\s*)?:?=)`)

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

// RegisterFuncs implements renderer.NodeRenderer for raw HTML.
func (m *markdown) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	reg.Register(ast.KindHTMLBlock, m.html)
	reg.Register(ast.KindRawHTML, m.html)
}

// html keeps the actions that were put aside as comments and drops other comments. Any other raw HTML is refused rather
// than dropped: what it leaves of a letter would surprise.
func (m *markdown) html(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	var text string
	switch n := n.(type) {
	case *ast.HTMLBlock:
		text = string(n.Lines().Value(source))
		if n.HasClosure() {
			text += string(n.ClosureLine.Value(source))
		}
	case *ast.RawHTML:
		text = string(n.Segments.Value(source))
	}
	rest := comment.ReplaceAllStringFunc(text, func(c string) string {
		if strings.HasPrefix(c, "<!--"+m.word) {
			_, _ = w.WriteString(c + "\n") // a failed write comes up again at the writer's Flush
		}
		return ""
	})
	if rest = strings.TrimSpace(rest); rest != "" {
		m.refuse(rest)
	}
	return ast.WalkSkipChildren, nil
}

var comment = regexp.MustCompile(`(?s)<!--.*?-->`)

func (m *markdown) refuse(html string) {
	known, _, _ := strings.Cut(html, m.word)
	known, _, _ = strings.Cut(known, "\n")
	m.faults = append(m.faults, Fault{
		Source: m.source,
		Offset: max(0, strings.Index(m.source.Text, known)),
		Text:   "HTML inside Markdown is not supported",
		Hint:   "use a .html template, or a layout",
	})
}
