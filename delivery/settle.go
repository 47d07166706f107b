package delivery

import (
	"fmt"
	"time"

	"github.com/mailblast/mailblast/delivery/lanes"
	"github.com/mailblast/mailblast/delivery/panicked"
)

// next step of a message after a try.
type step struct {
	kind stepKind
	via  int
	at   time.Time // of stepLater
}

type stepKind uint8

const (
	stepEnd   stepKind = iota // it has its final outcome
	stepBack                  // it was not tried: in front of its lane again
	stepAgain                 // at once, the other way
	stepLater                 // at its time
)

// settle takes outcomes of messages that are with t's Sender: completes and records each, and does what follows from it.
func (d *Dispatcher) settle(t *thread, os []Outcome) {
	random := d.o.Random.Float64() // one for all, so that clones that were deferred together stay together
	for len(os) > 0 {
		hands := t.claim(os)
		n := len(hands)
		if n == 0 {
			d.o.Log.Error("an outcome for a message the sender does not have", "queue", t.q.o.Name, "status", os[0].Status.String())
			os = os[1:]
			continue
		}
		d.settleBatch(t, hands, os[:n:n], random)
		os = os[n:]
	}
}

// claim takes from t's hands what os speaks of, from the first on, as far as it is of one batch.
func (t *thread) claim(os []Outcome) (hands []hand) {
	for _, o := range os {
		h, ok := t.hands[o.ID]
		if !ok || len(hands) > 0 && h.f != hands[0].f {
			break
		}
		delete(t.hands, o.ID)
		hands = append(hands, h)
	}
	return hands
}

// settleBatch takes outcomes of messages of one batch.
func (d *Dispatcher) settleBatch(t *thread, hands []hand, os []Outcome, random float64) {
	steps := make([]step, len(os))
	for i := range os {
		o, m := &os[i], hands[i].m
		d.complete(o, t.q, m)
		d.heed(t.q, o, hands[i])
		steps[i] = d.judge(o, m, random)
		t.moved = t.moved || o.Status != NotTried
		if o.Status == Sent {
			d.inRow = 0
		}
		if o.Status == NotTried || o.Status >= Suppressed || o.Stage == StageCompose {
			t.untake(m) // nothing went out
		}
	}
	hands[0].m.Journal.Record(os)
	for i := 0; i < len(os); {
		n := 1
		for i+n < len(os) && steps[i+n] == steps[i] {
			n++
		}
		d.follow(t, hands[i:i+n], os[i:i+n], steps[i])
		i += n
	}
}

// sweep gives an outcome to what the Sender left without one. Where the dot may have been written, none but Unknown is
// certain not to send twice.
// What is in hand at a panic is tried once more, alone perhaps, whatever befell it before; a second panic, and it would go on like
// that.
func (d *Dispatcher) sweep(t *thread, a assignment, p *panicked.Error) {
	if len(t.hands) == 0 {
		return
	}
	var os []Outcome
	for id, h := range t.hands {
		o := Outcome{ID: id, Status: NotTried, Text: "the sender gave no outcome"}
		switch {
		case h.f.armed.Load():
			o.Status, o.Stage = Unknown, StageDot
		case p != nil && h.m.mishaps == 0:
			h.m.mishaps++
			o.Status, o.Class = Deferred, ClassSoft
		case p != nil:
			o.Status, o.Class = Failed, ClassSoft
		}
		if p != nil {
			o.Text = "a fault of our own while it was sent, at " + p.Where
		}
		os = append(os, o)
	}
	if p == nil {
		d.o.Log.Error("a sender returned without an outcome for every message", "queue", t.q.o.Name, "domain", a.domain, "messages", len(os))
	}
	d.settle(t, os)
}

// complete fills in what the Sender left to us.
func (d *Dispatcher) complete(o *Outcome, q *queue, m *Message) {
	if o.To == "" {
		o.To = m.To
	}
	o.Queue, o.Via, o.First = q.o.Name, m.Via, m.First
	o.Attempt, o.Try, o.Print = m.Attempts+1, m.Tries+1, m.Print
	if o.Status == Suppressed { // it was no try
		o.Attempt, o.Try = m.Attempts, m.Tries
	}
	if o.At.IsZero() {
		o.At = d.now
	}
}

