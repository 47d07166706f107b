package letter

import (
	"strings"
	"text/template/parse"

	"github.com/mailblast/mailblast/composer/letter/markup"
	"github.com/mailblast/mailblast/composer/letter/mime"
	"github.com/mailblast/mailblast/delivery/address"
)

// value is a field that may be a template.
type value struct {
	field  string
	fixed  string     // when it holds no action
	ref    markup.Ref // when it holds some
	active bool
	loose  bool // NULL is nothing, whatever on_null says
	column int  // the column whose value it is, when it is nothing but that; else -1
}

// compile checks and compiles part of a field, which begins at octets into it.
func (l *loader) compile(set *markup.Set, field, text string, at int) value {
	v := value{field: field, fixed: text, column: -1, loose: set == l.letter.loose}
	if !strings.Contains(text, "{{") {
		return v
	}
	v.active = true
	src := markup.Source{Name: field, Text: text}
	faults := l.names.Check(src)
	for _, f := range faults {
		l.inField(field, at+f.Offset, f.Text, f.Hint)
	}
	if len(faults) > 0 {
		return v
	}
	v.ref, faults = set.Text(src)
	for _, f := range faults {
		l.inField(field, at+f.Offset, f.Text, f.Hint)
	}
	v.column = l.soleColumn(text)
	return v
}

// soleColumn finds the column of a template such as {{ .email }}; -1 is none.
func (l *loader) soleColumn(text string) int {
	t, err := parse.New("").Parse(strings.TrimSpace(text), "", "", map[string]*parse.Tree{}, map[string]any{"col": true})
	if err != nil || len(t.Root.Nodes) != 1 {
		return -1
	}
	a, ok := t.Root.Nodes[0].(*parse.ActionNode)
	if !ok || len(a.Pipe.Decl) > 0 || len(a.Pipe.Cmds) != 1 {
		return -1
	}
	args := a.Pipe.Cmds[0].Args
	name := ""
	if f, ok := args[0].(*parse.FieldNode); ok && len(args) == 1 && len(f.Ident) == 1 {
		name = f.Ident[0]
	}
	if f, ok := args[0].(*parse.IdentifierNode); ok && f.Ident == "col" && len(args) == 2 {
		if s, ok := args[1].(*parse.StringNode); ok {
			name = s.Text
		}
	}
	return l.column(name)
}

func (l *loader) column(name string) int {
	for i, c := range l.o.Columns {
		if c == name && name != "" {
			return i
		}
	}
	return -1
}

// value gives the field's text for the renderer's row.
func (r *renderer) value(v value) (string, error) {
	if !v.active {
		return v.fixed, nil
	}
	r.scratch.Reset()
	m := r.markup
	if v.loose {
		m = r.loose
	}
	if err := m.Render(&r.scratch, v.ref); err != nil {
		return "", err
	}
	return r.scratch.String(), nil
}

// mailbox is a template of a name and an address. They are told apart in the template, so that no name in a row can pass
// for an address, and names need no quotes.
type mailbox struct {
	name value
	addr value
	pair bool         // NAME <ADDRESS>; else addr is whatever a row gives: an address, "Ana <ana@x>", or a list of them
	box  mime.Mailbox // when all of it is fixed
	ok   bool         // box is set
	list bool
}

// compileMailbox compiles one mailbox, which begins at octets into the field.
func (l *loader) compileMailbox(field, text string, at int) mailbox {
	return l.mailboxIn(l.letter.set, field, text, at)
}

func (l *loader) mailboxIn(set *markup.Set, field, text string, at int) mailbox {
	lead := len(text) - len(strings.TrimLeft(text, " \t"))
	at, text = at+lead, strings.TrimSpace(text)
	if !strings.Contains(text, "{{") {
		return l.fixedMailbox(field, text, at)
	}
	open := outside(text, '<')
	if len(open) == 0 || !strings.HasSuffix(text, ">") {
		return mailbox{addr: l.compile(set, field, text, at)}
	}
	i := open[len(open)-1]
	name := strings.TrimSpace(text[:i])
	if len(name) >= 2 && strings.HasPrefix(name, `"`) && strings.HasSuffix(name, `"`) {
		name = name[1 : len(name)-1]
	}
	return mailbox{
		pair: true,
		name: l.compile(set, field, name, at),
		addr: l.compile(set, field, text[i+1:len(text)-1], at+i+1),
	}
}

func (l *loader) fixedMailbox(field, text string, at int) mailbox {
	name, a, err := address.ParseMailbox(text)
	if err != nil {
		l.inField(field, at, "not an address: "+err.Error(), "")
	}
	return mailbox{box: mime.Mailbox{Name: name, Address: a}, ok: true}
}

// compileList compiles a field that may hold several mailboxes with commas between.
func (l *loader) compileList(field, text string) []mailbox {
	var list []mailbox
	from := 0
	for _, comma := range append(outside(text, ','), len(text)) {
		if part := text[from:comma]; strings.TrimSpace(part) != "" {
			m := l.mailboxIn(l.letter.loose, field, part, from)
			m.list = true
			list = append(list, m)
		}
		from = comma + 1
	}
	return list
}

// outside gives where c stands outside of actions and quoted names.
func outside(text string, c byte) []int {
	var at []int
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "{{"):
			n := strings.Index(text[i:], "}}")
			if n < 0 {
				return at
			}
			i += n + 1
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == c && !quoted:
			at = append(at, i)
		}
	}
	return at
}

// addresses gives the mailboxes that m comes out as, without the name of a pair. A list may be any number of them; else it
// is one.
func (r *renderer) addresses(dst []mime.Mailbox, m *mailbox) ([]mime.Mailbox, error) {
	if m.ok {
		return append(dst, m.box), nil
	}
	text, err := r.value(m.addr)
	if err != nil {
		return dst, err
	}
	if m.list && strings.TrimSpace(text) == "" {
		return dst, nil
	}
	if m.pair {
		a, err := address.Parse(text)
		if err != nil {
			return dst, invalid(m.addr.field, err)
		}
		return append(dst, mime.Mailbox{Address: a}), nil
	}
	if !m.list {
		return appendBox(dst, m.addr.field, text)
	}
	from := 0
	for _, comma := range append(outside(text, ','), len(text)) {
		if part := text[from:comma]; strings.TrimSpace(part) != "" {
			if dst, err = appendBox(dst, m.addr.field, part); err != nil {
				return dst, err
			}
		}
		from = comma + 1
	}
	return dst, nil
}

// mailboxes is addresses with every name.
func (r *renderer) mailboxes(dst []mime.Mailbox, m *mailbox) ([]mime.Mailbox, error) {
	n := len(dst)
	dst, err := r.addresses(dst, m)
	if err != nil || !m.pair || len(dst) == n {
		return dst, err
	}
	name, err := r.value(m.name)
	dst[n].Name = strings.TrimSpace(name)
	return dst, err
}

func appendBox(dst []mime.Mailbox, field, text string) ([]mime.Mailbox, error) {
	name, a, err := address.ParseMailbox(text)
	if err != nil {
		return dst, invalid(field, err)
	}
	return append(dst, mime.Mailbox{Name: name, Address: a}), nil
}
