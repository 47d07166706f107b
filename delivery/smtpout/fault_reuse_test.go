package smtpout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/route"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// TestFaultReuse is about a second message over a connection that has carried one: from the cache, and right after it.
func TestFaultReuse(t *testing.T) {
	const afresh = "a fresh connection, nothing is charged, nothing unknown"
	for _, r := range []reuse{
		{name: "S33 the message after one refused", must: "RSET, over the same connection", script: "rcpt#1: 550 5.1.1 no",
			want: "failed rcpt 550 charged, sent dot 250 charged; 1 connection, RSET"},
		{name: "S36 the message after a 354 for nobody", must: "RSET, over the same connection", grouped: true, script: "rcpt#1: 550 5.1.1 no\ndata#1: 354 go\n.: 554 5.5.1 nobody",
			want: "failed rcpt 550 charged, sent dot 250 charged; 1 connection, RSET"},
		{name: "S51 RSET hang", must: afresh, script: "rcpt#1: 550 5.1.1 no\nrset: hang", want: "failed rcpt 550 charged, sent dot 250 charged; 2 connections, RSET; 5m0s"},
		{name: "S51 RSET 421", must: afresh, script: "rcpt#1: 550 5.1.1 no\nrset: 421 4.3.0 bye; drop", want: "failed rcpt 550 charged, sent dot 250 charged; 2 connections, RSET"},
		{name: "S51 RSET 500", must: afresh, script: "rcpt#1: 550 5.1.1 no\nrset: 500 what", want: "failed rcpt 550 charged, sent dot 250 charged; 2 connections, RSET"},
		{name: "S52 421 for MAIL", must: afresh, script: "mail#2: 421 4.4.2 idle; drop", want: "sent dot 250 charged, sent dot 250 charged; 2 connections"},
		{name: "S52 closed at MAIL", must: afresh, script: "mail#2: drop", want: "sent dot 250 charged, sent dot 250 charged; 2 connections"},
		{name: "S52 closed at RCPT", must: afresh, script: "rcpt#2: drop", want: "sent dot 250 charged, sent dot 250 charged; 2 connections"},
		{name: "S52 closed at DATA", must: afresh, script: "data#2: drop", want: "sent dot 250 charged, sent dot 250 charged; 2 connections"},
		{name: "S52 junk for MAIL", must: afresh, script: "mail#2: raw \"what?\\r\\n\"; drop", want: "sent dot 250 charged, sent dot 250 charged; 2 connections"},
	} {
		for _, r.cached = range []bool{false, true} {
			r.run(t)
			if !r.grouped {
				r.serial = true
				r.run(t)
				r.serial = false
			}
		}
	}
}

// reuse is two messages over the same connection, if the first of them leaves it usable.
type reuse struct {
	name, must string
	script     string // of the first connection; all others behave well
	grouped    bool   // it can only happen when commands are pipelined
	want       string

	cached, serial bool
}

func (r reuse) run(t *testing.T) {
	var ext []string
	if r.cached {
		r.name += ", from the cache"
	}
	if r.serial {
		r.name += ", one by one"
		ext = []string{"8BITMIME"}
	}
	t.Run(r.name, func(t *testing.T) {
		tell(t, r.name, r.must)
		inLab(t, smtptest.Options{Scripts: []string{r.script, ""}, Extensions: ext}, 0, func(l *lab) {
			began := time.Now()
			f, err := r.send(l)
			seen := fmt.Sprintf("%s; %d connection%s", f.lines(), l.dials, map[bool]string{true: "s"}[l.dials > 1]) +
				map[bool]string{true: ", RSET"}[l.p.Count("RSET") > 0]
			if took := time.Since(began); took > 0 {
				seen += "; " + took.String()
			}
			if err != nil || seen != r.want || len(l.p.Violations()) > 0 {
				l.t.Errorf("got  %s\nwant %s\n%v, %q, %q", seen, r.want, err, l.p.Commands(), l.p.Violations())
			}
			t.Attr("seen", seen)
		})
	})
}

func (r reuse) send(l *lab) (*feed, error) {
	s, f := l.tr.Queue(QueueOptions{}), newFeed(l.t, 2)
	if !r.cached {
		return f, f.serve(l.t.Context(), s)
	}
	second := f.batches[1:]
	f.batches = f.batches[:1]
	err := f.serve(l.t.Context(), s)
	if err == nil {
		f.batches = second
		err = f.serve(l.t.Context(), s)
	}
	return f, err
}