// judge says what follows from o, and turns it into Failed when the message is given up.
func (d *Dispatcher) judge(o *Outcome, m *Message, random float64) step {
	switch o.Status {
	case NotTried:
		return step{kind: stepBack, via: m.Via}
	case Deferred:
		return d.judgeDeferred(o, m, random)
	case Unknown:
		at := lanes.When(d.now, d.now.Add(ResendAfter))
		if d.o.Resend && d.age(m, at) <= d.o.Retry.For {
			count(o, m)
			return step{kind: stepLater, via: m.Via, at: at}
		}
	}
	return step{kind: stepEnd}
}

func count(o *Outcome, m *Message) {
	m.Tries++
	if o.Charged {
		m.Attempts++
	}
}

func (d *Dispatcher) judgeDeferred(o *Outcome, m *Message, random float64) step {
	count(o, m)
	via, again := d.route(o, m)
	if again {
		o.Next = d.now
		return step{kind: stepAgain, via: via}
	}
	at := d.now.Add(d.o.Retry.Delay(m.Tries, random))
	if patient := d.now.Add(d.o.Retry.GreyDelay(m.Tries, random)); greylisted(o) && d.age(m, patient) <= d.o.Retry.For {
		at = patient
	}
	if at.Before(o.Next) {
		at = o.Next
	}
	if at = lanes.When(d.now, at); d.age(m, at) <= d.o.Retry.For {
		o.Next = at
		return step{kind: stepLater, via: via, at: at}
	}
	o.Status, o.Next = Failed, time.Time{}
	o.Text = givenUp(o.Text, m.Tries, d.age(m, d.now))
	return step{kind: stepEnd}
}

// route says which way the next try goes, and whether at once. The first unsuccessful try on the normal route is
// followed by the fallback, but greylisting asks for one more by the same host (RFC 6647 §2.1). After that the routes
// alternate.
func (d *Dispatcher) route(o *Outcome, m *Message) (via int, again bool) {
	if !d.o.Fallback {
		return m.Via, false
	}
	other := d.way(1 - m.Via)
	if m.Via != 0 || m.Tries > 2 {
		return other, false
	}
	if m.Tries == 1 && greylisted(o) {
		return m.Via, false
	}
	return other, other != m.Via
}

func greylisted(o *Outcome) bool {
	return o.Stage == StageRcpt && o.Class == ClassThrottle && o.Code/100 == 4
}

func givenUp(text string, tries int, after time.Duration) string {
	note := "given up after the first try"
	if tries > 1 {
		note = fmt.Sprintf("given up after %d tries in %s", tries, after.Round(time.Second))
	}
	if text == "" {
		return note
	}
	return text + " (" + note + ")"
}

// follow takes the step that messages of one batch have in common.
func (d *Dispatcher) follow(t *thread, hands []hand, os []Outcome, s step) {
	f := hands[0].f
	q, k := t.q, lanes.Key{Domain: f.parcel.Lane.Domain, Via: s.via}
	var ms []*Message
	for i, h := range hands {
		switch {
		case s.kind == stepEnd, os[i].Status == Deferred && d.owned(h.m, os[i], s):
			d.outstanding--
		default:
			ms = append(ms, h.m)
		}
		if s.kind == stepBack && h.fresh {
			h.m.First = time.Time{}
		}
		if s.kind == stepLater {
			h.m.Next = s.at
		}
	}
	switch s.kind {
	case stepBack:
		q.set.Back(&f.parcel, ms...)
	case stepAgain:
		d.broke(q.set.Again(k, ms...))
	case stepLater:
		d.broke(q.set.Later(s.at, k, ms...))
	}
	for _, h := range hands {
		t.drop(h)
	}
}

// owned offers a deferred message to its owner.
func (d *Dispatcher) owned(m *Message, o Outcome, s step) bool {
	m.Via, m.Next = s.via, o.Next
	return m.Journal.Defer(m, o)
}
