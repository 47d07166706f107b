package cmd

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/panicked"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// poisoned is the journal of a run, in which a fault of ours comes up for one person.
type poisoned struct {
	delivery.Journal
	who  string
	when string // "thread": as the letter is taken; "dot": as its intent is awaited; "queues": as its outcome is recorded
}

func (p poisoned) Intend(ms []*delivery.Message) func(context.Context) error {
	hit := slices.ContainsFunc(ms, func(m *delivery.Message) bool { return m.To == p.who })
	if hit && p.when == "thread" {
		panic("nothing for " + p.who)
	}
	onDisk := p.Journal.Intend(ms)
	return func(ctx context.Context) error {
		err := onDisk(ctx)
		if hit && p.when == "dot" {
			panic("nothing for " + p.who)
		}
		return err
	}
}

func (p poisoned) Record(os []delivery.Outcome) {
	if p.when == "queues" && slices.ContainsFunc(os, func(o delivery.Outcome) bool { return o.To == p.who }) {
		panic("nothing for " + p.who)
	}
	p.Journal.Record(os)
}

// A fault of our own in one thread costs the person in hand a try, or leaves them in doubt; in the goroutine that owns the queues
// it ends the run. Either is told at the end, by the exit code too, without a word of the person's; and the same command goes on.
func TestFaultPanic(t *testing.T) {
	for when, want := range map[string]struct {
		state string // of whom it hit, after another run where there is anything left to do
		seen  string
	}{
		"thread": {"failed", "failed at its second try, the others sent, exit code 70"},
		"dot":    {"unknown", "unknown, the others sent, exit code 70"},
		"queues": {"unknown", "the run ended with exit code 70; the same command sent to the others"},
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			p := build(t)
			set := setting{peer: wellBehaved(), queues: 1, pipelines: true}
			peer := smtptest.Start(t, set.peer)
			dir := set.folder(t, peer.Port())
			people := set.grow(t, dir, 0, 150)
			who := people[77]
			code, said := sendPoisoned(t, dir, poisoned{who: who, when: when})
			if code != exitBug || !strings.Contains(said, "a fault of our own at fault_panic_test.go:") || !strings.Contains(said, "report it") {
				t.Errorf("exit code %d\n%s", code, said)
			}
			if strings.Contains(said, who) || strings.Contains(said, "Name77") {
				t.Errorf("told of a person:\n%s", said)
			}
			if when == "queues" {
				p.run(t, dir, []int{exitPartial}, "send", "-y")
			}
			v := p.judge(t, dir, peer, people)
			v.hold(t, nil)
			e := p.reported(t, dir, want.state)
			if _, hit := e[who]; when != "queues" && len(e) != 1 || !hit && when != "queues" || len(e) > campaignConnections {
				t.Errorf("%s: %+v", want.state, e)
			}
			if v.people-len(v.unknown) < len(people)-campaignConnections {
				t.Errorf("%d of %d are unknown", len(v.unknown), len(people))
			}
			t.Attr("fault", "R21 panic, "+when)
			t.Attr("expected", "that message deferred, failed or unknown, the campaign goes on or ends cleanly, exit code 70, nothing of the row told")
			t.Attr("seen", want.seen)
		})
	}
}

// sendPoisoned is `send -y` in this process, but for its journal.
func sendPoisoned(t *testing.T, dir string, bad poisoned) (code int, said string) {
	t.Helper()
	var out, complaint bytes.Buffer
	e := &env{in: strings.NewReader(""), out: &out, err: &complaint, now: time.Now, width: func() int { return 80 },
		lookup: func(string) (string, bool) { return "", false }}
	o := sendOptions{file: dir + "/" + defaultFile, yes: true, patience: time.Second, progress: "none"}
	err := func() error {
		c, err := e.load(o.file)
		if err != nil {
			return err
		}
		s := e.newScreen(c, o)
		p, err := e.open(t.Context(), c, o, s)
		if err != nil {
			return err
		}
		s.p = p
		bad.Journal = p.ledger.memory
		p.ledger.memory = bad
		err = p.conduct(t.Context(), t.Context(), func() {}, s)
		if e := p.close(); e != nil {
			t.Error(e)
		}
		return err
	}()
	code = e.explain(err)
	return code, fmt.Sprint(out.String(), complaint.String())
}

// Panics beside the queues, such as of connections that are closed, are told of at the end with those of the threads.
func TestPanicsBesideTheQueues(t *testing.T) {
	first, other := &panicked.Error{Where: "a.go:1"}, &panicked.Error{Where: "b.go:2"}
	for _, c := range []struct {
		of   *panicked.Contained
		err  error
		want panicked.Contained
	}{
		{nil, nil, panicked.Contained{}},
		{nil, other, panicked.Contained{Times: 1, First: other}},
		{nil, &panicked.Contained{Times: 3, First: other}, panicked.Contained{Times: 3, First: other}},
		{&panicked.Contained{Times: 2, First: first}, &panicked.Contained{Times: 3, First: other}, panicked.Contained{Times: 5, First: first}},
	} {
		end := ending{bugs: c.of}
		end.also(c.err)
		if got := end.bugs; got == nil && c.want.Times > 0 || got != nil && *got != c.want {
			t.Errorf("%v and %v: %+v", c.of, c.err, got)
		}
	}
}
