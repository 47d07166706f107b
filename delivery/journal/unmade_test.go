package journal

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/jmoiron/sqlx"
)

// A process that was killed while it made the journal leaves a transaction to be undone, before there is a write-ahead log.
// The next one does that and goes on.
func TestKilledWhileItWasMade(t *testing.T) {
	ctx, from, to := context.Background(), t.TempDir(), filepath.Join(t.TempDir(), "state")
	db, err := sqlx.Open("sqlite", "file:"+filepath.Join(from, "journal.db")+"?_pragma=journal_mode(DELETE)&_pragma=cache_size(1)")
	check(t, err)
	db.SetMaxOpenConns(1)
	tx, err := db.Beginx()
	check(t, err)
	for _, q := range []string{`CREATE TABLE half (made BLOB)`, `INSERT INTO half VALUES (randomblob(200000))`, `INSERT INTO half VALUES (randomblob(200000))`} {
		_, err := tx.ExecContext(ctx, q)
		check(t, err)
	}
	check(t, os.Mkdir(to, 0o700))
	for _, name := range []string{"journal.db", "journal.db-journal"} {
		copyFile(t, filepath.Join(from, name), filepath.Join(to, name), -1)
	}
	check(t, tx.Rollback())
	check(t, db.Close())
	if info, err := os.Stat(filepath.Join(to, "journal.db")); err != nil || info.Size() == 0 {
		t.Fatalf("nothing is half made: %v, %v", info, err)
	}
	b := open(t, to)
	begin(t, b, Spec{Campaign: "spring"})
	if runs, err := b.Runs(ctx, "", 0); err != nil || len(runs) != 1 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
}
