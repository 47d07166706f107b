package transaction

import (
	"fmt"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/class"
	"github.com/mailblast/mailblast/delivery/smtpwire"
)

// outcome begins the outcome of one message at a stage of the transaction.
func (x *transaction) outcome(m *delivery.Message, s delivery.Status, stage delivery.Stage) delivery.Outcome {
	now := time.Now()
	return delivery.Outcome{
		ID: m.ID, To: m.To, Status: s, Stage: stage, Host: x.c.Name, TLS: x.c.TLS, Via: x.o.Via,
		Charged: s != delivery.NotTried, At: now, Took: now.Sub(x.o.Began),
	}
}

// replied is the outcome that a reply means for one message.
func (x *transaction) replied(m *delivery.Message, stage delivery.Stage, r smtpwire.Reply) delivery.Outcome {
	o := x.outcome(m, delivery.Deferred, stage)
	o.Code, o.Enhanced, o.Text = r.Code, r.Enhanced, r.Text
	if stage == delivery.StageDot && r.Code/10 == 25 {
		o.Status = delivery.Sent
		return o
	}
	if r.Class() == 2 || r.Class() == 3 {
		// Any other 2yz, and all of 3yz, answer some other command: the peer is out of step.
		o.Status, o.Class = delivery.Unknown, delivery.ClassSoft
		return o
	}
	o.Class = class.Of(r.Code, r.Enhanced, r.Text, stage)
	if r.Class() == 5 && !passing(r, o.Class) {
		o.Status = delivery.Failed
	}
	return o
}

// passing tells of a 5yz that is temporary all the same. QUIRK: 552 was the code for a full mailbox before RFC 5321
// made it 452, and servers still use it.
func passing(r smtpwire.Reply, c delivery.Class) bool {
	full := r.Enhanced == "" || r.Enhanced == "5.2.2"
	return r.Code == 552 && full && c == delivery.ClassSoft
}

// crowded tells that a server takes no more recipients in this transaction (RFC 5321 §4.5.3.1.10).
func crowded(r smtpwire.Reply) bool {
	switch r.Code {
	case 452:
		return r.Enhanced == "" || r.Enhanced == "4.5.3"
	case 552: // QUIRK: RFC 821's code for it
		return r.Enhanced == "5.5.3"
	}
	return false
}

// unfit is the outcome of a letter that could not be composed.
func (x *transaction) unfit(m *delivery.Message, e *delivery.Unfit) delivery.Outcome {
	o := x.outcome(m, e.Status, delivery.StageCompose)
	o.Class, o.Text, o.Host, o.TLS = e.Class, smtpwire.Printable(e.Text), "", ""
	return o
}

// refuse is the outcome of a message that this peer cannot take, as its EHLO says: for the message's sake at MAIL, for the
// recipient's at RCPT.
func (x *transaction) refuse(m *delivery.Message, stage delivery.Stage, enhanced, format string, args ...any) delivery.Outcome {
	o := x.outcome(m, delivery.Failed, stage)
	o.Enhanced, o.Class, o.Text = enhanced, delivery.ClassContent, fmt.Sprintf(format, args...)
	return o
}
