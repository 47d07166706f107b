package letter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/mailblast/mailblast/composer"
	"github.com/mailblast/mailblast/composer/letter/attachment"
	"github.com/mailblast/mailblast/composer/letter/fault"
	"github.com/mailblast/mailblast/composer/letter/field"
	"github.com/mailblast/mailblast/composer/letter/markup"
	"github.com/mailblast/mailblast/composer/letter/mime"
	"github.com/mailblast/mailblast/composer/letter/plain"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/address"
)

// renderer renders for one row at a time. Its memory is used again for the next.
type renderer struct {
	letter *Letter
	markup *markup.Renderer
	loose  *markup.Renderer // nil without cc, bcc and locale
	print  field.Printer
	header mime.Header
	out    bytes.Buffer
	texts  [2][]byte // the parts in canonical form
	boxes  []mime.Mailbox
	choice choice // the version for the row
}

func newRenderer(l *Letter) *renderer {
	r := &renderer{letter: l, markup: l.set.Renderer()}
	if len(l.fields.cc)+len(l.fields.bcc) > 0 || l.languages.asked.Active() {
		r.loose = l.loose.Renderer()
	}
	r.print = field.Printer{Strict: r.markup, Loose: r.loose}
	return r
}

func (r *renderer) begin(ctx context.Context, row markup.Row) error {
	row.Locale = r.letter.languages.all[""].locale // until the row's own is known
	if r.loose != nil {
		if err := r.loose.Begin(ctx, row); err != nil {
			return err
		}
	}
	return r.markup.Begin(ctx, row)
}

// keep is the largest buffer that is kept for the next row.
const keep = 256 << 10

func (r *renderer) end() {
	r.markup.End()
	if r.loose != nil {
		r.loose.End()
	}
	r.print.Shrink(keep)
	if r.out.Cap() > keep {
		r.out = bytes.Buffer{}
	}
	for i := range r.texts {
		if cap(r.texts[i]) > keep {
			r.texts[i] = nil
		}
	}
}

// Render implements composer.Letter. Every letter is 7-bit, whatever the peer takes, so that no server on the way has to
// change it.
func (l *Letter) Render(ctx context.Context, row *composer.Row, s composer.Stamp, f delivery.Form) (delivery.Body, error) {
	held, err := l.attachments(ctx, row)
	if err != nil {
		return nil, l.unfit(err)
	}
	body, err := l.render(ctx, row, s, f, held.All)
	if err != nil {
		held.Release()
		return nil, err
	}
	body.Release = held.Release
	return body, nil
}

// attachments gives those of a row. The renderer is given back before files are read, so that a slow disk does not keep
// others from rendering.
func (l *Letter) attachments(ctx context.Context, row *composer.Row) (held attachment.Held, err error) {
	if !l.attaches {
		return held, nil
	}
	v, names := l.languages.all[""], []attachment.Named(nil)
	if len(l.languages.all) > 1 || v.attached.Varied() {
		err = l.with(ctx, row, func(re *renderer) (err error) {
			if err = re.speak(); err != nil {
				return err
			}
			v = re.choice.version
			names, err = v.attached.Names(&re.print)
			return err
		})
	}
	if err != nil {
		return held, err
	}
	return v.attached.Open(ctx, l.folder, names, l.o.MaxMessage)
}

func (l *Letter) render(ctx context.Context, row *composer.Row, s composer.Stamp, f delivery.Form, files []*mime.Attachment) (*mime.Body, error) {
	re, err := l.take(ctx)
	if err != nil {
		return nil, err
	}
	defer l.give(re)
	link := strings.ReplaceAll(l.o.Unsubscribe.URL, tokenMark, url.QueryEscape(s.Token))
	if err := re.begin(ctx, markup.Row{Values: row.Values, Recipient: l.shown(row), UnsubscribeURL: link}); err != nil {
		return nil, err
	}
	if err := re.speak(); err != nil {
		return nil, l.unfit(err)
	}
	body, err := re.letterFor(s, f, files)
	if err != nil {
		return nil, l.unfit(err)
	}
	if size, _, _ := body.Needs(); size > l.o.MaxMessage {
		return nil, errors.Join(fault.Row(fmt.Sprintf("the letter has %d octets, more than max_message %d", size, l.o.MaxMessage)), body.Close())
	}
	return body, nil
}

// speak chooses the language of the row's letter.
func (r *renderer) speak() (err error) {
	if r.choice, err = r.letter.speaks(r); err != nil {
		return err
	}
	r.markup.Speak(r.choice.locale, "")
	preheader, err := r.print.Text(&r.choice.preheader)
	if err != nil {
		return markup.In("preheader", err)
	}
	r.markup.Speak(r.choice.locale, preheader)
	return nil
}

func (r *renderer) letterFor(s composer.Stamp, f delivery.Form, files []*mime.Attachment) (*mime.Body, error) {
	if err := r.fields(s, f); err != nil {
		return nil, err
	}
	parts, err := r.parts()
	if err != nil {
		return nil, err
	}
	return mime.NewBody(&r.header, parts, files, s.Boundary), nil
}

