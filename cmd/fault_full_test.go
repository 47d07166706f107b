//go:build linux

package cmd

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/smtptest"
)

// noRoom is what the system says of a full disk.
const noRoom = "no space left on device"

// However little room there is at the start, nobody is written to, and the message names what did not fit; once there is room, the same
// command sends to everybody, whatever the one before has left half made. One of these moments is the secret, which is looked for.
func TestFaultFullFromStart(t *testing.T) {
	t.Parallel()
	set := setting{peer: wellBehaved(), queues: 1, pipelines: true}
	peer := smtptest.Start(t, set.peer)
	dir := set.folder(t, peer.Port())
	people := set.grow(t, dir, 0, 4)
	v := mount(t, dir, 4<<10)
	first := regexp.MustCompile(`[^/]*/\.mailblast/([a-z.-]+)`)
	named := map[string]bool{}
	try := func(room int) (what string) {
		v.empty()
		v.fill(room)
		r := v.mb.start(t, dir, "send", "-y")
		said := r.refused(t, ".mailblast", noRoom)
		if n := peer.Accepted(); n != len(named)*len(people) {
			t.Fatalf("%d KiB: a letter left", room)
		}
		what = first.FindStringSubmatch(said)[1]
		if v.free(); !named[what] {
			v.mb.run(t, dir, []int{exitOK}, "send", "-y")
			if n, all := peer.Accepted(), v.mb.reported(t, dir, "sent"); n != (len(named)+1)*len(people) || len(all) != len(people) {
				t.Fatalf("after %s did not fit: %d letters, %d sent, want %d", what, n, len(all), len(people))
			}
		}
		named[what] = true
		return what
	}
	rooms := []int{0, 4, 100, 900}
	if os.Getenv("MAILBLAST_LONG") != "" {
		for room := 8; room < 400; room += 4 {
			rooms = append(rooms, room)
		}
	}
	for _, room := range rooms {
		try(room)
	}
	for low, high := 100, 900; !named["secret"]; { // between what is read of the list and the ballast
		room := (low + high) / 8 * 4
		if room == low || room == high {
			t.Fatalf("there was room for the secret always: %v", named)
		}
		if try(room) == "journal.ballast" {
			high = room
		} else {
			low = room
		}
	}
	what := slices.Sorted(maps.Keys(named))
	t.Attr("fault", "R9 disk full before the start")
	t.Attr("expected", "exit 73, what did not fit, a hint, nobody written to; with room the same command sends to everybody once")
	t.Attr("seen", fmt.Sprintf("full at %s: 0 letters left; then everybody had one", strings.Join(what, ", ")))
}

// A disk that fills up in the middle: what is on the wire is still recorded, in the room that was kept for it, and the next run goes on
// with the others. Those whose reply was lost before are tried again on purpose at the end, to see that a letter stays the same.
func TestFaultFullInTheMiddle(t *testing.T) {
	t.Parallel()
	o := smtptest.Options{Addr: "127.0.0.1:0", Latency: 2 * time.Millisecond}
	for range 4 {
		o.Scripts = append(o.Scripts, "dot#3: accept; drop")
	}
	o.Scripts = append(o.Scripts, "")
	set := setting{peer: o, queues: 1, copies: 1, pipelines: true}
	peer := smtptest.Start(t, o)
	dir := set.folder(t, peer.Port())
	people := set.grow(t, dir, 0, 400)
	v := mount(t, dir, 8<<10)
	l := v.mb.live(t, dir, "send", "-y")
	if !l.until(func() bool { return l.told > 200 }) {
		t.Fatalf("it has ended\n%s", l.err.String())
	}
	v.fillUp()
	if said := l.refused(t, "journal.db", noRoom); strings.Contains(said, "kept rows") {
		t.Errorf("it tells of what came after: %s", said)
	}
	await(t, "the end of all connections", func() bool { _, _, open := peer.Connections(); return open == 0 })
	before := peer.Accepted()
	var doubted []string
	for to, e := range v.mb.reported(t, dir, "unknown") {
		if doubted = append(doubted, to); e.why == byKill {
			t.Errorf("%s: the outcome is lost", to)
		}
	}
	sent, mailed := len(v.mb.reported(t, dir, "sent")), new(verdict).letters(t, peer.Messages())
	if sent+len(doubted) != len(mailed) || len(mailed) == len(people) || len(doubted) == 0 {
		t.Errorf("letters to %d people accepted, %d sent, %d unknown", len(mailed), sent, len(doubted))
	}
	v.fillUp() // the ballast has given its room
	v.mb.start(t, dir, "send", "-y").refused(t, ".mailblast", noRoom)
	if peer.Accepted() != before {
		t.Error("a letter left on a full disk")
	}
	v.free()
	v.mb.run(t, dir, []int{exitPartial}, "send", "-y")
	verdict := v.mb.judge(t, dir, peer, people)
	verdict.hold(t, nil)
	if len(without(verdict.unknown, doubted)) > 0 {
		t.Errorf("unknown: %v, before %v", verdict.unknown, doubted)
	}
	v.mb.run(t, dir, []int{exitOK}, "send", "-y", "--retry", "unknown")
	again := v.mb.judge(t, dir, peer, people)
	again.hold(t, doubted)
	t.Attr("fault", "R9 disk full in the middle")
	t.Attr("expected", "stop before the dot, exit 73; outcomes in flight are recorded; the rerun sends to the others, once")
	t.Attr("seen", fmt.Sprintf("full after letters to %d people of %d: 0 outcomes lost; then %d lost, %d doubles; %d whose reply the peer kept to itself had the same letter again",
		len(mailed), len(people), len(verdict.lost), len(verdict.doubles), len(again.doubles)))
}

// The list does not fit.
func TestFaultFullAtTheList(t *testing.T) {
	t.Parallel()
	set := setting{peer: wellBehaved(), pipelines: true}
	peer := smtptest.Start(t, set.peer)
	dir := set.folder(t, peer.Port())
	list := []byte("email,name,boss\n")
	var people []string
	for i := range 200 {
		to := fmt.Sprintf("p%d@small.example", i)
		people = append(people, to)
		list = fmt.Appendf(list, "%s,Jo,%s\n", to, strings.Repeat(fmt.Sprintf("%07d", i*i*i%9999991), 2000))
	}
	if err := os.WriteFile(filepath.Join(dir, "people.csv"), list, 0o600); err != nil {
		t.Fatal(err)
	}
	v := mount(t, dir, 8<<10)
	v.fill(1 << 10)
	v.mb.start(t, dir, "send", "-y").refused(t, "row store", noRoom)
	if left, err := os.ReadDir(filepath.Join(v.view, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	v.free()
	v.mb.run(t, dir, []int{exitOK}, "send", "-y")
	v.mb.judge(t, dir, peer, people).hold(t, nil)
	t.Attr("fault", "R9 disk full while the list is read")
	t.Attr("expected", "exit 73 with the row store named, nobody written to, nothing left behind; with room the same command sends to everybody once")
	t.Attr("seen", fmt.Sprintf("as expected: %d letters", peer.Accepted()))
}
