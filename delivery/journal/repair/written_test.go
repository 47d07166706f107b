package repair

import (
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
	"github.com/mailblast/mailblast/delivery/journal/store"
	"github.com/mailblast/mailblast/delivery/journal/table"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func suppress(t *testing.T, s *store.Store, whom string, meanwhile func()) error {
	return s.Update(t.Context(), func(tx *ledger.Tx) error {
		tx.Meta.Suppressed++
		err := tx.Put(t.Context(), table.Suppressed, tx.Meta.Suppressed, whom, "", "", int64(0), int64(1), int64(0))
		meanwhile()
		return err
	})
}

// Who writes while the damaged files are moved, without a lock, as an earlier version does, is told that it is on disk. So it must
// not be in the journal that is put aside: all is put back.
func TestFaultWrittenWhileMoved(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "state")
	s, err := store.Open(ctx, store.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	check(t, errors.Join(suppress(t, s, "a@x.test", func() {}), suppress(t, s, "b@x.test", func() {}), s.Close()))
	db, err := sql.Open("sqlite", filepath.Join(dir, store.Name))
	check(t, err)
	_, err = db.ExecContext(ctx, `UPDATE suppressed SET whom = 'z@x.test' WHERE seq = 1`)
	check(t, errors.Join(err, db.Close()))

	s, err = store.Open(ctx, store.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	begun, moved, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { done <- suppress(t, s, "late@x.test", func() { close(begun); <-moved }) }()
	<-begun
	w, err := salvage.Open(ctx, salvage.Place{Dir: dir})
	check(t, err)
	f, err := w.Judge(ctx)
	check(t, err)
	r := &repairing{w: w, f: f, now: time.Unix(1_800_000_000, 0), dir: filepath.Join(dir, draft), r: Result{Kept: map[string]int64{}, Unknown: map[string]int{}}}
	check(t, errors.Join(r.make(ctx), w.Still(), os.Rename(r.dir, filepath.Join(dir, store.Repaired))))
	_, err = finish(dir, func(aside string) error {
		close(moved)
		check(t, <-done)
		return w.StillIn(aside)
	})
	if !errors.Is(err, salvage.ErrBusy) {
		t.Errorf("written while it was moved: %v", err)
	}
	check(t, errors.Join(w.Close(), s.Close()))
	for _, pattern := range []string{"journal.damaged-*", store.Repaired, store.Ready, draft} {
		if left, err := filepath.Glob(filepath.Join(dir, pattern)); len(left) > 0 || err != nil {
			t.Errorf("left behind: %v %v", left, err)
		}
	}

	w, err = salvage.Open(ctx, salvage.Place{Dir: dir})
	check(t, err)
	if f, err = w.Judge(ctx); err != nil || f.Suppressed != 2 {
		t.Errorf("the old journal: %+v %v", f, err)
	}
	_, err = Run(ctx, salvage.Place{Dir: dir}, w, f, r.now)
	check(t, errors.Join(err, w.Close()))
	w, err = salvage.Open(ctx, salvage.Place{Dir: dir})
	check(t, err)
	if f, err = w.Judge(ctx); err != nil || !f.Sound() || f.Suppressed != 2 {
		t.Errorf("the new journal: %+v %v", f, err)
	}
	check(t, w.Close())
	t.Attr("fault", "R13 somebody writes to the journal while a repair moves it aside")
	t.Attr("expected", "what was acknowledged is not lost: the old journal stays")
	t.Attr("seen", "all put back; a second repair keeps the entry")
}
