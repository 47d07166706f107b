package letter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter/field"
	"github.com/mailblast/mailblast/composer/letter/markup"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

// usual are the columns that hold the address when the campaign names none.
var usual = [...]string{"email", "e-mail", "mail"}

func (l *loader) loadFields() {
	f := &l.letter.fields
	if l.o.From == "" {
		l.faults.Field("from", 0, "it is missing", "")
	}
	f.from = l.fields.Mailbox("from", l.o.From)
	f.returnPath = f.from
	if strings.Contains(l.o.ReturnPath, tokenMark) {
		l.faults.Field("return_path", 0, "{token} is not supported here", "")
	} else if l.o.ReturnPath != "" {
		f.returnPath = l.fields.Mailbox("return_path", l.o.ReturnPath)
	}
	from, _ := f.from.Fixed()
	if back, _ := f.returnPath.Fixed(); from.Address.UTF8() || back.Address.UTF8() {
		l.faults.Field("from", 0, "a sender's local part must be ASCII, or many servers cannot answer it", "")
	}
	if l.o.ReplyTo != "" {
		f.replyTo = l.fields.Mailbox("reply_to", l.o.ReplyTo)
	}
	f.to = l.loadTo()
	for i, text := range l.o.CC {
		f.cc = append(f.cc, l.fields.Mailboxes(fmt.Sprintf("cc[%d]", i), text)...)
	}
	for i, text := range l.o.BCC {
		f.bcc = append(f.bcc, l.fields.Mailboxes(fmt.Sprintf("bcc[%d]", i), text)...)
	}
}

func (l *loader) loadTo() field.Mailbox {
	if l.o.To != "" {
		return l.fields.Mailbox("to", l.o.To)
	}
	var found []string
	for _, c := range l.o.Columns {
		if slices.Contains(usual[:], strings.ToLower(c)) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
	case 1:
		return l.fields.Mailbox("to", fmt.Sprintf("{{ col %q }}", found[0]))
	default:
		l.faults.Field("to", 0, "the list has several columns of addresses: "+strings.Join(found, ", "), fmt.Sprintf("say which: to: '{{ col %q }}'", found[0]))
		return field.Mailbox{}
	}
	if l.o.Columns == nil {
		return field.Unknown()
	}
	l.faults.Field("to", 0, "the list has no column email, e-mail or mail", `name the column: to: "{{ .column }}"`)
	return field.Mailbox{}
}

// Addressee implements composer.Letter.
func (l *Letter) Addressee(r *composer.Row) string {
	to := &l.fields.to
	if box, ok := to.Fixed(); ok {
		return box.Address.String()
	}
	if i := to.Column(); i >= 0 {
		if i < len(r.Values) {
			return markup.Text(r.Values[i])
		}
		return ""
	}
	text := ""
	err := l.with(context.Background(), r, func(re *renderer) (err error) {
		text, err = re.print.Text(to.Address())
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
	from, fixed := f.returnPath.Fixed()
	col := f.to.Column()
	if _, same := f.to.Fixed(); !fixed || same || col < 0 || len(f.cc)+len(f.bcc) > 0 {
		return composer.Envelope{}, nil, false
	}
	if col >= len(r.Values) || r.Values[col] == nil {
		return composer.Envelope{}, &delivery.Unfit{Status: delivery.Skipped, Class: delivery.ClassInvalid, Text: "its address is NULL"}, true
	}
	text := markup.Text(r.Values[col])
	var a address.Address
	var err error
	if f.to.Pair() {
		a, err = address.Parse(text)
	} else {
		_, a, err = address.ParseMailbox(text)
	}
	if err != nil {
		return composer.Envelope{}, field.Invalid("to", err), true
	}
	return composer.Envelope{From: from.Address, Recipients: []address.Address{a}}, nil, true
}

func (r *renderer) envelope() (composer.Envelope, error) {
	f := &r.letter.fields
	var env composer.Envelope
	boxes, err := r.print.Addresses(r.boxes[:0], &f.returnPath)
	if err != nil {
		return env, err
	}
	env.From = boxes[0].Address
	if env.From.UTF8() {
		return env, field.Invalid("from", errors.New("a sender's local part must be ASCII"))
	}
	if boxes, err = r.print.Addresses(boxes[:0], &f.to); err != nil {
		return env, err
	}
	for _, list := range [][]field.Mailbox{f.cc, f.bcc} {
		for i := range list {
			if boxes, err = r.print.Addresses(boxes, &list[i]); err != nil {
				return env, err
			}
		}
	}
	if len(boxes) > maxRecipients {
		return env, field.Invalid("to", fmt.Errorf("it comes with more than %d recipients", maxRecipients))
	}
	env.Recipients = make([]address.Address, len(boxes))
	for i, b := range boxes {
		env.Recipients[i] = b.Address
	}
	return env, nil
}

// maxRecipients of one letter: what every server must take in one transaction (RFC 5321 §4.5.3.1.8).
const maxRecipients = 100

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
	if _, ok := to.Fixed(); ok || to.Column() >= 0 {
		return l.Addressee(r)
	}
	return ""
}
