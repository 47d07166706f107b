package transaction

import (
	"strconv"

	"github.com/mailblast/mailblast/delivery"
)

// prepare builds MAIL and decides the messages that this peer cannot take, before it is bothered with them.
func (x *transaction) prepare(body delivery.Body) {
	size, eightBit, utf8 := body.Needs()
	ext, from := &x.c.Ext, x.open[0].From
	utf8 = utf8 || !ascii(from)
	switch {
	case ext.Size > 0 && size > ext.Size: // RFC 1870 §6.1
		x.refuseAll("5.3.4", "the message has %d octets, the server takes %d", size, ext.Size)
		return
	case utf8 && !ext.UTF8:
		x.refuseAll("5.6.7", "the message needs SMTPUTF8, which the server does not offer")
		return
	case eightBit && !ext.EightBit:
		x.refuseAll("5.6.1", "the message needs 8BITMIME, which the server does not offer")
		return
	case !safe(from):
		x.refuseAll("5.1.7", "the sender's address cannot be said in a command")
		return
	}
	utf8 = x.recipients() || utf8
	x.mail = append(x.mail, "MAIL FROM:<", from, ">")
	if ext.HasSize {
		x.mail = append(x.mail, " SIZE=", strconv.FormatInt(size, 10))
	}
	if eightBit {
		x.mail = append(x.mail, " BODY=8BITMIME")
	}
	if utf8 {
		x.mail = append(x.mail, " SMTPUTF8")
	}
}

// recipients decides those that cannot be named to this peer, and tells whether one of the others needs SMTPUTF8.
func (x *transaction) recipients() (utf8 bool) {
	kept := x.open[:0]
	for _, m := range x.open {
		intl := !ascii(m.To)
		switch {
		case !safe(m.To) || m.To == "":
			x.done = append(x.done, x.refuse(m, delivery.StageRcpt, "5.1.3", "the recipient's address cannot be said in a command"))
		case intl && !x.c.Ext.UTF8: // RFC 6531 §3.5
			x.done = append(x.done, x.refuse(m, delivery.StageRcpt, "5.6.7", "the address needs SMTPUTF8, which the server does not offer"))
		default:
			utf8 = utf8 || intl
			kept = append(kept, m)
		}
	}
	x.open = kept
	return utf8
}

func (x *transaction) refuseAll(enhanced, format string, args ...any) {
	x.settle(func(m *delivery.Message) delivery.Outcome {
		return x.refuse(m, delivery.StageMail, enhanced, format, args...)
	})
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// safe tells that an address can be put between angle brackets. It comes parsed and re-quoted; this is the second wall.
func safe(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f || s[i] == '<' || s[i] == '>' {
			return false
		}
	}
	return len(s) <= 512
}
