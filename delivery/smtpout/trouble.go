package smtpout

import (
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/class"
	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtpout/fault"
)

// trouble is a fault and what it means for the site, after the search for another host.
type trouble struct {
	fault.Fault
	dns   *route.Error // the way was not found
	down  bool         // no host of the route may be tried now
	full  bool         // a host takes no more connections than it has: those will do it, nothing was tried
	final bool         // every host said so, twice
	next  time.Time    // when a host may be tried again
}

// outcome is what f means for one message of a batch.
func (f *trouble) outcome(m *delivery.Message, via int, began time.Time) delivery.Outcome {
	now := time.Now()
	if f.dns != nil {
		o := f.dns.Outcome(m, now)
		o.Via, o.Host, o.Took = via, f.Host, now.Sub(began)
		return o
	}
	o := delivery.Outcome{
		ID: m.ID, To: m.To, Status: delivery.Deferred, Stage: f.Stage, Class: delivery.ClassSoft, Code: f.Code,
		Enhanced: f.Enhanced, Text: f.Text, Host: f.Host, TLS: f.TLS, Via: via, Charged: f.Charged,
		At: now, Next: f.next, Took: now.Sub(began),
	}
	if f.Code != 0 {
		o.Class = class.Of(f.Code, f.Enhanced, f.Text, f.Stage)
	}
	if f.final && m.Tries > 0 {
		o.Status, o.Charged, o.Next = delivery.Failed, true, time.Time{}
	}
	return o
}
