package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/cmd/screen"
)

// life is one run of the program as its events tell of it, from its start to its end, whoever brings that about.
type life struct {
	*child
	began time.Time
	news  chan struct{} // something was told

	mu      sync.Mutex
	cut     []byte       // a line that is not complete
	plan    *screen.Plan // nil: not told yet
	planned time.Time    // when
	told    int          // deliveries that ended, as far as was told
	doubted []string     // who of them is unknown
	last    time.Time    // when the last of them was
	summed  time.Time    // when the summary was
}

// live starts a life.
func (p program) live(t *testing.T, dir string, args ...string) *life {
	t.Helper()
	args = append(args, "-v", "--json", "--progress=none")
	l := &life{child: &child{Cmd: exec.Command(string(p), args...), done: make(chan struct{})}, news: make(chan struct{}, 1), began: time.Now()}
	l.Stdout = l
	l.startIn(t, dir)
	return l
}

// Write takes what the program says.
func (l *life) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = append(l.cut, b...)
	for line, rest, ok := bytes.Cut(l.cut, []byte("\n")); ok; line, rest, ok = bytes.Cut(l.cut, []byte("\n")) {
		l.hear(line)
		l.cut = append([]byte(nil), rest...)
	}
	select {
	case l.news <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (l *life) hear(line []byte) {
	var e struct{ Type, Status, To string }
	if json.Unmarshal(line, &e) != nil {
		return
	}
	switch {
	case e.Type == "plan":
		l.plan, l.planned = new(screen.Plan), time.Now()
		_ = json.Unmarshal(line, l.plan)
	case e.Type == "recipient" && e.Status != "deferred":
		l.told++
		if e.Status == "unknown" {
			l.doubted = append(l.doubted, e.To)
		}
		if l.plan != nil && l.told == l.plan.Deliveries {
			l.last = time.Now()
		}
	case e.Type == "summary":
		l.summed = time.Now()
	}
}

// ask gives what f makes of what was told.
func ask[T any](l *life, f func() T) T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return f()
}

// phases are what a life goes through. "looking back" is the journal's replay and the plan, "connecting" is until the first
// letter has an outcome, "settling" from the last outcome to the summary.
var phases = []string{"start-up", "reading", "looking back", "connecting", "sending", "settling", "end"}

// phase tells where the life is. Before the plan there are only the files it has open to go by, where /proc shows them.
func (l *life) phase() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.summed.IsZero():
		return "end"
	case l.plan == nil:
		return l.opening()
	case l.told == 0 && l.plan.Deliveries > 0:
		return "connecting"
	case l.told < l.plan.Deliveries:
		return "sending"
	}
	return "settling"
}

// procFS tells that /proc shows which files a process has open.
const procFS = runtime.GOOS == "linux"

func (l *life) opening() string {
	dir := fmt.Sprintf("/proc/%d/fd", l.Process.Pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		return "start-up"
	}
	phase := "start-up"
	for _, fd := range fds {
		name, _ := os.Readlink(dir + "/" + fd.Name())
		switch {
		case strings.HasSuffix(name, "/people.csv"):
			return "reading"
		case strings.Contains(name, "/tmp/rows-"):
			phase = "looking back"
		}
	}
	return phase
}

// until waits until something was told; false: the life has ended before. A life that is held up is not waited for.
func (l *life) until(ok func() bool) bool {
	late := time.NewTimer(3 * time.Second)
	defer late.Stop()
	for !ask(l, ok) {
		select {
		case <-l.news:
		case <-l.done:
			return false
		case <-late.C:
			return true
		}
	}
	return true
}

// begins waits until the life has begun with its list; false: it has ended before.
func (l *life) begins() bool {
	tick := time.NewTicker(300 * time.Microsecond)
	defer tick.Stop()
	for l.phase() == "start-up" {
		select {
		case <-tick.C:
		case <-l.done:
			return false
		}
	}
	return true
}

// wait lets time pass; false: the life has ended before.
func (l *life) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.done:
		return false
	}
}

// end sends a signal, and tells in which phase. KILL is carried out by the system, whatever the program does.
func (l *life) end(t *testing.T, sig syscall.Signal) (phase string) {
	t.Helper()
	phase = l.phase()
	_ = l.Process.Signal(sig) // it may have ended by itself
	select {
	case <-l.done:
	case <-time.After(grace + 5*time.Second):
		t.Fatalf("%v does not end after %s in phase %s\n%s", l.Args, sig, phase, l.err.String())
	}
	return phase
}

// fate chooses the moment at which a life is to end, by how long the lives before took. Of ten lives
//
//	three end at a moment equally likely anywhere from their start to a little after their plan: start-up, reading, looking back;
//	four once a share of their letters, equally likely from none to all, has an outcome, and up to 3 ms: connecting, sending;
//	two anywhere between their last outcome and their end: settling, end;
//	one anywhere at all.
//
// With early, half of them end between start and plan, and half within 20 ms after they began with their list.
type fate struct {
	rng                     *rand.Rand
	early                   bool
	opening, closing, whole time.Duration // from start to plan, from the last outcome to the end, from start to end
}

func newFate(rng *rand.Rand, early bool) *fate {
	const guess = 100 * time.Millisecond // until there was a life to go by
	return &fate{rng: rng, early: early, opening: guess, closing: guess, whole: 3 * guess}
}

// comes waits for the moment; false: the life has ended by itself before.
func (f *fate) comes(l *life) bool {
	n := f.rng.IntN(10)
	at, more := f.rng.Float64(), f.within(3*time.Millisecond)
	switch {
	case f.early && n < 5 && procFS:
		return l.begins() && l.wait(f.within(20*time.Millisecond))
	case n < 3 || f.early:
		return l.wait(f.within(f.opening*6/5) - time.Since(l.began)) // a sixth more: lives get longer with what they look back on
	case n < 7:
		return l.until(func() bool { return l.plan != nil && float64(l.told) >= at*float64(l.plan.Deliveries) }) && l.wait(more)
	case n < 9:
		return l.until(func() bool { return !l.last.IsZero() || !l.summed.IsZero() }) && l.wait(f.within(f.closing))
	}
	return l.wait(f.within(f.whole))
}

func (f *fate) within(d time.Duration) time.Duration {
	return time.Duration(f.rng.Int64N(int64(d) + 1))
}

// learn takes over how long a life took that has ended, by itself or not.
func (f *fate) learn(l *life, byItself bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.plan != nil {
		f.opening = l.planned.Sub(l.began)
	}
	if !byItself {
		return
	}
	f.whole = time.Since(l.began)
	if !l.last.IsZero() {
		f.closing = time.Since(l.last)
	}
}
