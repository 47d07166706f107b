package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/journal/journaltest"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
)

// The copy that readers make do with, where the journal cannot be written, is never purged: all would be told to be gone, and lie
// in the journal still. Nor is anything else written to it.
func TestPurgeNoCopy(t *testing.T) {
	t.Parallel()
	dir := crowded(t, rand.New(rand.NewPCG(1, 5)))
	before := snapshot(t, dir)
	why := fmt.Errorf("journal: %w", &fs.PathError{Op: "open", Path: filepath.Join(dir, "journal.db"), Err: syscall.EROFS})
	b, err := lookAtCopy(t.Context(), Options{Dir: dir}, why)
	check(t, err)
	if holds, err := b.Holds(t.Context(), found(t, b, "spring")); err != nil || !holds {
		t.Errorf("the copy tells of people: %v, %v", holds, err)
	}
	if err := purgeRuns(t, b, "spring"); !errors.Is(err, syscall.EROFS) {
		t.Errorf("purged: %v", err)
	}
	if err := b.Suppress(t.Context(), []Suppression{{Whom: "kim@acme.example", At: time.Now()}}); !errors.Is(err, syscall.EROFS) {
		t.Errorf("suppressed: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Serve(ended); !errors.Is(err, syscall.EROFS) {
		t.Errorf("served: %v", err)
	}
	check(t, b.Close())
	if snapshot(t, dir) != before {
		t.Error("files were changed")
	}
}

// A damaged journal is left as it is: new seals would make it look whole, and nothing could be saved of it any more.
func TestPurgeDamaged(t *testing.T) {
	t.Parallel()
	crowd := crowded(t, rand.New(rand.NewPCG(1, 2)))
	for _, q := range []string{"UPDATE outcomes SET rcpt = 'other' WHERE seq = 9", "DELETE FROM intents WHERE seq = 3", "UPDATE skipped SET line = 8", "UPDATE pauses SET waiting = 8"} {
		dir := copied(t, crowd)
		wrong(t, dir, q)
		b := open(t, dir)
		before := snapshot(t, dir)
		var damaged *refusal.DamagedError
		if err := purgeRuns(t, b, "spring"); !errors.As(err, &damaged) {
			t.Errorf("%s: %v", q, err)
		}
		if snapshot(t, dir) != before {
			t.Errorf("%s: files were changed", q)
		}
	}
}

// Another process that reads keeps the log from being cut. That is told, and done by the next purge.
func TestPurgeWhileRead(t *testing.T) {
	t.Parallel()
	dir := crowded(t, rand.New(rand.NewPCG(1, 3)))
	other, b := open(t, dir), open(t, dir)
	tx, err := other.read().Beginx()
	check(t, err)
	var n int
	check(t, tx.Get(&n, "SELECT count(*) FROM outcomes"))
	if err := purgeRuns(t, b, "spring"); !errors.Is(err, ErrUsed) {
		t.Errorf("while it is read: %v", err)
	}
	check(t, tx.Rollback())
	check(t, purgeRuns(t, b, "spring"))
	if got := journaltest.Traces(t, dir, secrets("spring")); len(got) > 0 {
		t.Errorf("%d left: %q", len(got), got[0])
	}
}

// A run keeps the date when it was purged, and no file is left behind that was not there.
func TestPurgeLeavesNoFile(t *testing.T) {
	t.Parallel()
	dir := crowded(t, rand.New(rand.NewPCG(1, 4)))
	b, err := Open(context.Background(), Options{Dir: dir})
	check(t, err)
	check(t, purgeRuns(t, b, "spring"))
	later := time.UnixMicro(1764000000000001)
	check(t, b.Purge(t.Context(), []RunInfo{found(t, b, "autumn"), found(t, b, "spring"), found(t, b, "spring2")}, later, func(s string) string { return s }))
	for name, at := range map[string]time.Time{"spring": later.Add(-time.Microsecond), "autumn": later, "spring2": later} {
		if got := found(t, b, name).Purged; !got.Equal(at) {
			t.Errorf("%s was purged at %v, not %v", name, got, at)
		}
	}
	check(t, b.Close())
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	check(t, err)
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	if want := []string{"journal.ballast", "journal.db", "journal.mark", "journal.runs"}; !slices.Equal(names, want) {
		t.Errorf("files %q", names)
	}
}
