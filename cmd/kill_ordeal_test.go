package cmd

import (
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// ordeal is one campaign whose process is ended again and again, and started again each time by the same command. Before a life
// its list grows, so that each has about as many people to write to, and may come to its end.
type ordeal struct {
	t    *testing.T
	p    program
	set  setting
	sig  syscall.Signal
	peer *smtptest.Peer
	dir  string
	fate *fate

	people []string
	rows   int
	hungry bool // the list is to grow

	ends    int             // lives that the signal ended
	alone   int             // that ended by themselves
	phases  map[string]int  // where they were when it came
	bound   int             // how many a kill may leave in doubt, as the plan says
	worst   int             // how many one kill left in doubt
	killed  int             // deliveries in doubt by kills so far
	since   int             // kills since then
	told    map[string]bool // who became unknown without a kill
	retries bool            // those in doubt are tried again, and so are in doubt no longer
}

func newOrdeal(t *testing.T, p program, set setting, sig syscall.Signal, rng *rand.Rand) *ordeal {
	peer := smtptest.Start(t, set.peer)
	return &ordeal{t: t, p: p, set: set, sig: sig, peer: peer, dir: set.folder(t, peer.Port()), fate: newFate(rng, set.early),
		hungry: true, phases: map[string]int{}, told: map[string]bool{}}
}

// lifetime is about how many deliveries a life has to do.
const lifetime = 60

// suffer ends n lives.
func (o *ordeal) suffer(n int, more ...string) {
	o.t.Helper()
	for end := o.ends + n; o.ends < end; {
		if o.hungry && len(more) == 0 {
			o.grow(lifetime / (1 + o.set.copies))
		}
		l := o.p.live(o.t, o.dir, append([]string{"send", "-y"}, more...)...)
		phase := ""
		if o.set.crashes {
			o.crash(l)
		}
		if o.fate.comes(l) {
			phase = l.end(o.t, o.sig)
		}
		<-l.done
		if byItself := o.byItself(l); byItself {
			o.alone++
		} else {
			o.ends++
			o.phases[phase]++
		}
		o.learn(l)
		if len(more) > 0 && o.alone > 20 {
			return // there is nothing left to do
		}
	}
}

// crash ends the journal's server, at the beginning of a life or between any two of its letters.
func (o *ordeal) crash(l *life) {
	if at := o.fate.rng.IntN(lifetime); at%3 == 0 && l.begins() || at%3 == 1 && l.until(func() bool { return l.plan != nil && l.told >= at }) {
		o.set.server.Crash(o.t)
	}
}

func (o *ordeal) grow(rows int) {
	o.people = append(o.people, o.set.grow(o.t, o.dir, o.rows, rows)...)
	o.rows += rows
}

// history is a life that is killed in the middle of many letters, to look back on for those that follow, n of them.
func (o *ordeal) history(n int) {
	o.grow(30 * n)
	l := o.p.live(o.t, o.dir, "send", "-y")
	l.until(func() bool { return l.told > 20*n })
	l.end(o.t, syscall.SIGKILL)
	o.learn(l)
	o.hungry = false
}

// byItself tells whether the signal came too late. What it did must be in order.
func (o *ordeal) byItself(l *life) bool {
	status := l.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() && status.Signal() == o.sig { // before the program heeds signals, for all but KILL
		return false
	}
	code := l.ProcessState.ExitCode()
	if code == 128+int(o.sig) {
		if said := l.err.String(); !strings.Contains(said, "run again to continue: mailblast send") && !strings.Contains(said, "before anything was sent") {
			o.t.Errorf("not told how to go on: %s", said)
		}
		return false
	}
	if !slices.Contains(o.codes(), code) {
		o.t.Fatalf("exit code %d\n%s%s", code, l.err.String(), ask(l, func() string { return string(l.cut) }))
	}
	return true
}

// codes are the exit codes in order of one who ends by himself. A flaky relay cannot always be reached, and may refuse the login.
func (o *ordeal) codes() []int {
	codes := []int{exitOK, exitPartial}
	if o.set.flaky() {
		codes = append(codes, exitPaused, exitUnavailable, exitDenied)
	}
	if o.set.resends {
		codes = append(codes, exitPaused)
	}
	if o.set.crashes {
		codes = append(codes, exitPaused, exitUnavailable)
	}
	return codes
}

// learn takes over what a life told. Once it told its plan, those that the lives before had on the wire are in doubt.
func (o *ordeal) learn(l *life) {
	byItself := l.ProcessState.Exited()
	o.fate.learn(l, byItself)
	for _, to := range l.doubted {
		o.told[to] = true
	}
	if l.plan == nil {
		return
	}
	idle := o.set.resends && byItself && l.ProcessState.ExitCode() == exitPaused // all that the plan has left is put off
	o.hungry = l.told >= lifetime/2 || l.told >= l.plan.Deliveries || idle
	o.bound = max(o.bound, l.plan.InDoubt)
	if !o.set.resends && !o.retries {
		o.count()
	}
	if !byItself {
		o.since++
	}
}

// count counts who is in doubt by kills.
func (o *ordeal) count() {
	n := 0
	for _, e := range o.p.reported(o.t, o.dir, "unknown") {
		if e.why == byKill {
			n++
		}
	}
	if n-o.killed > o.since*o.bound {
		o.t.Errorf("%d kills left %d in doubt, the plan said no more than %d each", o.since, n-o.killed, o.bound)
	}
	if o.since == 1 {
		o.worst = max(o.worst, n-o.killed)
	}
	o.killed, o.since = n, 0
}

// finish lets the campaign come to its end.
func (o *ordeal) finish(more ...string) {
	o.t.Helper()
	for range 500 {
		l := o.p.live(o.t, o.dir, append([]string{"send", "-y"}, more...)...)
		code := l.code(o.t, 10*time.Minute)
		if !o.byItself(l) {
			o.t.Fatalf("killed by another: %v", l.ProcessState)
		}
		o.learn(l)
		if code == exitOK || code == exitPartial || o.set.resends && code == exitPaused && l.told == 0 {
			return
		}
	}
	o.t.Fatal("the campaign comes to no end")
}

// retry tries again those in doubt, and is ended some times meanwhile, until nobody is in doubt.
func (o *ordeal) retry(n int) {
	o.t.Helper()
	o.alone, o.retries = 0, true
	for range 200 {
		o.suffer(n, "--retry", "unknown")
		n = 0
		o.finish("--retry", "unknown")
		if len(o.p.reported(o.t, o.dir, "unknown")) == 0 {
			return
		}
	}
	o.t.Error("some stay in doubt, however often they are tried again")
}

// awaiting takes those out of a verdict who wait for the time of their second copy, and tells how many they are. They were in doubt
// by what the program told, or by a kill.
func (o *ordeal) awaiting(v *verdict) int {
	n := len(v.open)
	for _, to := range v.open {
		if !o.told[to] {
			v.killed = append(v.killed, to)
		}
	}
	if most := o.ends * o.bound; len(v.killed) > most {
		o.t.Errorf("%d wait for a second copy for no reason that was told, %d kills may have left %d in doubt", len(v.killed), o.ends, most)
	}
	v.open = nil
	return n
}
