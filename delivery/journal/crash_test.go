package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
)

// TestChild is the process that TestKill kills: it sends batches for ever, and says what it was promised and what it
// was about to record.
func TestChild(t *testing.T) {
	dir := os.Getenv("JOURNAL_TEST_DIR")
	if dir == "" {
		return // run by itself it has nothing to do; TestKill runs it
	}
	ctx := context.Background()
	b := open(t, dir)
	r := begin(t, b, Spec{Campaign: "kill"})
	go func() { panic(b.Serve(ctx)) }()
	for n, _ := strconv.Atoi(os.Getenv("JOURNAL_TEST_FROM")); ; n += 8 {
		ms := make([]*delivery.Message, 8)
		for i := range ms {
			ms[i] = message(r, n+i)
		}
		check(t, r.Intend(ms)(ctx))
		fmt.Printf("intent %d\n", n)
		for i := range 4 { // the other four stay on the wire
			r.Record([]delivery.Outcome{{ID: id(r, n+i), Status: delivery.Sent, Attempt: 1, Try: 1}})
		}
	}
}

// Whenever a process is killed, what was promised to be on disk is there, and only what was recorded as sent is sent.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	promised, from := 0, 0
	last := map[int]bool{} // batches after which no promise came in the same process
	for round := range 4 {
		promised = max(promised, killed(t, dir, from, time.Duration(20+rand.IntN(80))*time.Millisecond))
		last[promised-8] = true
		b := open(t, dir)
		r := begin(t, b, Spec{Campaign: "kill"})
		ids := make([]delivery.ID, promised+16)
		for n := range ids {
			ids[n] = id(r, n)
		}
		states, err := r.Lookup(context.Background(), ids)
		check(t, err)
		for n, s := range states {
			switch onWire := n%8 >= 4; {
			case n < promised && s.Status == delivery.NotTried:
				t.Fatalf("round %d: intent %d is lost", round, n)
			case onWire && s.Status == delivery.Sent:
				t.Fatalf("round %d: %d counts as sent", round, n)
			case n < promised && !last[n-n%8] && !onWire && s.Status != delivery.Sent: // recorded before a later promise
				t.Fatalf("round %d: %d was sent and is %v", round, n, s.Status)
			}
		}
		from = promised
	}
	if promised == 0 {
		t.Error("nothing was ever promised")
	}
}

// killed runs the child until it is killed and gives how many messages it was promised.
func killed(t *testing.T, dir string, from int, after time.Duration) (promised int) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_DIR="+dir, fmt.Sprintf("JOURNAL_TEST_FROM=%d", from))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "intent "); ok {
			if promised == 0 { // it is up: the time begins now
				time.AfterFunc(after, func() { check(t, cmd.Process.Kill()) })
			}
			at, err := strconv.Atoi(n)
			check(t, err)
			promised = at + 8
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	return promised
}

// A log that is cut anywhere, as a crash leaves it, is a shorter journal, never a wrong one.
func TestCutLog(t *testing.T) {
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "state")
	b := open(t, dir)
	stop := serve(b)
	r := begin(t, b, Spec{Campaign: "cut"})
	const people = 200
	for n := range people {
		check(t, r.Intend([]*delivery.Message{message(r, n)})(ctx))
		r.Record([]delivery.Outcome{{ID: id(r, n), Status: []delivery.Status{delivery.Sent, delivery.Failed}[n%2]}})
	}
	check(t, stop())
	wal, err := os.Stat(filepath.Join(dir, "journal.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	sizes := []int64{0, 17, wal.Size() - 1, wal.Size()}
	for range 8 {
		sizes = append(sizes, rand.Int64N(wal.Size()))
	}
	for _, size := range sizes {
		cut := filepath.Join(t.TempDir(), "state")
		check(t, os.MkdirAll(cut, 0o700))
		copyFile(t, filepath.Join(dir, "journal.db"), filepath.Join(cut, "journal.db"), -1)
		copyFile(t, filepath.Join(dir, "journal.db-wal"), filepath.Join(cut, "journal.db-wal"), size)
		checkPrefix(t, cut, people, size == wal.Size())
	}
}

// checkPrefix proves that what the journal knows is a beginning of what was recorded.
func checkPrefix(t *testing.T, dir string, people int, whole bool) {
	b := open(t, dir)
	r := begin(t, b, Spec{Campaign: "cut"})
	ids := make([]delivery.ID, people)
	for n := range ids {
		ids[n] = id(r, n)
	}
	states, err := r.Lookup(context.Background(), ids)
	check(t, err)
	ended := false
	for n, s := range states {
		want := []delivery.Status{delivery.Sent, delivery.Failed}[n%2]
		switch {
		case s.Status == want && !ended:
		case s.Status == delivery.Unknown && !ended, s.Status == delivery.NotTried:
			ended = true
		default:
			t.Fatalf("%d is %v after the end of what is known", n, s.Status)
		}
	}
	if whole && ended {
		t.Error("something of the whole log is missing")
	}
}

func copyFile(t *testing.T, from, to string, n int64) {
	t.Helper()
	src, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = src.Close() }()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	var r io.Reader = src
	if n >= 0 {
		r = io.LimitReader(src, n)
	}
	_, err = io.Copy(dst, r)
	check(t, errors.Join(err, dst.Close()))
}

// A write that fails stops everything: no promise is made any more, and nothing is counted.
func TestWriteFault(t *testing.T) {
	ctx := context.Background()
	b := open(t, filepath.Join(t.TempDir(), "state"))
	r := begin(t, b, Spec{Campaign: "full"})
	check(t, b.update(ctx, func(tx *ledger.Tx) error { // no less than it has: the disk is full now
		_, err := tx.Exec(`PRAGMA max_page_count = 1`)
		return err
	}))
	stop := serve(b)
	var fault error
	for n := 0; fault == nil && n < 100000; n += 100 {
		var os []delivery.Outcome
		for i := range 100 {
			os = append(os, sentOutcome(r, n+i))
		}
		r.Record(os)
		fault = r.Intend([]*delivery.Message{message(r, n)})(ctx)
	}
	if fault == nil {
		t.Fatal("the disk never got full")
	}
	counted := r.Counts().Sent
	r.Record([]delivery.Outcome{sentOutcome(r, 1)})
	if err := r.Intend(nil)(ctx); err == nil {
		t.Error("a promise after the fault")
	}
	if err := stop(); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("Serve: %v", err)
	}
	var rows int
	check(t, b.read().Get(&rows, `SELECT count(*) FROM outcomes`))
	if rows != counted || r.Counts().Sent != counted {
		t.Errorf("%d on disk, %d counted", rows, counted)
	}
	if err := r.Finish(ctx); err == nil {
		t.Error("finished after the fault")
	}
}

func TestWaitEnds(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "state"))
	r := begin(t, b, Spec{Campaign: "slow"})
	ctx, cancel := context.WithCancel(context.Background())
	onDisk := r.Intend([]*delivery.Message{message(r, 1)}) // nobody serves
	cancel()
	if err := onDisk(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
