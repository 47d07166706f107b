package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Open opens a regular file. It looks before it opens, since opening a device may do something, and does not wait for the
// other end of a pipe that came in its place.
func Open(path string) (*os.File, fs.FileInfo, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: errNotRegular}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: errNotRegular}
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

var errNotRegular = errors.New("not a regular file")

// Parse reads a file's text. The tree in the File is there even when it has faults, as far as it could be read; Root is
// an empty mapping at worst.
func Parse(name string, data []byte) *File {
	f := &File{Name: name, Root: &Node{Kind: Map, Pos: Pos{File: name, Line: 1, Column: 1}}}
	start := Pos{File: name, Line: 1, Column: 1}
	if len(data) > MaxSize {
		f.Faults = Faults{f.Fault(start, 1, "the file is larger than 1 MiB", "")}
		return f
	}
	data = bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
	f.lines = strings.Split(string(data), "\n")
	if p, ok := f.notText(data); !ok {
		f.Faults = Faults{f.Fault(p, 1, "the file is not plain UTF-8 text", "save it as UTF-8")}
		return f
	}
	tokens := lexer.Tokenize(dash.ReplaceAllString(string(data), `$1"-"$2`))
	if p, ok := bounded(tokens); !ok {
		p.File = name
		f.Faults = Faults{f.Fault(p, 1, "the file has too many values or is nested too deeply", "")}
		return f
	}
	tree, err := parse(tokens)
	if err != nil {
		f.Faults = Faults{f.syntax(err)}
		return f
	}
	f.convert(tree)
	return f
}

// dash is a value at the left margin that is a dash alone. YAML takes it for a list with nothing in it and then refuses it
// there, but it is how programs name standard input.
var dash = regexp.MustCompile(`(?m)^([a-z_]+:[ \t]+)-([ \t]*(?:#.*)?)$`)

// parse keeps a fault in the parser from ending the process: what it cannot take is no YAML to us.
func parse(tokens token.Tokens) (tree *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("parser: %v", p)
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// notText finds the first octet that is no text.
func (f *File) notText(data []byte) (Pos, bool) {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if (r == utf8.RuneError && size == 1) || r == 0 || (r < ' ' && r != '\n' && r != '\t') || r == 0x7f {
			line := data[bytes.LastIndexByte(data[:i], '\n')+1 : i]
			return Pos{File: f.Name, Line: 1 + bytes.Count(data[:i], []byte("\n")), Column: 1 + utf8.RuneCount(line)}, false
		}
		i += size
	}
	return Pos{}, true
}

// bounded holds tokens against the limits: the parser takes quadratic time in their number and exponential time in
// their nesting.
func bounded(tokens token.Tokens) (Pos, bool) {
	flow, run, line := 0, 0, 0
	for i, tk := range tokens {
		if tk.Position.Line != line {
			line, run = tk.Position.Line, 0
		}
		switch tk.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow = max(0, flow-1)
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			run++
		}
		if flow > maxNesting || run > maxNesting || i > maxTokens || tk.Position.Column > 16*maxNesting && blank(tk) {
			return Pos{Line: max(1, line), Column: max(1, tk.Position.Column)}, false
		}
	}
	return Pos{}, true
}

// blank tells whether a token is the first of its line, so that its column is its nesting.
func blank(tk *token.Token) bool {
	return tk.Prev == nil || tk.Prev.Position.Line < tk.Position.Line
}

func (f *File) convert(tree *ast.File) {
	var bodies []ast.Node
	for _, doc := range tree.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	if len(bodies) == 0 {
		return
	}
	c := &converter{file: f, anchors: map[string]ast.Node{}, open: map[string]bool{}}
	if len(bodies) > 1 {
		c.fault(head(bodies[1]), "the file holds more than one document", "keep what follows the line --- in a file of its own")
	}
	root := c.node(bodies[0], 0)
	if c.tooMany {
		return
	}
	if root.Kind != Map {
		f.Faults = append(f.Faults, f.Fault(root.Pos, root.Width, "expected keys such as `name: spring-offer`, found "+root.Kind.String(), ""))
		return
	}
	f.Root = root
}

// head is the first token of a document.
func head(n ast.Node) *token.Token {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && m.Values[0].Key != nil {
		return m.Values[0].Key.GetToken()
	}
	return n.GetToken()
}

var template = regexp.MustCompile(`^(\s*(?:-\s+)?(?:[\w.-]+|"[^"]*"):\s+)(\{\{.*)$`)

// syntax puts an error of the parser into words.
func (f *File) syntax(err error) Fault {
	var se *yaml.SyntaxError
	if !errors.As(err, &se) || se.Token == nil || se.Token.Position == nil {
		return f.Fault(Pos{File: f.Name, Line: 1, Column: 1}, 1, "this is not YAML", "")
	}
	p := Pos{File: f.Name, Line: max(1, se.Token.Position.Line), Column: max(1, se.Token.Position.Column)}
	if t, ok := f.unquoted(p); ok {
		return t
	}
	text, hint := "this is not YAML: "+plain(se.Message), ""
	switch {
	case strings.Contains(se.Message, "cannot start any token"):
		text, hint = "a line is indented with a tab", "indent with spaces"
	case strings.Contains(se.Message, "mapping value is not allowed"):
		text, hint = "this line is not a key with a value", "text with `: ` in it needs quotes; a key must be indented like its neighbours"
	case strings.Contains(se.Message, "value is not allowed"):
		text, hint = "text follows a value that has ended", `put single quotes around the whole, such as '"Ana" <ana@acme.example>'`
	case strings.Contains(se.Message, "reserved character"), strings.Contains(se.Message, "directive"):
		text, hint = "a value that starts with "+first(se.Token.Value)+" needs quotes", ""
	case strings.Contains(se.Message, "invalid key"):
		text, hint = "a key must be a word", "text with { or [ in it needs quotes"
	case strings.Contains(se.Message, "must be specified"):
		text, hint = "a comma or a closing bracket is missing", "inside of { } and [ ], text with { or $ in it needs quotes, such as \"${VAR}\""
	case strings.Contains(se.Message, "end character of"):
		text, hint = "a quote is opened here and never closed", ""
	case strings.Contains(se.Message, "end token"):
		text, hint = "a bracket is opened here and never closed", ""
	}
	return f.Fault(p, 1, text, hint)
}

// unquoted finds the usual cause of an obscure error: `subject: {{ .x }}` without quotes, in the line of the error or,
// when the parser noticed it late, before it.
func (f *File) unquoted(p Pos) (Fault, bool) {
	for i := min(p.Line, len(f.lines)); i > 0 && i > p.Line-2; i-- {
		g := template.FindStringSubmatch(f.lines[i-1])
		if g == nil {
			continue
		}
		at := Pos{File: f.Name, Line: i, Column: utf8.RuneCountInString(g[1]) + 1}
		fix := strings.TrimSpace(g[1]) + " " + strconv.Quote(strings.TrimSpace(g[2]))
		return f.Fault(at, 2, "a value that starts with {{ needs quotes", "write: "+Mask(fix)), true
	}
	return Fault{}, false
}

// plain keeps a foreign message to one printable line.
func plain(s string) string { return Mask(strings.ReplaceAll(s, "\n", " ")) }

func first(s string) string {
	for _, r := range strings.TrimSpace(s) {
		return string(r)
	}
	return "it"
}

func quote(s string) string { return strconv.Quote(s) }
func itoa(n int) string     { return strconv.Itoa(n) }
