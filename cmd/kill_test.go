package cmd

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/composer/rows/pgtest"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// trial is one ordeal of TestFaultKill.
type trial struct {
	fault, name string
	sig         syscall.Signal
	few, share  int // how often; and with MAILBLAST_KILLS, in percent of it. 0: not at all
	set         func(*testing.T, *rand.Rand) setting
}

// trials are three peers, then the replay, then variants of them, and the signals that a program can heed.
var trials = []trial{
	{"R1 kill -9", "well-behaved", syscall.SIGKILL, 8, 100, func(*testing.T, *rand.Rand) setting {
		return setting{peer: wellBehaved(), queues: 1, pipelines: true}
	}},
	{"R2 kill -9 with a flaky server", "flaky, 5 % of everything", syscall.SIGKILL, 4, 100, func(t *testing.T, rng *rand.Rand) setting {
		return setting{peer: flaky(t, rng), queues: 1, pipelines: true}
	}},
	{"R1 kill -9", "drops after every fourth dot", syscall.SIGKILL, 5, 100, func(_ *testing.T, rng *rand.Rand) setting {
		return setting{peer: dropping(rng), queues: 1, pipelines: true}
	}},
	{"R3 kill during the journal's replay", "well-behaved; killed before it has a plan", syscall.SIGKILL, 8, 100, func(*testing.T, *rand.Rand) setting {
		return setting{peer: wellBehaved(), queues: 1, pipelines: true, early: true}
	}},
	{"R1 kill -9", "well-behaved; two in cc, three queues, no pipelining", syscall.SIGKILL, 3, 40, func(*testing.T, *rand.Rand) setting {
		return setting{peer: wellBehaved(), queues: 3, copies: 2}
	}},
	{"R2 kill -9 with a flaky server", "flaky; one in cc, three queues", syscall.SIGKILL, 0, 40, func(t *testing.T, rng *rand.Rand) setting {
		return setting{peer: flaky(t, rng), queues: 3, copies: 1, pipelines: true}
	}},
	{"R1 kill -9", "drops; one in cc, no pipelining", syscall.SIGKILL, 0, 40, func(_ *testing.T, rng *rand.Rand) setting {
		return setting{peer: dropping(rng), queues: 2, copies: 1}
	}},
	{"R1 kill -9", "drops; `on_unknown: resend`", syscall.SIGKILL, 0, 40, func(_ *testing.T, rng *rand.Rand) setting {
		return setting{peer: dropping(rng), queues: 1, pipelines: true, resends: true}
	}},
	{"R1 kill -9", "well-behaved; the journal in PostgreSQL", syscall.SIGKILL, 2, 40, func(t *testing.T, _ *rand.Rand) setting {
		return setting{peer: wellBehaved(), queues: 1, pipelines: true, server: pgtest.NewOwn(t)}
	}},
	{"R1 kill -9", "drops; the journal in a PostgreSQL that crashes, too", syscall.SIGKILL, 0, 40, func(t *testing.T, rng *rand.Rand) setting {
		return setting{peer: dropping(rng), queues: 1, pipelines: true, server: pgtest.NewOwn(t), crashes: true}
	}},
	{"R5 SIGTERM", "well-behaved", syscall.SIGTERM, 2, 30, func(*testing.T, *rand.Rand) setting {
		return setting{peer: wellBehaved(), queues: 1, pipelines: true}
	}},
	{"R6 SIGINT", "well-behaved", syscall.SIGINT, 2, 30, func(*testing.T, *rand.Rand) setting {
		return setting{peer: wellBehaved(), queues: 1, copies: 1, pipelines: true}
	}},
	{"R7 SIGHUP", "well-behaved", syscall.SIGHUP, 2, 30, func(*testing.T, *rand.Rand) setting {
		return setting{peer: wellBehaved(), queues: 3}
	}},
	{"R5 SIGTERM", "flaky, 5 % of everything", syscall.SIGTERM, 0, 30, func(t *testing.T, rng *rand.Rand) setting {
		return setting{peer: flaky(t, rng), queues: 1, pipelines: true}
	}},
}

// A run that is ended again and again at random moments, and started again each time by the same command, loses nobody and
// writes to nobody twice. The judge is what the peer has accepted. Who is in doubt is listed, and no more than the plan said; a
// second copy is for those who were in doubt, asked for, and the same letter. A signal that the program heeds leaves nobody in
// doubt at all.
//
// What on_unknown: resend does after a quarter of an hour is not waited for here: TestEveryMessageEndsOnce does so in virtual
// time. Here, nobody has a second copy before.
func TestFaultKill(t *testing.T) {
	t.Parallel()
	p, seed := build(t), seedOf(t)
	var b board
	t.Cleanup(func() { b.show(t, seed) })
	for i, tr := range trials {
		n := tr.times(t)
		if n == 0 {
			continue
		}
		t.Run(tr.name+" "+tr.sig.String(), func(t *testing.T) {
			t.Parallel()
			s := tr.run(t, p, rand.New(rand.NewPCG(seed, uint64(i))), n)
			s.order = i
			b.add(s)
		})
	}
}

