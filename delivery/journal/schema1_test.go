package journal

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/register"
)

// old makes a state directory as schema 1 left it.
func old(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "state")
	check(t, os.MkdirAll(dir, 0o700))
	text, err := os.ReadFile("testdata/schema1.sql")
	check(t, err)
	db, err := sql.Open("sqlite", filepath.Join(dir, "journal.db")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(string(text))
	check(t, err)
	check(t, db.Close())
	return dir
}

// A journal of the schema before is brought up to date, with all that it knows.
func TestSchema1(t *testing.T) {
	ctx, dir := context.Background(), old(t)
	for range 2 { // once up to date it is one like any other
		b := open(t, dir)
		list, err := register.Read(dir)
		if check(t, err); len(list.Runs) != 2 || list.Damaged != 0 {
			t.Errorf("the list of runs: %+v", list)
		}
		r := begin(t, b, Spec{Campaign: "weekly", Key: "2025-W40"})
		ids := make([]delivery.ID, 9)
		for n := range ids {
			ids[n] = id(r, n)
		}
		states, err := r.Lookup(ctx, ids)
		check(t, err)
		u := delivery.Unknown
		for n, want := range []delivery.Status{delivery.Sent, delivery.Failed, delivery.Deferred, delivery.NotTried, u, u, u, u, delivery.NotTried} {
			if states[n].Status != want {
				t.Errorf("%d is %v, want %v", n, states[n].Status, want)
			}
		}
		if s := states[2]; s.Attempts != 1 || s.Tries != 2 || !s.First.Equal(time.UnixMicro(1764000000123456)) {
			t.Errorf("deferred: %+v", s)
		}
		all := collect(t, b, r)
		if len(all) != 7 || all[0].To != "päul@x.test" || all[0].TLS != "TLS1.3 verified" || all[0].Took != time.Second {
			t.Errorf("%d outcomes, the first is %+v", len(all), all[0])
		}
		for s, err := range b.Skipped(ctx, r.Info()) {
			if check(t, err); s != (Skipped{7, 9, "nobody", delivery.ClassInvalid, "no @"}) {
				t.Errorf("skipped: %+v", s)
			}
		}
		info, err := b.Find(ctx, "weekly/2025-W40")
		if check(t, err); info.Rows != 9 || !slices.Equal(info.Columns, []string{"email", "name"}) {
			t.Errorf("%+v", info)
		}
		fields, err := b.Fields(ctx, id(r, 1))
		if check(t, err); !slices.Equal(fields, []string{"päul@x.test", "Paul"}) {
			t.Errorf("kept: %v", fields)
		}
		if spring, err := b.Find(ctx, "spring"); err != nil || spring.Finished.IsZero() {
			t.Errorf("%+v, %v", spring, err)
		}
		check(t, r.Close())
		check(t, b.Close())
	}
}
