package delivery

import (
	"slices"
	"strings"
	"time"

	"github.com/mailblast/mailblast/delivery/lanes"
	"github.com/mailblast/mailblast/delivery/pace/breaker"
)

// breakers are the pauses there are, with the table that knows when there must be one.
type breakers struct {
	breaker.Table
	pauses map[breaker.Scope]*Pause
	in     [3]breaker.Scope // what scopes gives, until it is called again
}

// restore begins the trials of what an earlier run left paused.
func (b *breakers) restore(ps []Pause) {
	b.pauses = map[breaker.Scope]*Pause{}
	for _, p := range ps {
		p.Waiting = 0
		b.pauses[p.scope()] = &p
		b.Restore(p.scope())
	}
}

// scopes gives what an outcome of domain on a way counts for, the narrowest first. A relay is one site for all domains: there
// the route stands for it.
func (q *queue) scopes(domain string, via int) []breaker.Scope {
	in := append(q.d.breakers.in[:0], breaker.Scope{Kind: breaker.Domain, Via: via, Name: domain})
	if q.d.o.Direct && via == 0 {
		if site, known := q.o.Sender.Site(domain, via); known {
			in = append(in, breaker.Scope{Kind: breaker.Site, Via: via, Name: site})
		}
	}
	return append(in, breaker.Scope{Kind: breaker.Route, Via: via})
}

// shut keeps l for later if a breaker does not let a message of it go now.
func (q *queue) shut(l *lanes.Lane[*Message]) bool {
	d := q.d
	if d.breakers.Usual() {
		return false
	}
	at, paused := d.breakers.Next(d.now, q.scopes(l.Domain, d.way(l.Via)))
	switch {
	case at.IsZero():
		return false
	case paused:
		q.set.Pause(l, at)
	default:
		q.set.Hold(l, at)
	}
	return true
}

// wayShut is when the breaker of a whole way lets a message go; zero is now.
func (d *Dispatcher) wayShut(via int) (at time.Time) {
	if !d.breakers.Usual() {
		d.breakers.in[0] = breaker.Scope{Kind: breaker.Route, Via: via}
		at, _ = d.breakers.Next(d.now, d.breakers.in[:1])
	}
	return at
}

// admit tells whether the breakers let m go now, and counts it where it is a trial.
func (q *queue) admit(m *Message, via int) bool {
	d := q.d
	if d.breakers.Usual() {
		return true
	}
	in := q.scopes(m.Domain, via)
	if at, _ := d.breakers.Next(d.now, in); !at.IsZero() {
		return false
	}
	d.breakers.Take(in)
	return true
}

// trial tells that m, which was admitted, is a trial.
func (q *queue) trial(m *Message, via int) bool {
	return !q.d.breakers.Usual() && q.d.breakers.Trial(q.scopes(m.Domain, via))
}

// heed has the breakers count an outcome. One that must not count as a failure becomes NotTried: the message waits with the
// others of its scope.
func (d *Dispatcher) heed(q *queue, o *Outcome, h hand) {
	said := o.said()
	if d.breakers.Quiet() && said.Word < breaker.Refused {
		return
	}
	in := q.scopes(h.m.Domain, h.m.Via)
	news, back := d.breakers.Count(d.now, in, said, h.trial)
	if back {
		o.Status, o.Charged = NotTried, false
		d.setAside(q, h, in)
	}
	for _, n := range news {
		d.tell(n, o)
	}
}

// setAside pauses the lane that a message goes back to. Asking the table at its turn would not do: whose site it is may be
// forgotten by then.
func (d *Dispatcher) setAside(q *queue, h hand, in []breaker.Scope) {
	at, paused := d.breakers.Next(d.now, in)
	if l := h.f.parcel.Lane; paused && l.Domain == h.m.Domain && d.halted[h.m.Via] == nil {
		q.set.Pause(l, at)
	}
}

// said is what o says of us. What a server says of an address says nothing of us, nor does a row that cannot be composed.
func (o *Outcome) said() breaker.Said {
	s := breaker.Said{Code: o.Code, Enhanced: o.Enhanced, Class: uint8(o.Class)}
	address := strings.HasPrefix(o.Enhanced, "5.1.") || strings.HasPrefix(o.Enhanced, "5.2.") // RFC 3463 §3.2, §3.3
	switch {
	case o.Status == Sent, o.Status == Unknown:
		s.Word = breaker.Taken
	case o.Status == Deferred && o.Stage >= StageRcpt:
		s.Word = breaker.Known
	case o.Status != Failed, o.Stage < StageConnect, o.Code > 0 && o.Code < 500:
	case o.Class == ClassHard, o.Class == ClassSoft && address, o.Class == ClassContent && o.Stage != StageMail:
		s.Word = breaker.Passed
	case o.Stage == StageMail && o.Code > 0:
		s.Word = breaker.RefusedSender
	case o.Code > 0, o.Class == ClassContent:
		s.Word = breaker.Refused
	}
	return s
}

