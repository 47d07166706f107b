package salvage_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sent makes a journal in which a run has sent mail to some people.
func sent(t *testing.T, dir, campaign string, people int) {
	t.Helper()
	ctx := context.Background()
	b, err := journal.Open(ctx, journal.Options{Dir: dir})
	check(t, err)
	ctx2, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx2) }()
	r, err := b.Begin(ctx, journal.Spec{Campaign: campaign})
	check(t, err)
	for n := range people {
		id := delivery.ID{Run: r.Info().ID}
		id.Key[0] = byte(n)
		check(t, r.Intend([]*delivery.Message{{ID: id, To: fmt.Sprintf("p%d@x.test", n)}})(ctx))
		r.Record([]delivery.Outcome{{ID: id, To: "p@x.test", Status: delivery.Sent, Attempt: 1, Try: 1}})
		check(t, r.Flush(ctx))
	}
	stop()
	check(t, errors.Join(<-done, r.Close(), b.Close()))
}

// print is what a directory holds, to the octet and the second.
func print(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		info, _ := d.Info()
		fmt.Fprintln(&all, path, info.ModTime(), sha256.Sum256(b))
		return err
	}))
	return all.String()
}

func find(t *testing.T, dir string) *salvage.Finding {
	t.Helper()
	before := print(t, dir)
	w, err := salvage.Open(context.Background(), dir)
	check(t, err)
	f, err := w.Judge(context.Background())
	check(t, err)
	check(t, w.Count(context.Background(), f))
	check(t, w.Close())
	if after := print(t, dir); after != before {
		t.Errorf("looking changed the files:\n%s\n%s", before, after)
	}
	return f
}

func wrong(t *testing.T, dir, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "journal.db"))
	check(t, err)
	_, err = db.Exec(query)
	check(t, errors.Join(err, db.Close()))
}

func TestSound(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	sent(t, dir, "spring", 5)
	sent(t, dir, "autumn", 2)
	f := find(t, dir)
	if !f.Sound() || len(f.Runs) != 2 || f.Runs[0].Name != "spring" || f.Runs[0].Outcomes != 5 || f.Runs[1].Intents != 2 || f.Runs[0].States.Sent != 5 || f.Runs[0].Doubt {
		t.Errorf("%+v", f)
	}
}

// Each kind of damage is told, with the runs that it touches.
func TestFaults(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		`UPDATE outcomes SET status = 1 WHERE seq = 2`:  "1 row of outcomes is damaged or missing (place 2) [spring]",
		`UPDATE outcomes SET rcpt = CAST(rcpt AS BLOB)`: "7 rows of outcomes are damaged or missing (places 1 to 7) [spring autumn]",
		`DELETE FROM outcomes WHERE seq > 3`:            "4 rows of outcomes are damaged or missing (places 4 to 7) [spring autumn]",
		`DELETE FROM intents WHERE seq = 3`:             "1 row of intents is damaged or missing (place 3) [spring]",
		`UPDATE runs SET finished = 1 WHERE id = 2`:     "1 row of runs is damaged or missing [autumn]",
		`DELETE FROM runs`:                              "2 rows of runs are damaged or missing [spring autumn]",
		`DELETE FROM meta`:                              "damaged: what it says of itself is missing [spring autumn]",
		`UPDATE meta SET runs = 0`:                      "damaged: what it says of itself is not what was written [spring autumn]",
		`UPDATE schema SET version = 1`:                 "damaged: its tables are not those of schema 1 []",
		`DROP TABLE kept`:                               "damaged: its tables are not those of schema 2 []",
		`PRAGMA writable_schema = 1; DELETE FROM sqlite_schema WHERE tbl_name = 'pauses'`: "damaged: its tables are not those of schema 2 []",
	} {
		dir := filepath.Join(t.TempDir(), "state")
		sent(t, dir, "spring", 5)
		sent(t, dir, "autumn", 2)
		wrong(t, dir, query)
		f := find(t, dir)
		var said strings.Builder
		for _, x := range f.Faults {
			fmt.Fprintln(&said, x.What, x.Runs)
		}
		if !strings.Contains(said.String(), want+"\n") {
			t.Errorf("%s: %s", query, said.String())
		}
	}
}
