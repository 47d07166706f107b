// Package transaction takes one batch over one connection (RFC 5321 §3.3):
//
//  1. the letter is rendered for what the peer offers; messages that the peer cannot take are decided;
//  2. MAIL, every RCPT and DATA go out, in one write where the peer takes that, and their replies are read;
//  3. the body goes out, its final dot once the intent is on disk;
//  4. the reply to the dot is the outcome. Without a whole one, nobody knows.
package transaction

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtpout/conn"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
	"github.com/mailblast/mailblast/delivery/smtpout/hosts"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

// Options are where and how a transaction goes.
type Options struct {
	Conn       *conn.Conn // open, and bound to the ctx of Run
	Host       *hosts.Host
	Via        int // as Outcome.Via
	Pipelining bool
	Began      time.Time // when the batch was taken, for Outcome.Took
}

// Result is what became of a batch.
type Result struct {
	Done   []delivery.Outcome
	Open   []*delivery.Message // not decided, in the order of their RCPTs
	Spoke  bool                // the connection was used
	Broken bool                // it must not be used again
}

// Run goes through the transaction. Messages stay open because of the fault, before anything was accepted, or because
// of the error, which is one of our side.
func Run(ctx context.Context, b *delivery.Batch, o Options) (Result, *fault.Fault, error) {
	x := &transaction{c: o.Conn, o: o, b: b}
	f, err := x.run(ctx)
	return Result{Done: x.done, Open: x.open, Spoke: x.spoke, Broken: x.broken}, f, err
}

// transaction is one MAIL…DATA…dot (RFC 5321 §3.3) for the messages of a batch.
type transaction struct {
	c     *conn.Conn
	o     Options
	b     *delivery.Batch
	piped bool
	spoke bool

	mail     []string            // the MAIL command
	open     []*delivery.Message // not decided yet, in the order of their RCPTs
	accepted int                 // how many RCPTs got 2yz; they come first in open when DATA is answered
	done     []delivery.Outcome
	mailSaid smtpwire.Reply // a refusal of MAIL, if its Code is not 0
	broken   bool           // the connection must not be used again
}

func (x *transaction) run(ctx context.Context) (*fault.Fault, error) {
	x.open = append(x.open, x.b.Messages...)
	form := delivery.Form{EightBit: x.c.Ext.EightBit, UTF8: x.c.Ext.UTF8, Date: x.b.Date}
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
	x.spoke = true
	ready, f := x.announce()
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

// announce says MAIL, RCPTs and DATA, all in one write where the peer takes that (RFC 2920 §3.1), and reads the
// replies. It is ready when a 354 came and somebody is to get the message.
func (x *transaction) announce() (ready bool, f *fault.Fault) {
	x.piped = x.o.Pipelining && x.c.Ext.Pipelining && x.o.Host.Pipelines()
	rcpts := x.open
	x.open = make([]*delivery.Message, 0, len(rcpts))
	if f = x.announceTo(rcpts); f != nil {
		x.broken = true
		if x.piped && f.Silent {
			x.o.Host.Lied()
		}
		return false, f
	}
	if x.mailSaid.Code != 0 {
		x.open = rcpts
		return false, x.mailRefused()
	}
	if x.accepted == 0 && !x.piped {
		x.c.NeedsRset = true
		return false, nil
	}
	r, f := x.step(delivery.StageData, x.c.Timeouts().Data, "DATA")
	if f != nil {
		x.broken = true
		return false, f
	}
	return x.dataSaid(r)
}

// announceTo goes as far as the last RCPT. Those accepted are open afterwards; after a fault, all that are undecided.
func (x *transaction) announceTo(rcpts []*delivery.Message) *fault.Fault {
	t := x.c.Timeouts()
	if f := x.write(rcpts); f != nil {
		x.open = rcpts
		return f
	}
	if x.c.NeedsRset {
		r, f := x.step(delivery.StageMail, t.Hello, "RSET")
		if f == nil && r.Code != 250 {
			f = x.c.Said(delivery.StageMail, r)
		}
		if f != nil {
			x.open = rcpts
			return f
		}
		x.c.NeedsRset = false
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
func (x *transaction) write(rcpts []*delivery.Message) *fault.Fault {
	if !x.piped {
		return nil
	}
	var err error
	add := func(parts ...string) { err = errors.Join(err, x.c.Out.Command(parts...)) }
	if x.c.NeedsRset {
		add("RSET")
	}
	add(x.mail...)
	for _, m := range rcpts {
		add("RCPT TO:<", m.To, ">")
	}
	add("DATA")
	if err = errors.Join(err, x.c.Out.Flush()); err != nil {
		return x.broke(delivery.StageMail, err)
	}
	return nil
}

// step says one command, unless it went out with the group, and reads its reply. A 421 ends the connection
// (RFC 5321 §3.8).
func (x *transaction) step(stage delivery.Stage, limit time.Duration, parts ...string) (smtpwire.Reply, *fault.Fault) {
	var err error
	if !x.piped {
		if err = x.c.Out.Command(parts...); err == nil {
			err = x.c.Out.Flush()
		}
	}
	var r smtpwire.Reply
	if err == nil {
		r, err = x.c.Read(limit)
	}
	if err != nil {
		return r, x.broke(stage, err)
	}
	if r.Code == 421 {
		return r, x.c.Said(stage, r)
	}
	x.broken = x.broken || r.Long
	return r, nil
}

// broke makes a fault of a connection that ended in the transaction. It may be the message's doing: it is charged.
func (x *transaction) broke(stage delivery.Stage, err error) *fault.Fault {
	f := x.c.Broke(stage, err)
	f.Charged, f.Cools = true, false
	return f
}

// outOfStep is the fault of a reply that cannot be one to the command: a 354 before DATA, a 250 after it.
func (x *transaction) outOfStep(stage delivery.Stage, r smtpwire.Reply) *fault.Fault {
	f := x.c.Fault(stage, fmt.Sprintf("protocol error: %d in reply to %s", r.Code, stage))
	f.Charged, f.Silent = true, true
	return f
}
