package cmd

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mailblast/mailblast/delivery/journal/lock"
	"github.com/mailblast/mailblast/delivery/smtptest"
)

// damage does to a file what a disk may do: damage cut FILE OCTETS, damage flip FILE OFFSET, damage page FILE N (which becomes
// zeros). And it tells whether anything of a folder has changed: damage print FOLDER FILE.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: damage cut|flip|page|print FILE N")
	}
	path := ts.MkAbs(args[1])
	if args[0] == "print" {
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(imprint(ts, path)), 0o600))
		return
	}
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	b, err := os.ReadFile(path)
	ts.Check(err)
	switch args[0] {
	case "cut":
		b = b[:n]
	case "flip":
		b[n] ^= 0x20
	case "page":
		clear(b[(n-1)*4096 : n*4096])
	default:
		ts.Fatalf("damage %s: no such damage", args[0])
	}
	ts.Check(os.WriteFile(path, b, 0o600))
}

// imprint is what a folder holds: names, rights, times and contents.
func imprint(ts *testscript.TestScript, dir string) string {
	var all strings.Builder
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s %v %v %x\n", path, info.Mode(), info.ModTime(), sha256.Sum256(b))
		return err
	}))
	return all.String()
}

// identities writes to a file whose letters a peer has taken and their Message-IDs, each pair once: identities PORT FILE
func identities(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: identities PORT FILE")
	}
	var lines []string
	for _, m := range ts.Value("peers").(map[string]*smtptest.Peer)[args[0]].Messages() {
		msg, err := mail.ReadMessage(strings.NewReader(m.Data))
		ts.Check(err)
		lines = append(lines, strings.Join(m.To, " ")+" "+msg.Header.Get("Message-Id")+"\n")
	}
	slices.Sort(lines)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(slices.Compact(lines), "")), 0o600))
}

// sound makes a campaign that has been sent, with three people.
func (p program) sound(t *testing.T) (dir string, peer *smtptest.Peer) {
	t.Helper()
	set := setting{peer: wellBehaved(), pipelines: true}
	peer = smtptest.Start(t, set.peer)
	dir = set.folder(t, peer.Port())
	set.grow(t, dir, 0, 3)
	p.run(t, dir, []int{exitOK}, "send", "-y")
	return dir, peer
}