// parts renders the texts, the plain one first.
func (r *renderer) parts() ([]mime.Part, error) {
	l, v := r.letter, r.choice.version
	var parts []mime.Part
	var html mime.Part
	if v.HTML != (markup.Ref{}) {
		r.out.Reset()
		if err := r.markup.Render(&r.out, v.HTML); err != nil {
			return nil, markup.In(l.o.Template, err)
		}
		if err := leftOver(r.out.Bytes()); err != nil {
			return nil, markup.In(l.o.Template, err)
		}
		r.texts[1] = mime.Canon(r.texts[1][:0], r.out.Bytes())
		html = mime.Part{Type: "text/html", Text: r.texts[1], Inline: v.Inline}
	}
	if v.Derive {
		if err := r.derived(); err != nil {
			return nil, markup.In(l.o.Template, err)
		}
	} else if v.Text != (markup.Ref{}) {
		r.out.Reset()
		if err := r.markup.Render(&r.out, v.Text); err != nil {
			return nil, markup.In(l.textFile(), err)
		}
	}
	if v.Derive || v.Text != (markup.Ref{}) {
		if err := leftOver(r.out.Bytes()); err != nil {
			return nil, markup.In(l.textFile(), err)
		}
		r.texts[0] = mime.Canon(r.texts[0][:0], r.out.Bytes())
		parts = append(parts, mime.Part{Type: "text/plain", Text: r.texts[0]})
	}
	if html.Text != nil {
		parts = append(parts, html)
	}
	for _, p := range parts {
		if len(bytes.TrimSpace(p.Text)) > 0 {
			return parts, nil
		}
	}
	return nil, &markup.Held{Text: "the letter is empty"}
}

// leftOver holds a letter back in which several values together look like a template that went wrong.
func leftOver(text []byte) error {
	if left := markup.LeftOver(text); left != "" {
		return &markup.Held{Text: fmt.Sprintf("it holds %q, which looks like a template that went wrong", left)}
	}
	return nil
}

// derived makes the text part from the HTML that was just rendered; with a text layout, from the letter without its
// HTML layout, put into that.
func (r *renderer) derived() error {
	v := r.choice.version
	if v.Wrapped {
		r.out.Reset()
		if err := r.markup.RenderContent(&r.out, v.HTML); err != nil {
			return err
		}
	}
	text := plain.Text(r.out.Bytes(), plain.Options{})
	r.out.Reset()
	if !v.Wrapped {
		r.out.WriteString(text)
		return nil
	}
	r.markup.Derive(text)
	return r.markup.Render(&r.out, v.Text)
}

func (l *Letter) textFile() string {
	if l.o.Text == "" || l.o.Text == "auto" || l.o.Text == "none" {
		return l.o.Template
	}
	return l.o.Text
}

// fields writes the header, but for the fields of the content.
func (r *renderer) fields(s composer.Stamp, form delivery.Form) error {
	l, h := r.letter, &r.header
	h.Reset(h.Bytes())
	boxes, err := r.print.Mailboxes(r.boxes[:0], &l.fields.from)
	if err != nil {
		return markup.In("from", err)
	}
	h.Mailboxes("From", boxes...)
	if err := r.addressees(s); err != nil {
		return err
	}
	if l.o.ReplyTo != "" {
		if boxes, err = r.print.Mailboxes(r.boxes[:0], &l.fields.replyTo); err != nil {
			return markup.In("reply_to", err)
		}
		h.Mailboxes("Reply-To", boxes...)
	}
	subject, err := r.print.Text(&r.choice.subject)
	if err != nil {
		return markup.In("subject", err)
	}
	if strings.TrimSpace(subject) == "" {
		return &markup.Held{Text: "the subject is empty"}
	}
	h.Text("Subject", s.SubjectPrefix+subject)
	h.Date(form.Date)
	h.Structured("Message-ID", "<"+s.MessageID+">")
	l.o.Unsubscribe.write(h, s.Token)
	for i := range l.headers {
		u := &l.headers[i]
		text, err := r.print.Text(&u.value)
		if err != nil {
			return markup.In(u.name, err)
		}
		h.Text(u.name, text)
	}
	if h.Err() != nil {
		return fault.Row(h.Err().Error())
	}
	return nil
}

// addressees writes To and Cc. There is no Bcc: its recipients stand in the envelope only.
func (r *renderer) addressees(s composer.Stamp) error {
	l := r.letter
	if s.To != "" {
		name, a, err := address.ParseMailbox(s.To)
		if err != nil {
			return field.Invalid("to", err)
		}
		r.header.Mailboxes("To", mime.Mailbox{Name: name, Address: a})
		return nil
	}
	boxes, err := r.print.Mailboxes(r.boxes[:0], &l.fields.to)
	if err != nil {
		return markup.In("to", err)
	}
	r.header.Mailboxes("To", boxes...)
	boxes = boxes[:0]
	for i := range l.fields.cc {
		if boxes, err = r.print.Mailboxes(boxes, &l.fields.cc[i]); err != nil {
			return markup.In("cc", err)
		}
	}
	r.header.Mailboxes("Cc", boxes...)
	r.boxes = boxes[:0]
	return nil
}

// unfit makes an outcome of what templates held back.
func (l *Letter) unfit(err error) error {
	held := (*markup.Held)(nil)
	switch {
	case !errors.As(err, &held):
		return err
	case held.Null && held.Skip:
		return &delivery.Unfit{Status: delivery.Skipped, Class: delivery.ClassNull, Text: fault.OneLine(held.Text)}
	}
	return fault.Row(held.Text)
}
