package letter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter/markup"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

// usual are the columns that hold the address when the campaign names none.
var usual = [...]string{"email", "e-mail", "mail"}

func (l *loader) loadFields() {
	f := &l.letter.fields
	if l.o.From == "" {
		l.inField("from", 0, "it is missing", "")
	}
	f.from = l.compileMailbox("from", l.o.From, 0)
	f.returnPath = f.from
	if strings.Contains(l.o.ReturnPath, tokenMark) {
		l.inField("return_path", 0, "{token} is not supported here", "")
	} else if l.o.ReturnPath != "" {
		f.returnPath = l.compileMailbox("return_path", l.o.ReturnPath, 0)
	}
	if f.from.box.Address.UTF8() || f.returnPath.box.Address.UTF8() {
		l.inField("from", 0, "a sender's local part must be ASCII, or many servers cannot answer it", "")
	}
	if l.o.ReplyTo != "" {
		f.replyTo = l.compileMailbox("reply_to", l.o.ReplyTo, 0)
	}
	f.to = l.loadTo()
	for i, text := range l.o.CC {
		f.cc = append(f.cc, l.compileList(fmt.Sprintf("cc[%d]", i), text)...)
	}
	for i, text := range l.o.BCC {
		f.bcc = append(f.bcc, l.compileList(fmt.Sprintf("bcc[%d]", i), text)...)
	}
}

func (l *loader) loadTo() mailbox {
	if l.o.To != "" {
		return l.compileMailbox("to", l.o.To, 0)
	}
	for _, name := range usual {
		for _, c := range l.o.Columns {
			if strings.EqualFold(c, name) {
				return l.compileMailbox("to", fmt.Sprintf("{{ col %q }}", c), 0)
			}
		}
	}
	if l.o.Columns == nil {
		return mailbox{addr: value{column: -1}}
	}
	l.inField("to", 0, "the list has no column email, e-mail or mail", `name the column: to: "{{ .column }}"`)
	return mailbox{}
}

// Addressee implements composer.Letter.
func (l *Letter) Addressee(r *composer.Row) string {
	to := &l.fields.to
	switch {
	case to.ok:
		return to.box.Address.String()
	case to.addr.column >= 0:
		if to.addr.column < len(r.Values) {
			return markup.Text(r.Values[to.addr.column])
		}
		return ""
	}
	text := ""
	err := l.with(context.Background(), r, func(re *renderer) (err error) {
		text, err = re.value(to.addr)
		return err
	})
	if err != nil {
		return ""
	}
	return strings.TrimSpace(text)
}

// Envelope implements composer.Letter.
func (l *Letter) Envelope(r *composer.Row) (composer.Envelope, error) {
	if env, err, ok := l.quick(r); ok {
		return env, err
	}
	var env composer.Envelope
	err := l.with(context.Background(), r, func(re *renderer) (err error) {
		env, err = re.envelope()
		return err
	})
	if held := (*markup.Held)(nil); errors.As(err, &held) {
		err = &delivery.Unfit{Status: delivery.Skipped, Class: delivery.ClassInvalid, Text: "its address: " + held.Text}
	}
	return env, err
}

// quick does without a renderer when only the to address differs from row to row and is a column of its own.
func (l *Letter) quick(r *composer.Row) (composer.Envelope, error, bool) {
	f := &l.fields
	if !f.returnPath.ok || f.to.ok || f.to.addr.column < 0 || len(f.cc)+len(f.bcc) > 0 {
		return composer.Envelope{}, nil, false
	}
	col := f.to.addr.column
	if col >= len(r.Values) || r.Values[col] == nil {
		return composer.Envelope{}, &delivery.Unfit{Status: delivery.Skipped, Class: delivery.ClassInvalid, Text: "its address is NULL"}, true
	}
	text := markup.Text(r.Values[col])
	var a address.Address
	var err error
	if f.to.pair {
		a, err = address.Parse(text)
	} else {
		_, a, err = address.ParseMailbox(text)
	}
	if err != nil {
		return composer.Envelope{}, invalid("to", err), true
	}
	return composer.Envelope{From: f.returnPath.box.Address, Recipients: []address.Address{a}}, nil, true
}

func (r *renderer) envelope() (composer.Envelope, error) {
	f := &r.letter.fields
	var env composer.Envelope
	boxes, err := r.addresses(r.boxes[:0], &f.returnPath)
	if err != nil {
		return env, err
	}
	env.From = boxes[0].Address
	if env.From.UTF8() {
		return env, invalid(cmp.Or(f.returnPath.addr.field, "from"), errors.New("a sender's local part must be ASCII"))
	}
	if boxes, err = r.addresses(boxes[:0], &f.to); err != nil {
		return env, err
	}
	for _, list := range [][]mailbox{f.cc, f.bcc} {
		for i := range list {
			if boxes, err = r.addresses(boxes, &list[i]); err != nil {
				return env, err
			}
		}
	}
	if len(boxes) > maxRecipients {
		return env, invalid("to", fmt.Errorf("it comes with more than %d recipients", maxRecipients))
	}
	env.Recipients = make([]address.Address, len(boxes))
	for i, b := range boxes {
		env.Recipients[i] = b.Address
	}
	return env, nil
}

// maxRecipients of one letter: what every server must take in one transaction (RFC 5321 §4.5.3.1.8).
const maxRecipients = 100

// invalid says that a row has no usable address.
func invalid(field string, err error) error {
	text := "not an address: " + err.Error()
	if field != "to" {
		text = field + ": " + text
	}
	return &delivery.Unfit{Status: delivery.Skipped, Class: delivery.ClassInvalid, Text: text}
}

// with calls f with a renderer that has begun the row.
func (l *Letter) with(ctx context.Context, r *composer.Row, f func(*renderer) error) error {
	re, err := l.take(ctx)
	if err != nil {
		return err
	}
	defer l.give(re)
	if err := re.begin(ctx, markup.Row{Values: r.Values, Recipient: l.shown(r)}); err != nil {
		return err
	}
	return f(re)
}

// shown is the row's address for {{ recipient }}, when it is known without executing a template.
func (l *Letter) shown(r *composer.Row) string {
	to := &l.fields.to
	if to.ok || to.addr.column >= 0 {
		return l.Addressee(r)
	}
	return ""
}