// damaged makes a campaign that has been sent, with three people, of whose outcomes the second was deleted.
func (p program) damaged(t *testing.T) (dir string, peer *smtptest.Peer) {
	t.Helper()
	dir, peer = p.sound(t)
	db, err := sql.Open("sqlite", filepath.Join(dir, ".mailblast", "journal.db"))
	if err == nil {
		_, err = db.Exec("DELETE FROM outcomes WHERE seq = 2")
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return dir, peer
}

// While a run is under way nothing is repaired.
func TestJournalRepairBesideRun(t *testing.T) {
	t.Parallel()
	p := build(t)
	dir, _ := p.damaged(t)
	held, err := lock.Take(context.Background(), filepath.Join(dir, ".mailblast"), "another", lock.Holder{PID: 4711, Host: "here"})
	if err != nil {
		t.Fatal(err)
	}
	r := p.start(t, dir, "journal", "repair", "--yes")
	if code := r.code(t, time.Minute); code != exitPaused || !strings.Contains(r.err.String(), "process 4711 on here") {
		t.Errorf("exit code %d: %s", code, r.err.String())
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	p.run(t, dir, []int{exitOK}, "journal", "repair", "--yes")
}

// On a terminal a person is asked, and nobody gets a second letter unasked.
func TestJournalRepairAsks(t *testing.T) {
	t.Parallel()
	peer := smtptest.Start(t, smtptest.Options{Addr: "127.0.0.1:0"})
	s := newSending(t, map[string]string{
		"campaign.yaml": campaignHead + fmt.Sprintf("smtp: {host: 127.0.0.1, port: %d, tls: none}\n", peer.Port()), "list.csv": list("ana@x.test", "bob@x.test"),
	})
	s.onTerminal("yes\n", "send").exits(exitOK)
	if err := os.Remove(filepath.Join(s.dir, ".mailblast", "journal.db")); err != nil {
		t.Fatal(err)
	}
	s.onTerminal("no\n", "journal", "repair").exits(exitRefused).says("journal.db is missing or empty", "not repaired, as you said: nothing was changed")
	s.onTerminal("no\n", "send").exits(exitRefused).says("Begin anew all the same?")
	s.onTerminal("yes\n", "journal", "repair").exits(exitOK).says("The journal was made anew", "mailblast send --retry unknown")
	s.onTerminal("no\n", "send").exits(exitPartial).says("unknown            2")
	if n := peer.Accepted(); n != 2 {
		t.Errorf("%d letters", n)
	}
}

// repairs are the places at which a repair is killed.
func repairs(rng *rand.Rand) (all []place) {
	for call, most := range map[string]int{"renameat": 12, "fsync": 24, "pwrite64": 60, "mkdirat": 3, "unlinkat": 6, "write": 8} {
		for n := range most {
			all = append(all, place{call, n + 1})
		}
	}
	slices.SortFunc(all, func(x, y place) int { return cmp.Or(strings.Compare(x.call, y.call), x.n-y.n) })
	if os.Getenv("MAILBLAST_KILLS") == "" { // some of them, among the moves in any case
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = append(all[:2], place{"renameat", 1 + rng.IntN(5)}, place{"renameat", 6 + rng.IntN(3)})
	}
	return all
}

// Wherever a repair is killed, the journal is the old one, the new one, or refused; repairing again goes on, and nobody gets a
// second letter.
func TestFaultKillInRepair(t *testing.T) {
	t.Parallel()
	needTracing(t)
	p, rng := build(t), rand.New(rand.NewPCG(seedOf(t), 3))
	dir, peer := p.damaged(t)
	accepted, killed := peer.Accepted(), 0
	for _, at := range repairs(rng) {
		again := twin(t, dir)
		call := p.killedAt(t, again, at, "journal", "repair", "--yes")
		if call != "" {
			killed++
		}
		p.run(t, again, []int{exitPartial, exitIO}, "send", "-y") // exitPartial when the new one was in its place
		p.run(t, again, []int{exitOK}, "journal", "repair", "--yes")
		p.run(t, again, []int{exitOK}, "journal", "check")
		p.run(t, again, []int{exitPartial}, "send", "-y")
		states := map[string]int{}
		for _, e := range p.reported(t, again, "") {
			states[e.state]++
		}
		if states["unknown"] != 1 || states["sent"] != accepted-1 || len(states) != 2 || peer.Accepted() != accepted {
			t.Fatalf("killed at %q: %v, %d letters of %d", call, states, peer.Accepted(), accepted)
		}
	}
	if killed == 0 {
		t.Error("no process was killed")
	}
	t.Attr("fault", "R13 kill -9 during the repair of a journal, at its writes and moves")
	t.Attr("expected", "the old journal or the new one, and repairing again goes on")
	t.Attr("seen", fmt.Sprintf("killed at %d places: always %d sent, 1 unknown, none sent again", killed, accepted-1))
}

// While a run is under way the answer does not depend on what it is writing just then, and a sound journal is no exception.
func TestJournalBesideRun(t *testing.T) {
	t.Parallel()
	p := build(t)
	dir, _ := p.sound(t)
	held, err := lock.Take(context.Background(), filepath.Join(dir, ".mailblast"), "another", lock.Holder{PID: 4711, Host: "here"})
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check"}, {"check", "--json"}, {"repair", "--yes"}, {"export"}} {
		r := p.start(t, dir, append([]string{"journal"}, args...)...)
		code := r.code(t, time.Minute)
		if code != exitPaused || !strings.Contains(r.err.String(), "process 4711 on here") || !strings.Contains(r.err.String(), "mailblast status another") {
			t.Errorf("%v: exit code %d: %s%s", args, code, r.out.String(), r.err.String())
		}
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	p.run(t, dir, []int{exitOK}, "journal", "check")
	p.run(t, dir, []int{exitOK}, "journal", "repair", "--yes")
}
