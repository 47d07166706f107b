package screen

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/schollz/progressbar/v3"
)

const (
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	green  = "\x1b[32m"
	plain  = "\x1b[0m"
)

func (s *Screen) pin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pinned = true
}

// unpin takes the bar away and leaves the cursor where it stood before the first frame, below the log.
func (s *Screen) unpin() {
	s.paint(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pinned = false
	left := s.pending // logged between the last frame and now
	s.pending = nil
	s.out(left)
}

// paint replaces the frame at the bottom, letting what was logged meanwhile scroll above it, in one write. The terminal
// is written to without the lock, so that a stopped one (Ctrl-S) holds up nobody who logs.
func (s *Screen) paint(lines []string) {
	s.mu.Lock()
	log, lost := s.pending, s.lost
	s.pending, s.lost = nil, 0
	broken := s.broken
	s.mu.Unlock()
	if broken || len(log) == 0 && lost == 0 && slices.Equal(lines, s.frame) {
		return
	}
	var b strings.Builder
	b.WriteString(erase(s.frame, s.o.Width()))
	b.Write(log)
	if lost > 0 {
		fmt.Fprintf(&b, "… %s %s not shown\n", Comma(lost), plural(lost, "line", "lines"))
	}
	b.WriteString(strings.Join(lines, "\n"))
	s.frame = lines
	if b.Len() == 0 {
		return
	}
	if _, err := s.o.Out.Write([]byte(b.String())); err != nil {
		s.mu.Lock()
		s.broken = true
		s.mu.Unlock()
	}
}

// erase takes frame off a terminal that is width cells wide now; since the frame was drawn it may have become narrower,
// and a line may stand on several rows.
func erase(frame []string, width int) string {
	if len(frame) == 0 {
		return ""
	}
	rows := 0
	for _, line := range frame {
		rows += 1 + max(0, cells(line)-1)/max(1, width)
	}
	if rows == 1 {
		return "\r\x1b[J"
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", rows-1)
}

// cells is the width of a line without its colours.
func cells(line string) int {
	for _, c := range []string{red, yellow, green, plain} {
		line = strings.ReplaceAll(line, c, "")
	}
	return runewidth.StringWidth(line)
}

// draw gives the two lines of a frame. No line reaches the last column, where terminals differ about wrapping, and there
// is room for each ^C that a terminal echoes.
func (s *Screen) draw(snap Snapshot) []string {
	room := max(20, s.o.Width()-len(" ^C^C"))
	return []string{s.bar(snap, room), s.status(snap, room)}
}

func (s *Screen) bar(snap Snapshot, room int) string {
	if snap.Total <= 0 {
		return fit(" sent "+Comma(snap.Sent)+"  "+perSecond(s.rates.total()), room)
	}
	head := fmt.Sprintf(" sent %s/%s ", Comma(snap.Sent), Comma(snap.Total))
	tail := "  " + perSecond(s.rates.total())
	if left := s.left(snap); left > 0 {
		tail += "  " + short(left) + " left"
	}
	width := room - cells(head) - len(" 100% ") - cells(tail)
	if width < 5 {
		return fit(fmt.Sprintf("%s%4d%%%s", head, snap.percent(), tail), room)
	}
	bar := render(width, snap.done(), snap.Total)
	gap := strings.Repeat(" ", max(0, width-cells(bar)))
	return head + " " + s.colored(green, bar != "", bar) + gap + fmt.Sprintf("%4d%%", snap.percent()) + tail
}

// render draws the bar itself. Each frame is a new one: it is told what to show and keeps no clock of its own.
func render(width, done, total int) string {
	var b strings.Builder
	bar := progressbar.NewOptions64(int64(total),
		progressbar.OptionSetWriter(&b),
		progressbar.OptionSetWidth(width),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerHead: "▌", SaucerPadding: " "}),
	)
	_ = bar.Set64(int64(min(done, total)))       // fails for what cannot be: a total below 1, and more done than that
	_, cells, _ := strings.Cut(b.String(), "% ") // its own percentage would stand before it
	return strings.TrimRight(cells, " \r")
}

func (s *Screen) status(snap Snapshot, room int) string {
	parts := []string{" " + s.colored(red, snap.Failed > 0, "failed "+Comma(snap.Failed))}
	if snap.Unknown > 0 {
		parts = append(parts, s.colored(red, true, "unknown "+Comma(snap.Unknown)))
	}
	if snap.Deferred > 0 {
		parts = append(parts, s.colored(yellow, true, "deferred "+Comma(snap.Deferred)))
	}
	parts = append(parts, "in flight "+Comma(snap.InFlight))
	line := strings.Join(parts, " · ")
	if q := s.queues(snap, room-cells(line)-len(" · ")); q != "" {
		line += " · " + q
	}
	if gap := room - cells(line) - cells(s.o.Hint); s.o.Hint != "" && gap >= 4 {
		line += strings.Repeat(" ", gap) + s.o.Hint
	}
	return fit(line, room)
}

// queues lists the busiest queues, as many as there is room for.
func (s *Screen) queues(snap Snapshot, room int) string {
	if len(snap.Queues) < 2 {
		return "" // the rate of the only queue stands on the line above
	}
	list := slices.Clone(snap.Queues)
	slices.SortStableFunc(list, func(a, b Queue) int {
		return (b.Waiting + b.InFlight) - (a.Waiting + a.InFlight)
	})
	line := ""
	for _, q := range list {
		if q.Waiting+q.InFlight == 0 {
			continue
		}
		next := Printable(q.Name) + " " + perSecond(s.rates.queue(q.Name))
		if line != "" {
			next = line + ", " + next
		}
		if cells(next) > room {
			break
		}
		line = next
	}
	return line
}

func (s *Screen) colored(color string, on bool, text string) string {
	if !s.o.Color || !on {
		return text
	}
	return color + text + plain
}

// fit cuts a line that is too long for the terminal; its colours go first.
func fit(line string, room int) string {
	if cells(line) <= room {
		return line
	}
	for _, c := range []string{red, yellow, green, plain} {
		line = strings.ReplaceAll(line, c, "")
	}
	return runewidth.Truncate(line, room, "…")
}

// line is the state in one plain line.
func (s *Screen) line(now time.Time, snap Snapshot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s sent %s", now.Format(time.TimeOnly), Comma(snap.Sent))
	if snap.Total > 0 {
		fmt.Fprintf(&b, " of %s (%d%%)", Comma(snap.Total), snap.percent())
	}
	for _, c := range []struct {
		name string
		n    int
	}{{"failed", snap.Failed}, {"unknown", snap.Unknown}, {"deferred", snap.Deferred}, {"in flight", snap.InFlight}} {
		if c.n > 0 {
			fmt.Fprintf(&b, ", %s %s", c.name, Comma(c.n))
		}
	}
	b.WriteString(", " + perSecond(s.rates.total()))
	if left := s.left(snap); left > 0 {
		b.WriteString(", " + short(left) + " left")
	}
	return b.String() + "\n"
}