// tell takes what follows from the news of a breaker, and says it once.
func (d *Dispatcher) tell(n breaker.News, o *Outcome) {
	p := d.breakers.pauses[n.Scope]
	if n.Over {
		delete(d.breakers.pauses, n.Scope)
		d.resumed(p)
		return
	}
	if p == nil {
		p = &Pause{Kind: kinds[n.Scope.Kind], Name: n.Scope.Name, Via: n.Scope.Via}
		d.breakers.pauses[n.Scope] = p
	}
	if !n.Again {
		p.Breaker, p.Refused, p.Of = n.Rule.Name, n.Refused, n.Of
	}
	p.said(o)
	route := n.Scope.Kind == breaker.Route
	if route {
		p.Name = d.wayName(p.Via, o.Host)
	}
	d.paused(p)
	if route {
		d.closeWay(p.Via, &Halt{Stage: o.Stage, Host: o.Host, Code: o.Code, Enhanced: o.Enhanced, Text: o.Text}, &Paused{})
	}
	d.touchAll()
}

func (p *Pause) said(o *Outcome) {
	p.Code, p.Enhanced, p.Text, p.Host, p.At = o.Code, o.Enhanced, o.Text, o.Host, o.At
}

// wayName is what people call a way: the relay, by the host that spoke.
func (d *Dispatcher) wayName(via int, host string) string {
	if d.o.Direct && via == 0 {
		return "direct delivery"
	}
	name, _, _ := strings.Cut(host, " ")
	return name
}

func (d *Dispatcher) paused(p *Pause) {
	d.o.Log.Warn(p.Name+" "+p.deed()+": paused, what is for it stays pending",
		"breaker", p.Breaker, p.Kind, p.Name, "reason", p.Reason(), "refused", p.Refused, "of", p.Of, "host", p.Host)
	d.note(*p)
}

func (d *Dispatcher) resumed(p *Pause) {
	d.o.Log.Warn(p.Name+" takes our mail again", "breaker", p.Breaker, p.Kind, p.Name)
	over := *p
	over.Over = true
	d.note(over)
	d.touchAll()
}

func (d *Dispatcher) note(p Pause) {
	if d.o.Note != nil {
		d.o.Note(p)
	}
}

// refusedLogin notes that a relay is closed for its refusal of our login.
func (d *Dispatcher) refusedLogin(via int, h *Halt) {
	p := &Pause{Breaker: loginBreaker, Kind: kinds[breaker.Route], Via: via, Name: d.wayName(via, h.Host), Refused: 1, Of: 1,
		Code: h.Code, Enhanced: h.Enhanced, Text: h.Text, Host: h.Host, At: d.now}
	d.breakers.pauses[p.scope()] = p
	d.breakers.Restore(p.scope())
	d.note(*p)
}

// pausesLeft gives what is paused at the end of the run and holds messages back, those that hold most first. A trial that was
// taken is as good as all of them then.
func (d *Dispatcher) pausesLeft() (left []Pause) {
	waiting, deferred := map[breaker.Scope]int{}, 0
	for _, q := range d.queues {
		deferred += q.set.Deferred()
		q.set.Each(func(k lanes.Key, n int) {
			for _, s := range q.scopes(k.Domain, d.way(k.Via)) {
				if d.breakers.pauses[s] != nil {
					waiting[s] += n
					return
				}
			}
		})
	}
	for s, p := range d.breakers.pauses {
		route := s.Kind == breaker.Route
		if !route {
			p.Waiting = waiting[s]
		}
		if p.Over = !d.breakers.Holds(s) || !route && d.closing.given() && p.Waiting+deferred == 0; !p.Over {
			left = append(left, *p)
		}
		d.note(*p)
	}
	slices.SortFunc(left, func(a, b Pause) int {
		if a.Waiting != b.Waiting {
			return b.Waiting - a.Waiting
		}
		return strings.Compare(a.Name, b.Name)
	})
	return left
}
