package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/lock"
)

// A repair and who changes the suppression list keep out of each other's way: an entry that was taken is in the new journal.
func TestFaultSuppressBesideRepair(t *testing.T) {
	t.Parallel()
	p := build(t)
	dir, _ := p.damaged(t)
	state := filepath.Join(dir, ".mailblast")
	add := &child{Cmd: exec.Command(string(p), "suppress", "add", "-"), done: make(chan struct{})}
	in, err := add.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	add.startIn(t, dir)
	await(t, "the start of suppress add", func() bool {
		held, err := lock.Alone(t.Context(), state, lock.Holder{PID: 4711, Host: "here"})
		if err == nil {
			err = held.Release()
		}
		return errors.As(err, new(*lock.HeldError))
	})
	r := p.start(t, dir, "journal", "repair", "--yes")
	if code := r.code(t, time.Minute); code != exitPaused || !strings.Contains(r.err.String(), "being written to by another process\nhint: try again") {
		t.Errorf("repair beside suppress add: exit code %d: %s", code, r.err.String())
	}
	_, err = io.WriteString(in, "late@x.test\n")
	if err = errors.Join(err, in.Close()); err != nil {
		t.Fatal(err)
	}
	if code := add.code(t, time.Minute); code != exitOK {
		t.Errorf("suppress add: exit code %d: %s", code, add.err.String())
	}
	held, err := lock.Alone(t.Context(), state, lock.Holder{PID: 4711, Host: "here", Start: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	people := filepath.Join(dir, "optouts.csv")
	if err := os.WriteFile(people, []byte("email\nlater@x.test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"add", "later@x.test"}, {"rm", "late@x.test"}, {"import", people}} {
		r := p.start(t, dir, append([]string{"suppress"}, args...)...)
		if code := r.code(t, time.Minute); code != exitPaused || !strings.Contains(r.err.String(), "process 4711 on here has the state directory to itself") {
			t.Errorf("suppress %s beside a repair: exit code %d: %s", args[0], code, r.err.String())
		}
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	p.run(t, dir, []int{exitOK}, "journal", "repair", "--yes")
	p.run(t, dir, []int{exitOK}, "suppress", "list", "--check", "late@x.test")
	p.run(t, dir, []int{exitNo}, "suppress", "list", "--check", "later@x.test")
	t.Attr("fault", "R13 the suppression list is changed while the journal is repaired")
	t.Attr("expected", "no entry that was taken is lost (P14)")
	t.Attr("seen", "the one that comes second ends with 75 and has changed nothing; the entry is in the new journal")
}

// What is exported while somebody writes may lack rows that were there all along, and is not taken for whole.
func TestJournalExportBesideWriter(t *testing.T) {
	t.Parallel()
	p, dir := build(t), t.TempDir()
	state := filepath.Join(dir, ".mailblast")
	b, err := journal.Open(t.Context(), journal.Options{Dir: state})
	if err != nil {
		t.Fatal(err)
	}
	var many []journal.Suppression // more than fits the pipe
	for n := range 3000 {
		many = append(many, journal.Suppression{Whom: fmt.Sprintf("person%d@x.test", n)})
	}
	if err := b.Suppress(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	export := &child{Cmd: exec.Command(string(p), "journal", "export"), done: make(chan struct{})}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	export.Stdout = in
	export.startIn(t, dir)
	first := make([]byte, 1)
	if _, err := io.ReadFull(out, first); err != nil { // it has begun, and cannot end
		t.Fatal(err)
	}
	if err := errors.Join(in.Close(), b.Suppress(t.Context(), many[:1]), b.Close()); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(out)
	if err = errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	if len(rest) < 100_000 {
		t.Errorf("%d octets only: it fits the pipe", len(rest))
	}
	if code := export.code(t, time.Minute); code != exitPaused || !strings.Contains(export.err.String(), "the journal is being written to") {
		t.Errorf("exit code %d: %s", code, export.err.String())
	}
}
