// Package screen is what the operator sees while a campaign runs.
//
//  1. before it: Plan.Write says what would be sent, and Ask whether to;
//  2. while it runs: Run reads the counters on a tick and shows them, as a bar pinned at the bottom of the terminal with
//     the log scrolling above it, as a plain line a minute, or as JSON events; what delivers never waits for it;
//  3. after it: nothing of the bar is left behind.
//
// All that comes from outside is made printable first, so no name in a list can move the cursor.
package screen

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"time"
)

// Mode is how progress is shown.
type Mode uint8

// None shows nothing, Bar a progress bar on a terminal, Lines a plain line once in a while. Events of Options are apart.
const (
	None Mode = iota
	Bar
	Lines
)

// Options of a Screen.
type Options struct {
	Mode     Mode
	Out      io.Writer       // stderr: bar, lines and log
	Events   *Events         // progress and warnings as JSON as well; nil is none
	Snapshot func() Snapshot // the counters now
	Width    func() int      // of the terminal in cells; nil is 80
	Color    bool
	Hint     string        // shown under the bar where there is room, such as "Ctrl-C pauses; run again to continue"
	Every    time.Duration // between lines in Lines; 0 is a minute
	Run      string        // the run's name, for events
}

// Snapshot is the state of a run at one moment. Sent, Failed, Unknown, Suppressed and Skipped are the ends that a
// delivery can come to, and add up to Total when the run is finished.
type Snapshot struct {
	Total                                      int // deliveries of this run; 0 while it is not known
	Sent, Failed, Unknown, Suppressed, Skipped int
	Deferred                                   int // wait for a later try now
	InFlight                                   int // are being sent now
	Queues                                     []Queue
}

// Queue is the state of one queue.
type Queue struct {
	Name              string
	Done              int // deliveries that came to an end here; what its rate is taken from
	Waiting, InFlight int
}

func (s Snapshot) done() int { return s.Sent + s.Failed + s.Unknown + s.Suppressed + s.Skipped }

func (s Snapshot) percent() int { return min(100, 100*s.done()/s.Total) }

const (
	barEvery    = 200 * time.Millisecond
	linesEvery  = time.Minute
	eventsEvery = time.Second
	maxPending  = 1 << 20 // octets of log that wait for the next frame
	maxLine     = 1 << 16 // octets; what is longer is broken
)

// Screen shows a run. It is safe for concurrent use.
type Screen struct {
	o     Options
	rates window                          // Run only, like due and frame
	due   struct{ line, event time.Time } // when next
	frame []string                        // what stands at the bottom of the terminal now

	mu      sync.Mutex
	pinned  bool // a bar is up: the log waits in pending for the next frame
	pending []byte
	lost    int    // lines that found no room in pending
	partial []byte // of a line whose end was not written yet
	broken  bool   // Out takes no more: sending goes on without it
}

// New starts nothing.
func New(o Options) *Screen {
	if o.Width == nil {
		o.Width = func() int { return 80 }
	}
	if o.Every <= 0 {
		o.Every = linesEvery
	}
	return &Screen{o: o}
}

// Run shows progress until ctx ends, and then takes the bar away.
func (s *Screen) Run(ctx context.Context) {
	every := s.every()
	if every == 0 {
		<-ctx.Done()
		return
	}
	if s.o.Mode == Bar {
		s.pin()
		defer s.unpin()
	}
	s.due.line, s.due.event = time.Now().Add(s.o.Every), time.Now().Add(eventsEvery)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s.show()
		select {
		case <-ctx.Done():
			if s.o.Events != nil {
				s.progress(s.look()) // the last word, which the counters of the summary agree with
			}
			return
		case <-tick.C:
		}
	}
}

// every is the time between two looks at the counters; 0 when there is nothing to show.
func (s *Screen) every() time.Duration {
	switch {
	case s.o.Mode == Bar:
		return barEvery
	case s.o.Events != nil:
		return eventsEvery
	case s.o.Mode == Lines:
		return s.o.Every
	}
	return 0
}

func (s *Screen) look() Snapshot {
	snap := s.o.Snapshot()
	s.rates.add(time.Now(), snap)
	return snap
}

// show looks at the counters and shows them in every way that is due.
func (s *Screen) show() {
	now, snap := time.Now(), s.look()
	if s.o.Mode == Bar {
		s.paint(s.draw(snap))
	}
	if s.o.Mode == Lines && isDue(&s.due.line, now, s.o.Every) {
		s.emit(s.line(now, snap))
	}
	if s.o.Events != nil && isDue(&s.due.event, now, eventsEvery) {
		s.progress(snap)
	}
}

// isDue tells that next has come, and sets the one after it on the same beat.
func isDue(next *time.Time, now time.Time, every time.Duration) bool {
	if now.Before(*next) {
		return false
	}
	for !now.Before(*next) {
		*next = next.Add(every)
	}
	return true
}

// Write takes whole lines of a log and shows them above the bar. It never waits for the terminal while the bar is up,
// and never fails: a log that cannot be shown stops no campaign.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partial = append(s.partial, p...)
	end := bytes.LastIndexByte(s.partial, '\n') + 1
	if len(s.partial)-end > maxLine {
		end = len(s.partial)
	}
	var clean strings.Builder
	for line := range strings.Lines(string(s.partial[:end])) {
		clean.WriteString(Printable(strings.TrimRight(line, "\r\n")))
		clean.WriteByte('\n')
	}
	s.partial = append(s.partial[:0], s.partial[end:]...)
	s.log(clean.String())
	return len(p), nil
}

// log shows text, or keeps it for the next frame. The caller holds mu.
func (s *Screen) log(text string) {
	switch {
	case !s.pinned:
		s.out([]byte(text))
	case len(s.pending)+len(text) > maxPending:
		s.lost += strings.Count(text, "\n")
	default:
		s.pending = append(s.pending, text...)
	}
}

// emit writes one of our own lines, colours included.
func (s *Screen) emit(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log(line)
}

// out writes to the terminal. The caller holds mu.
func (s *Screen) out(p []byte) {
	if s.broken || len(p) == 0 {
		return
	}
	_, err := s.o.Out.Write(p)
	s.broken = err != nil
}
