package transaction

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/smtpout/conn"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

// lastWords is how long to wait for a reply that may have come before the connection broke.
const lastWords = 2 * time.Second

func (x *transaction) heardMail(r smtpwire.Reply) *fault.Fault {
	switch r.Class() {
	case 2:
	case 3:
		return x.outOfStep(delivery.StageMail, r)
	default:
		x.mailSaid = r
	}
	return nil
}

// mailRefused is what a refusal of MAIL means: a login that is missing halts, 5yz is about this message, and 4yz about
// the host.
func (x *transaction) mailRefused() *fault.Fault {
	r := x.mailSaid
	if x.piped {
		if f := x.endGroup(); f != nil {
			x.broken = true
		}
	}
	if r.Code == 530 && x.c.Relay() {
		f := x.c.Said(delivery.StageAuth, r)
		f.Halts = true
		return f
	}
	if r.Class() == 5 {
		x.settle(func(m *delivery.Message) delivery.Outcome { return x.replied(m, delivery.StageMail, r) })
		return nil
	}
	x.broken = true
	return x.c.Said(delivery.StageMail, r)
}

// endGroup reads the reply to the DATA that went out with a refused MAIL.
func (x *transaction) endGroup() *fault.Fault {
	r, f := x.step(delivery.StageData, x.c.Timeouts().Data)
	if f == nil && r.Code == 354 {
		f = x.emptyDot()
	}
	x.c.NeedsRset = true
	return f
}

func (x *transaction) heardRcpt(m *delivery.Message, r smtpwire.Reply) *fault.Fault {
	switch {
	case x.mailSaid.Code != 0:
		if r.Class() == 3 {
			return x.outOfStep(delivery.StageRcpt, r)
		}
	case r.Class() == 2:
		x.accepted++
		x.open = append(x.open, m)
	case r.Class() == 3:
		return x.outOfStep(delivery.StageRcpt, r)
	case crowded(r) && x.accepted > 0:
		x.o.Host.Crowds(x.accepted)
		x.done = append(x.done, x.outcome(m, delivery.NotTried, delivery.StageRcpt))
	default:
		x.o.Host.OK()
		x.done = append(x.done, x.replied(m, delivery.StageRcpt, r))
	}
	return nil
}

// dataSaid takes the reply to DATA.
func (x *transaction) dataSaid(r smtpwire.Reply) (ready bool, f *fault.Fault) {
	x.o.Host.OK()
	switch {
	case r.Code == 354 && x.accepted > 0:
		return true, nil
	case r.Code == 354:
		x.broken = x.emptyDot() != nil || x.broken
	case r.Class() < 4:
		x.broken = true
		f = x.outOfStep(delivery.StageData, r)
	default:
		x.c.NeedsRset = true
		x.settle(func(m *delivery.Message) delivery.Outcome { return x.replied(m, delivery.StageData, r) })
	}
	return false, f
}

// emptyDot ends a DATA that should not have been granted, for nobody is to get the message (RFC 2920 §3.1).
func (x *transaction) emptyDot() *fault.Fault {
	r, f := x.c.Ask(delivery.StageDot, x.c.Timeouts().Dot, ".")
	x.c.NeedsRset = true
	if f == nil && r.Class() != 5 && r.Class() != 4 {
		f = x.outOfStep(delivery.StageDot, r)
	}
	return f
}

// send writes the body and, once the intent is on disk, its final dot. The error is one of our side: nothing was sent.
func (x *transaction) send(ctx context.Context, body delivery.Body) error {
	x.c.InBody = true
	defer func() { x.c.InBody = false }()
	if x.c.Pending() {
		x.giveUp("protocol error: more than one reply to DATA")
		return nil
	}
	dot := x.c.Out.Dot()
	_, err := body.WriteTo(dot)
	if err != nil && dot.Err() == nil {
		x.broken = true
		return fmt.Errorf("compose: %w", err)
	}
	if err == nil {
		if err = x.b.Intent(ctx); err != nil {
			x.broken = true
			return fmt.Errorf("intent: %w", err)
		}
		err = dot.Close()
	}
	x.c.InBody = false
	switch {
	case err == nil:
		x.answer(x.c.Read(x.c.Timeouts().Dot))
	case dot.Left():
		x.answer(x.c.Read(lastWords))
	default:
		x.cutShort(err)
	}
	return nil
}

// answer takes the reply to the final dot. Without a whole one nobody knows whether the message was taken.
func (x *transaction) answer(r smtpwire.Reply, err error) {
	if err != nil {
		f := x.c.Broke(delivery.StageDot, err)
		x.broken = true
		if f.Silent && !fault.TimedOut(err) {
			x.o.Host.Unpipelined()
		}
		text := f.Text
		if x.c.Cut() != nil {
			text = "interrupted"
		}
		x.settle(func(m *delivery.Message) delivery.Outcome {
			o := x.outcome(m, delivery.Unknown, delivery.StageDot)
			o.Class, o.Text = delivery.ClassSoft, text+" before the reply to the message came"
			return o
		})
		return
	}
	x.broken = x.broken || r.Long || r.Code == 421 || r.Code/10 != 25 && r.Class() < 4 || x.c.Pending()
	x.settle(func(m *delivery.Message) delivery.Outcome { return x.replied(m, delivery.StageDot, r) })
}

// cutShort is for a body that could not be written to its end: certainly not taken. What the server said of it
// meanwhile counts.
func (x *transaction) cutShort(err error) {
	x.broken = true
	if x.c.Cut() != nil {
		x.settle(func(m *delivery.Message) delivery.Outcome { return x.outcome(m, delivery.NotTried, delivery.StageDot) })
		return
	}
	r, readErr := x.c.Read(lastWords)
	if readErr == nil && r.Class() >= 4 {
		x.settle(func(m *delivery.Message) delivery.Outcome { return x.replied(m, delivery.StageDot, r) })
		return
	}
	switch {
	case readErr == nil:
		x.giveUp(fmt.Sprintf("protocol error: %d before the end of the message", r.Code))
	case errors.Is(err, conn.ErrEarly):
		x.giveUp(fault.Describe(readErr) + " in the middle of the message")
	default:
		x.giveUp(fault.Describe(err) + " in the middle of the message")
	}
}

// giveUp defers all and the connection is not used again.
func (x *transaction) giveUp(text string) {
	x.broken = true
	x.settle(func(m *delivery.Message) delivery.Outcome {
		o := x.outcome(m, delivery.Deferred, delivery.StageDot)
		o.Class, o.Text = delivery.ClassSoft, text
		return o
	})
}
