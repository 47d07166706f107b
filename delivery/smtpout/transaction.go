package smtpout

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

// transaction is one MAIL…DATA…dot (RFC 5321 §3.3) for the messages of a batch.
type transaction struct {
	c     *conn
	b     *delivery.Batch
	via   int
	began time.Time
	piped bool

	mail     []string            // the MAIL command
	open     []*delivery.Message // not decided yet, in the order of their RCPTs
	accepted int                 // how many RCPTs got 2yz; they come first in open when DATA is answered
	done     []delivery.Outcome
	mailSaid smtpwire.Reply // a refusal of MAIL, if its Code is not 0
	broken   bool           // the connection must not be used again
}

// run goes through the transaction. What is decided is in x.done, what is not in x.open: because of a fault, before
// anything was accepted, or because of an error of our side.
func (x *transaction) run(ctx context.Context) (*fault, error) {
	x.open = append(x.open, x.b.Messages...)
	form := delivery.Form{EightBit: x.c.ext.EightBit, UTF8: x.c.ext.UTF8, Date: x.b.Date}
	body, err := x.open[0].Content.Open(ctx, form)
	var unfit *delivery.Unfit
	if errors.As(err, &unfit) {
		x.settle(func(m *delivery.Message) delivery.Outcome { return x.unfit(m, unfit) })
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	defer func() { _ = body.Close() }()
	if x.prepare(body); len(x.open) == 0 {
		return nil, nil
	}
	x.c.used++
	ready, f := x.announce()
	x.c.cached = x.c.cached && f != nil
	if f != nil || !ready {
		return f, nil
	}
	return nil, x.send(ctx, body)
}

// settle decides every open message.
func (x *transaction) settle(o func(*delivery.Message) delivery.Outcome) {
	for _, m := range x.open {
		x.done = append(x.done, o(m))
	}
	x.open = nil
}

// prepare builds MAIL and decides the messages that this peer cannot take, before it is bothered with them.
func (x *transaction) prepare(body delivery.Body) {
	size, eightBit, utf8 := body.Needs()
	ext, from := &x.c.ext, x.open[0].From
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
			x.done = append(x.done, x.refuse(m, "5.1.3", "the recipient's address cannot be said in a command"))
		case intl && !x.c.ext.UTF8: // RFC 6531 §3.5
			x.done = append(x.done, x.refuse(m, "5.6.7", "the address needs SMTPUTF8, which the server does not offer"))
		default:
			utf8 = utf8 || intl
			kept = append(kept, m)
		}
	}
	x.open = kept
	return utf8
}

func (x *transaction) refuseAll(enhanced, format string, args ...any) {
	x.settle(func(m *delivery.Message) delivery.Outcome { return x.refuse(m, enhanced, format, args...) })
}

// announce says MAIL, RCPTs and DATA, all in one write where the peer takes that (RFC 2920 §3.1), and reads the
// replies. It is ready when a 354 came and somebody is to get the message.
func (x *transaction) announce() (ready bool, f *fault) {
	x.piped = x.c.t.o.Pipelining && x.c.ext.Pipelining && x.c.host.pipelines()
	rcpts := x.open
	x.open = make([]*delivery.Message, 0, len(rcpts))
	if f = x.announceTo(rcpts); f != nil {
		x.broken = true
		if x.piped && f.silent {
			x.c.host.lied()
		}
		return false, f
	}
	if x.mailSaid.Code != 0 {
		x.open = rcpts
		return false, x.mailRefused()
	}
	if x.accepted == 0 && !x.piped {
		x.c.reset = true
		return false, nil
	}
	r, f := x.step(delivery.StageData, x.c.t.o.Timeouts.Data, "DATA")
	if f != nil {
		x.broken = true
		return false, f
	}
	return x.dataSaid(r)
}

// announceTo goes as far as the last RCPT. Those accepted are open afterwards; after a fault, all that are undecided.
func (x *transaction) announceTo(rcpts []*delivery.Message) *fault {
	t := &x.c.t.o.Timeouts
	if f := x.write(rcpts); f != nil {
		x.open = rcpts
		return f
	}
	if x.c.reset {
		r, f := x.step(delivery.StageMail, t.Hello, "RSET")
		if f == nil && r.Code != 250 {
			f = x.c.said(delivery.StageMail, r)
		}
		if f != nil {
			x.open = rcpts
			return f
		}
		x.c.reset = false
	}
	r, f := x.step(delivery.StageMail, t.Mail, x.mail...)
	if f == nil {
		f = x.heardMail(r)
	}
	if f != nil {
		x.open = rcpts
		return f
	}
	if x.mailSaid.Code != 0 && !x.piped {
		return nil
	}
	for i, m := range rcpts {
		r, f := x.step(delivery.StageRcpt, t.Rcpt, "RCPT TO:<", m.To, ">")
		if f == nil {
			f = x.heardRcpt(m, r)
		}
		if f != nil {
			x.open = append(x.open, rcpts[i:]...)
			return f
		}
	}
	return nil
}

// write puts the whole group out at once when pipelining.
func (x *transaction) write(rcpts []*delivery.Message) *fault {
	if !x.piped {
		return nil
	}
	var err error
	add := func(parts ...string) { err = errors.Join(err, x.c.w.Command(parts...)) }
	if x.c.reset {
		add("RSET")
	}
	add(x.mail...)
	for _, m := range rcpts {
		add("RCPT TO:<", m.To, ">")
	}
	add("DATA")
	if err = errors.Join(err, x.c.w.Flush()); err != nil {
		return x.broke(delivery.StageMail, err)
	}
	return nil
}

// step says one command, unless it went out with the group, and reads its reply. A 421 ends the connection
// (RFC 5321 §3.8).
func (x *transaction) step(stage delivery.Stage, limit time.Duration, parts ...string) (smtpwire.Reply, *fault) {
	var err error
	if !x.piped {
		if err = x.c.w.Command(parts...); err == nil {
			err = x.c.w.Flush()
		}
	}
	var r smtpwire.Reply
	if err == nil {
		r, err = x.c.read(limit)
	}
	if err != nil {
		return r, x.broke(stage, err)
	}
	if r.Code == 421 {
		return r, x.c.said(stage, r)
	}
	x.broken = x.broken || r.Long
	return r, nil
}

// broke makes a fault of a connection that ended in the transaction. It may be the message's doing: it is charged.
func (x *transaction) broke(stage delivery.Stage, err error) *fault {
	f := x.c.broke(stage, err)
	f.charged, f.cools = true, false
	return f
}

// outOfStep is the fault of a reply that cannot be one to the command: a 354 before DATA, a 250 after it.
func (x *transaction) outOfStep(stage delivery.Stage, r smtpwire.Reply) *fault {
	f := x.c.fault(stage, fmt.Sprintf("protocol error: %d in reply to %s", r.Code, stage))
	f.charged, f.silent = true, true
	return f
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