// A connection that the peer closed while it was idle is replaced before anything is said on it.
func TestFaultIdle(t *testing.T) {
	for name, bye := range map[string]string{"closed": "drop", "421": "421 4.4.2 idle; drop", "reset": "rst"} {
		t.Run(name, func(t *testing.T) {
			tell(t, "S52 "+name+" while idle in the cache", "noticed before a word is said; a fresh connection, nothing is charged, nothing unknown")
			p := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0", Scripts: []string{"dot: ok; wait 1ms; " + bye, ""}})
			tr, stop := running(t, Options{Paths: []Path{relayTo(p, "mx.example", route.None)}, Pipelining: true})
			defer stop()
			s, f := tr.Queue(QueueOptions{}), &feed{t: t}
			f.batch(hello(), "a@example.org")
			err := f.serve(t.Context(), s)
			dead := idle(tr)[0]
			waitFor(t, func() bool { return !dead.Fresh() })
			f.batch(hello(), "b@example.org")
			if err == nil {
				err = f.serve(t.Context(), s)
			}
			n, _, _ := p.Connections()
			if err != nil || f.lines() != sent+", "+sent || n != 2 || dead.used != 1 || p.Accepted() != 2 {
				t.Errorf("%s, %v; %d connections, %d messages begun on the first", f.lines(), err, n, dead.used)
			}
			t.Attr("seen", fmt.Sprintf("%s; %d connections, %d message begun on the first", f.lines(), n, dead.used))
		})
	}
}

// TestFaultLearnt is what is learnt of a host from a fault, and used from then on.
func TestFaultLearnt(t *testing.T) {
	for _, c := range []struct {
		name, must string
		scripts    []string
		messages   int
		want       string
	}{
		{"S49 the message after junk", "it is not tried on that connection; from then on one by one", []string{`dot: raw "what?\r\n250 ok\r\n"`, ""}, 3,
			"1 unknown, 2 sent; 2 connections: 1 MAIL, 2 MAIL one by one"},
		{"S53 421 after 2 messages", "2 a connection from then on, nothing is charged", []string{"mail#3: 421 4.7.0 enough; drop"}, 8,
			"8 sent; 4 connections: 3 MAIL, 2 MAIL, 2 MAIL, 2 MAIL"},
		{"S53 421 after 2 messages, once", "a fresh connection, nothing is charged", []string{"mail#3: 421 4.7.0 enough; drop", ""}, 6,
			"6 sent; 3 connections: 3 MAIL, 2 MAIL, 2 MAIL"},
		{"S58 PIPELINING is a lie: two timeouts", "one by one from then on", []string{"rcpt#1: hang", "rcpt#1: hang", ""}, 4,
			"2 deferred, 2 sent; 3 connections: 1 MAIL, 1 MAIL, 2 MAIL one by one"},
		{"S58 one timeout", "no reason yet", []string{"rcpt#1: hang", ""}, 3, "1 deferred, 2 sent; 2 connections: 1 MAIL, 2 MAIL"},
		{"S57 replies out of order, twice", "one by one from then on", []string{"rcpt#1: 354 go", "rcpt#1: 354 go", ""}, 3,
			"2 deferred, 1 sent; 3 connections: 1 MAIL, 1 MAIL, 1 MAIL one by one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tell(t, c.name, c.must)
			inLab(t, smtptest.Options{Scripts: c.scripts}, 0, func(l *lab) {
				f := newFeed(l.t, c.messages)
				err := f.serve(l.t.Context(), l.tr.Queue(QueueOptions{}))
				seen := f.counts() + l.connections()
				if err != nil || seen != c.want || len(l.p.Violations()) > 0 {
					l.t.Errorf("got  %s\nwant %s\n%v, %q", seen, c.want, err, l.p.Violations())
				}
				t.Attr("seen", seen)
			})
		})
	}
}

// counts gives the outcomes as "1 unknown, 2 sent".
func (f *feed) counts() string {
	var all []string
	for _, o := range f.done {
		s := o.Status.String()
		if n := len(all); n > 0 && strings.HasSuffix(all[n-1], " "+s) {
			var k int
			_, _ = fmt.Sscan(all[n-1], &k)
			all[n-1] = fmt.Sprint(k+1, " ", s)
			continue
		}
		all = append(all, "1 "+s)
	}
	return strings.Join(all, ", ")
}

// connections gives how many there were, and for each how many MAIL it saw.
func (l *lab) connections() string {
	var all []string
	n, _, _ := l.p.Connections()
	for i := range n {
		mails := 0
		for _, c := range l.p.Commands() {
			if strings.HasPrefix(c, fmt.Sprint(i+1, " MAIL")) {
				mails++
			}
		}
		all = append(all, fmt.Sprint(mails, " MAIL")+map[bool]string{true: " one by one"}[l.p.Pipelined(i+1) == 0])
	}
	return fmt.Sprintf("; %d connections: %s", n, strings.Join(all, ", "))
}
