package cmd

import (
	"slices"
	"time"

	"github.com/emersion/go-message/mail"

	"github.com/mailblast/mailblast/cmd/screen"
	"github.com/mailblast/mailblast/delivery/address"
)

// letterJSON is a letter for programs. Fields are added, never changed.
type letterJSON struct {
	V           int              `json:"v"`
	Type        string           `json:"type"`
	Row         int              `json:"row"`
	Line        int              `json:"line,omitempty"`
	Why         []string         `json:"why,omitempty"` // with --hard
	From        mailboxJSON      `json:"from"`
	To          []mailboxJSON    `json:"to"`
	CC          []mailboxJSON    `json:"cc"`
	BCC         []mailboxJSON    `json:"bcc"` // recipients that no header names
	ReplyTo     []mailboxJSON    `json:"reply_to"`
	Subject     string           `json:"subject"`
	Date        string           `json:"date"`       // RFC 3339
	MessageID   string           `json:"message_id"` // without angle brackets
	Headers     []headerJSON     `json:"headers"`    // decoded, in their order
	Text        *string          `json:"text"`       // null: there is no such part
	HTML        *string          `json:"html"`
	Attachments []attachmentJSON `json:"attachments"`
	Size        int              `json:"size"` // octets of the whole message
	Envelope    envelopeJSON     `json:"envelope"`
}

type mailboxJSON struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

type headerJSON struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type attachmentJSON struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Size   int64  `json:"size"` // octets, decoded
	Inline bool   `json:"inline"`
	ID     string `json:"content_id,omitempty"`
}

type envelopeJSON struct {
	From       string   `json:"from"`
	Recipients []string `json:"recipients"`
}

// unfitJSON stands in place of a letter that cannot be rendered.
type unfitJSON struct {
	V     int      `json:"v"`
	Type  string   `json:"type"`
	Row   int      `json:"row"`
	Line  int      `json:"line,omitempty"`
	Why   []string `json:"why,omitempty"`
	Error string   `json:"error"`
}

func (s *sheet) json() ([]byte, error) {
	v := s.view
	l := letterJSON{V: 1, Type: "letter", Row: s.row.Number, Line: s.row.Line, Why: s.why, Size: len(s.raw), BCC: []mailboxJSON{},
		Attachments: []attachmentJSON{}, Envelope: envelopeJSON{From: s.env.From.String()}}
	var from []mailboxJSON
	var err error
	for name, list := range map[string]*[]mailboxJSON{"From": &from, "To": &l.To, "Cc": &l.CC, "Reply-To": &l.ReplyTo} {
		if *list, err = mailboxes(v.head, name); err != nil {
			return nil, err
		}
	}
	if len(from) > 0 {
		l.From = from[0]
	}
	if l.Subject, err = v.head.Subject(); err != nil {
		return nil, err
	}
	if l.MessageID, err = v.head.MessageID(); err != nil {
		return nil, err
	}
	date, err := v.head.Date()
	if err != nil {
		return nil, err
	}
	l.Date = date.Format(time.RFC3339)
	for fields := v.head.Fields(); fields.Next(); {
		value, err := fields.Text()
		if err != nil {
			return nil, err
		}
		l.Headers = append(l.Headers, headerJSON{fields.Key(), value})
	}
	if v.hasText {
		l.Text = &v.text
	}
	if v.hasHTML {
		l.HTML = &v.html
	}
	for _, o := range v.others {
		l.Attachments = append(l.Attachments, attachmentJSON{o.name, o.kind, o.size, o.inline, o.id})
	}
	for _, a := range s.env.Recipients {
		l.Envelope.Recipients = append(l.Envelope.Recipients, a.String())
		if !named(a, l.To, l.CC) {
			l.BCC = append(l.BCC, mailboxJSON{Address: a.String()})
		}
	}
	return screen.JSON(l)
}

func mailboxes(h mail.Header, name string) ([]mailboxJSON, error) {
	list := []mailboxJSON{}
	boxes, err := h.AddressList(name)
	for _, b := range boxes {
		list = append(list, mailboxJSON{b.Name, b.Address})
	}
	return list, err
}

// named tells whether one of the lists has an address.
func named(a address.Address, lists ...[]mailboxJSON) bool {
	return slices.ContainsFunc(slices.Concat(lists...), func(m mailboxJSON) bool {
		b, err := address.Parse(m.Address)
		return err == nil && a.Key() == b.Key()
	})
}
