package field

import (
	"strings"

	"github.com/mailblast/mailblast/composer/letter/mime"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

// Mailbox is a template of a name and an address. They are told apart in the template, so that no name in a row can pass
// for an address, and names need no quotes.
type Mailbox struct {
	name Value
	addr Value
	pair bool         // NAME <ADDRESS>; else addr is whatever a row gives: an address, "Ana <ana@x>", or a list of them
	box  mime.Mailbox // when all of it is fixed
	ok   bool         // box is set
	list bool
}

// Fixed gives the mailbox when it is the same for all rows.
func (m *Mailbox) Fixed() (box mime.Mailbox, ok bool) { return m.box, m.ok }

// Column gives the column whose value the address is, when it is nothing but that; else -1.
func (m *Mailbox) Column() int { return m.addr.column }

// Pair tells whether the name is told apart from the address.
func (m *Mailbox) Pair() bool { return m.pair }

// Address gives the template of the address.
func (m *Mailbox) Address() *Value { return &m.addr }

// Unknown is a mailbox that nothing is known of yet.
func Unknown() Mailbox { return Mailbox{addr: Value{column: -1}} }

// Mailbox compiles one mailbox.
func (c *Compiler) Mailbox(field, text string) Mailbox { return c.mailbox(false, field, text, 0) }

func (c *Compiler) mailbox(loose bool, field, text string, at int) Mailbox {
	lead := len(text) - len(strings.TrimLeft(text, " \t"))
	at, text = at+lead, strings.TrimSpace(text)
	if !strings.Contains(text, "{{") {
		return c.fixed(field, text, at)
	}
	open := outside(text, '<')
	if len(open) == 0 || !strings.HasSuffix(text, ">") {
		return Mailbox{addr: c.part(loose, field, text, at)}
	}
	i := open[len(open)-1]
	name := strings.TrimSpace(text[:i])
	if len(name) >= 2 && strings.HasPrefix(name, `"`) && strings.HasSuffix(name, `"`) {
		name = name[1 : len(name)-1]
	}
	return Mailbox{
		pair: true,
		name: c.part(loose, field, name, at),
		addr: c.part(loose, field, text[i+1:len(text)-1], at+i+1),
	}
}

func (c *Compiler) fixed(field, text string, at int) Mailbox {
	name, a, err := address.ParseMailbox(text)
	if err != nil {
		c.Faults.Field(field, at, "not an address: "+err.Error(), "")
	}
	return Mailbox{box: mime.Mailbox{Name: name, Address: a}, ok: true}
}

// Mailboxes compiles a field that may hold several mailboxes with commas between, or come out empty.
func (c *Compiler) Mailboxes(field, text string) []Mailbox {
	var list []Mailbox
	from := 0
	for _, comma := range append(outside(text, ','), len(text)) {
		if part := text[from:comma]; strings.TrimSpace(part) != "" {
			m := c.mailbox(true, field, part, from)
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

// Addresses gives the mailboxes that m comes out as, without the name of a pair. A list may be any number of them; else it
// is one.
func (p *Printer) Addresses(dst []mime.Mailbox, m *Mailbox) ([]mime.Mailbox, error) {
	if m.ok {
		return append(dst, m.box), nil
	}
	text, err := p.Text(&m.addr)
	if err != nil {
		return dst, err
	}
	if m.list && strings.TrimSpace(text) == "" {
		return dst, nil
	}
	if m.pair {
		a, err := address.Parse(text)
		if err != nil {
			return dst, Invalid(m.addr.field, err)
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

// Mailboxes is Addresses with every name.
func (p *Printer) Mailboxes(dst []mime.Mailbox, m *Mailbox) ([]mime.Mailbox, error) {
	n := len(dst)
	dst, err := p.Addresses(dst, m)
	if err != nil || !m.pair || len(dst) == n {
		return dst, err
	}
	name, err := p.Text(&m.name)
	dst[n].Name = strings.TrimSpace(name)
	return dst, err
}

func appendBox(dst []mime.Mailbox, field, text string) ([]mime.Mailbox, error) {
	name, a, err := address.ParseMailbox(text)
	if err != nil {
		return dst, Invalid(field, err)
	}
	return append(dst, mime.Mailbox{Name: name, Address: a}), nil
}

// Invalid says that a row has no usable address.
func Invalid(field string, err error) error {
	text := "not an address: " + err.Error()
	if field != "to" {
		text = field + ": " + text
	}
	return &delivery.Unfit{Status: delivery.Skipped, Class: delivery.ClassInvalid, Text: text}
}
