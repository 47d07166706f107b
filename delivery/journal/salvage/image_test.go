package salvage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/record"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

// killed makes a state directory as a killed process leaves it: what it wrote last is in the write-ahead log alone. Some rows are
// longer than a page.
func killed(t *testing.T) (dir string) {
	t.Helper()
	ctx, live := context.Background(), filepath.Join(t.TempDir(), "state")
	sent(t, live, "spring", 5)
	b, err := journal.Open(ctx, journal.Options{Dir: live})
	check(t, err)
	r, err := b.Begin(ctx, journal.Spec{Campaign: "autumn"})
	check(t, err)
	serving, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- b.Serve(serving) }()
	long := make([]journal.Kept, 3)
	for n := range long {
		id := delivery.ID{Run: r.Info().ID}
		id.Key[0] = byte(n)
		long[n] = journal.Kept{ID: id, To: "p@x.test", Fields: []string{strings.Repeat("ü", 4000*n)}}
		r.Record([]delivery.Outcome{{ID: id, To: "p@x.test", Status: delivery.Failed, At: time.Now(), Text: strings.Repeat("x", 512)}})
	}
	check(t, r.Keep(ctx, []string{"name"}, long))
	check(t, r.Flush(ctx))
	dir = filepath.Join(t.TempDir(), "state")
	check(t, errors.Join(os.CopyFS(dir, os.DirFS(live)), os.Chmod(dir, 0o700)))
	stop()
	check(t, errors.Join(<-done, r.Close(), b.Close()))
	if info, err := os.Stat(filepath.Join(dir, "journal.db-wal")); err != nil || info.Size() == 0 {
		t.Fatal("there is no write-ahead log")
	}
	return dir
}

// What only the write-ahead log has is read as SQLite would, and the log stays.
func TestAfterKill(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), killed(t)
	f := find(t, dir)
	if !f.Sound() || len(f.Runs) != 2 || f.Runs[1].Outcomes != 3 || f.Runs[1].States.Failed != 3 {
		t.Errorf("%+v", f)
	}
	w, err := salvage.Open(ctx, salvage.Place{Dir: dir})
	check(t, err)
	kept := map[string]int{}
	check(t, record.Names{}.All(ctx, w.Each, f.Runs[1].ID, func(r *record.Record) error {
		kept[r.Type]++
		if r.Type == "kept" {
			kept["octets"] += len(r.Fields)
		}
		return nil
	}))
	check(t, w.Close())
	if want := "map[kept:3 octets:24012 outcome:3 run:1]"; fmt.Sprint(kept) != want {
		t.Errorf("%v, want %s", kept, want)
	}
}

// A log that is cut within what was committed: the commits that are gone are counted. Seen from SQLite it is a shorter one.
func TestFaultCutLog(t *testing.T) {
	t.Parallel()
	dir := killed(t)
	log := filepath.Join(dir, "journal.db-wal")
	info, err := os.Stat(log)
	check(t, err)
	check(t, os.Truncate(log, info.Size()-4096))
	f := find(t, dir)
	if f.Sound() || f.Gone == 0 || len(f.Faults[0].Runs) != 2 {
		t.Errorf("%+v", f)
	}
	t.Attr("fault", "R12 the write-ahead log is cut within what was committed")
	t.Attr("expected", "refused, with how many commits are gone")
	t.Attr("seen", f.Faults[0].What)
}

// Whatever octets are changed, looking neither fails nor changes a file, and no row passes that was not written.
func TestAnyOctet(t *testing.T) {
	t.Parallel()
	ctx, dir, rng := context.Background(), killed(t), rand.New(rand.NewPCG(1, 2))
	was := records(t, dir)
	for range 60 {
		name := []string{"journal.db", "journal.db-wal", "journal.mark", "journal.runs"}[rng.IntN(4)]
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		check(t, err)
		changed := append([]byte{}, b...)
		for range 1 + rng.IntN(40) {
			changed[rng.IntN(len(b))] ^= byte(1 + rng.IntN(255))
		}
		check(t, os.WriteFile(path, changed, 0o600))
		w, err := salvage.Open(ctx, salvage.Place{Dir: dir})
		check(t, err)
		if _, err := w.Judge(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		check(t, w.Close())
		for r := range records(t, dir) {
			if !was[r] && name != "journal.db-wal" { // of a shorter log runs are as they were before
				t.Errorf("%s: nobody wrote %s", name, r)
			}
		}
		check(t, os.WriteFile(path, b, 0o600))
	}
}

func records(t *testing.T, dir string) map[string]bool {
	t.Helper()
	ctx, all := context.Background(), map[string]bool{}
	w, err := salvage.Open(ctx, salvage.Place{Dir: dir})
	check(t, err)
	check(t, w.Each(ctx, func(t table.Table, row table.Row) error {
		all[t.Name+fmt.Sprint(row)] = true
		return nil
	}))
	check(t, w.Close())
	return all
}