func (tr *trial) run(t *testing.T, p program, rng *rand.Rand, n int) score {
	o := newOrdeal(t, p, tr.set(t, rng), tr.sig, rng)
	if o.set.early {
		o.history(n)
	}
	o.suffer(n)
	o.finish()
	v := p.judge(t, o.dir, o.peer, o.people)
	s := score{name: tr.name, signal: signalNames[tr.sig], ends: o.ends, phases: maps.Clone(o.phases), held: v, bound: o.bound, worst: o.worst}
	if o.set.resends {
		s.pending = o.awaiting(v)
	}
	v.hold(t, nil)
	if tr.sig != syscall.SIGKILL && len(v.killed) > 0 || tr.sig != syscall.SIGKILL && !o.set.flaky() && len(v.unknown) > 0 {
		t.Errorf("in doubt after a signal that can be heeded: %v", v.unknown)
	}
	t.Attr("fault", tr.fault+"; peer: "+tr.name)
	t.Attr("expected", "0 lost, 0 doubles, 0 false; a kill leaves no more unknown than the plan said, a signal none; the same command ends the run")
	t.Attr("seen", fmt.Sprintf("%d times; %d people: %d lost, %d doubles, %d false; unknown %d, by a process's end %d, at most %d of %d", s.ends,
		v.people, len(v.lost), len(v.doubles), len(v.falseSuccess)+len(v.falseFailure), len(v.unknown)+s.pending, len(v.killed), s.worst, s.bound))
	if s.doubted = len(v.unknown); s.doubted > 0 {
		o.retry(max(n/20, 1))
		s.retried = p.judge(t, o.dir, o.peer, o.people)
		s.retried.hold(t, v.unknown)
		s.unexplained = len(without(s.retried.doubles, v.unknown))
	}
	return s
}

var signalNames = map[syscall.Signal]string{syscall.SIGKILL: "KILL", syscall.SIGTERM: "TERM", syscall.SIGINT: "INT", syscall.SIGHUP: "HUP"}

// times is how often lives are ended.
func (tr *trial) times(t *testing.T) int {
	text := os.Getenv("MAILBLAST_KILLS")
	if text == "" {
		return tr.few
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("MAILBLAST_KILLS=%s: not a number of kills", text)
	}
	return max(n*tr.share/100, 1)
}

// seedOf is MAILBLAST_SEED, else a new one. It says what peers do and at what moments kills are to come; what the program has done
// by then is the machine's to say.
func seedOf(t *testing.T) uint64 {
	seed := rand.Uint64N(1e6)
	if text := os.Getenv("MAILBLAST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("MAILBLAST_SEED=%s: not a number", text)
		}
	}
	t.Logf("MAILBLAST_SEED=%d", seed)
	return seed
}

// The first interrupt lets what is on the wire end. The second ends the run at once; what was on the wire is in doubt.
func TestFaultSecondInterrupt(t *testing.T) {
	t.Parallel()
	p := build(t)
	const people = 200
	set := setting{peer: smtptest.Options{Addr: "127.0.0.1:0", Scripts: []string{"dot#5: accept; hang"}}, queues: 1, pipelines: true}
	s := smtptest.Start(t, set.peer)
	dir := set.folder(t, s.Port())
	set.grow(t, dir, 0, people)
	r := p.start(t, dir, "send", "-y")
	// the preflight has a connection of its own, so campaignConnections hang in the end
	if err := r.when(t, func() bool { return s.Accepted() == 5*campaignConnections }); err != nil {
		t.Fatal(err)
	}
	must(r.Process.Signal(syscall.SIGINT))
	select {
	case <-r.done:
		t.Fatalf("the first interrupt cut what was on the wire: %d\n%s", r.ProcessState.ExitCode(), r.err.String())
	case <-time.After(300 * time.Millisecond):
	}
	start := time.Now()
	must(r.Process.Signal(syscall.SIGINT))
	if got := r.code(t, 20*time.Second); got != exitInterrupted {
		t.Errorf("exit code %d, want %d\n%s", got, exitInterrupted, r.err.String())
	}
	took := time.Since(start)
	if took > time.Second {
		t.Errorf("the second interrupt took %v", took)
	}
	n := map[string]int{}
	for _, e := range p.reported(t, dir, "") {
		n[e.state]++
	}
	if n["unknown"] != campaignConnections || n["sent"] != 4*campaignConnections {
		t.Errorf("after two interrupts: %v of %d", n, people)
	}
	t.Attr("fault", "R6 SIGINT, then again")
	t.Attr("expected", "the second ends the run within 1 s, what was on the wire is unknown")
	t.Attr("seen", fmt.Sprintf("ended after %d ms, %d unknown of %d on the wire", took.Milliseconds(), n["unknown"], campaignConnections))
}
