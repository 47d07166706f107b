package journal

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/register"
)

// sent makes a journal in which a run has sent mail to some people, each with its own commit.
func sent(t *testing.T, dir string, s Spec, people int) {
	t.Helper()
	b := open(t, dir)
	stop := serve(b)
	r := begin(t, b, s)
	for n := range people {
		check(t, r.Intend([]*delivery.Message{message(r, n)})(context.Background()))
		r.Record([]delivery.Outcome{{ID: id(r, n), To: "p@x.test", Status: delivery.Sent, Attempt: 1, Try: 1}})
		check(t, r.Flush(context.Background()))
	}
	check(t, stop())
	check(t, r.Close())
	check(t, b.Close())
}

func stateDir(t *testing.T) string { return filepath.Join(t.TempDir(), "state") }

// try opens the journal and begins a run.
func try(t *testing.T, o Options, s Spec) error {
	t.Helper()
	b, err := Open(context.Background(), o)
	if err != nil {
		return err
	}
	defer func() { check(t, b.Close()) }()
	seen := b.Verify(context.Background(), s)
	r, err := b.Begin(context.Background(), s)
	if theirs := errors.As(err, new(*refusal.SecretError)) || errors.As(err, new(*refusal.HostError)); !refusal.NoRoom(err) && (seen == nil) != (err == nil || theirs) {
		t.Errorf("Verify: %v; Begin: %v", seen, err)
	}
	if err != nil {
		return err
	}
	return r.Close()
}

// wrong runs a statement behind the journal's back.
func wrong(t *testing.T, dir, query string) {
	t.Helper()
	driver, name := "sqlite", filepath.Join(dir, "journal.db")
	if o := at(t, dir); o.Server != "" {
		driver, name = "postgres", o.Server
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(query)
	check(t, errors.Join(err, db.Close()))
}

// A row that is not as it was written stops everything that rests on it; and so does a row that is missing.
func TestDamagedRows(t *testing.T) {
	for query, says := range map[string]string{
		`UPDATE outcomes SET status = 1 WHERE seq = 2`:                    "1 row of outcomes is not",
		`UPDATE outcomes SET key = x'01' || substr(key, 2) WHERE seq > 1`: "2 rows of outcomes are not",
		`UPDATE outcomes SET rcpt = CAST(rcpt AS BLOB)`:                   "3 rows of outcomes are not",
		`UPDATE outcomes SET run = 7 WHERE seq = 1`:                       "1 row of outcomes is not",
		`DELETE FROM outcomes WHERE seq = 2`:                              "1 row of outcomes is missing",
		`DELETE FROM outcomes WHERE seq > 1`:                              "2 rows of outcomes are missing",
		`DELETE FROM intents WHERE seq = 3`:                               "1 row of intents is missing",
		`UPDATE intents SET after = 100 WHERE seq = 1`:                    "1 row of intents is not",
		`UPDATE runs SET first_outcome = 3`:                               "1 row of runs is not",
		`UPDATE runs SET finished = 1`:                                    "1 row of runs is not",
		`DELETE FROM runs`:                                                "1 row of runs is missing",
		`UPDATE meta SET outcomes = 2`:                                    "what it says of itself is not",
		`UPDATE meta SET runs = 0`:                                        "what it says of itself is not",
		`DELETE FROM meta`:                                                "what it says of itself is missing",
		`INSERT INTO schema VALUES (2)`:                                   "its tables are not",
		`UPDATE schema SET version = 1`:                                   "its tables are not",
		`UPDATE schema SET version = 3`:                                   "its tables are not",
		`DELETE FROM schema`:                                              "its tables are not",
		`ALTER TABLE outcomes RENAME COLUMN status TO statut`:             "its tables are not",
		`DROP TABLE kept`:                                                 "its tables are not",
		`CREATE INDEX i ON outcomes (key)`:                                "its tables are not",
		`PRAGMA writable_schema = 1; UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'outcomes'`: "damaged",
	} {
		dir := stateDir(t)
		sent(t, dir, Spec{Campaign: "spring"}, 3)
		wrong(t, dir, query)
		err := try(t, at(t, dir), Spec{Campaign: "spring"})
		var d *refusal.DamagedError
		if !errors.As(err, &d) || !strings.Contains(err.Error(), says) || !strings.HasSuffix(d.File, "journal.db") {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// Readers give no row that is not as it was written.
func TestDamagedReading(t *testing.T) { both(t, testDamagedReading) }

func testDamagedReading(t *testing.T) {
	ctx := context.Background()
	for query, read := range map[string]func(*Book, *Run) error{
		`UPDATE outcomes SET status = 4`: func(b *Book, r *Run) error {
			for _, err := range b.Outcomes(ctx, r.Info()) {
				return err
			}
			return nil
		},
		`UPDATE skipped SET text = 'b'`: func(b *Book, r *Run) error {
			for _, err := range b.Skipped(ctx, r.Info()) {
				return err
			}
			return nil
		},
		`UPDATE kept SET fields = '["c"]'`: func(b *Book, r *Run) error { _, err := b.Fields(ctx, id(r, 1)); return err },
		`UPDATE runs SET rows = 5`:         func(b *Book, r *Run) error { _, err := b.Latest(ctx, "spring"); return err },
	} {
		dir := stateDir(t)
		b := open(t, dir)
		stop := serve(b)
		r := begin(t, b, Spec{Campaign: "spring"})
		r.Record([]delivery.Outcome{{ID: id(r, 1), To: "p@x.test", Status: delivery.Sent}})
		check(t, r.Skip(ctx, []Skipped{{1, 2, "x", delivery.ClassInvalid, "a"}}))
		check(t, r.Keep(ctx, []string{"email"}, []Kept{{ID: id(r, 1), To: "p@x.test", Fields: []string{"a"}}}))
		check(t, stop())
		check(t, read(b, r))
		wrong(t, dir, query)
		var d *refusal.DamagedError
		if err := read(b, r); !errors.As(err, &d) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// A journal whose mark is of another one, or ahead of it, is refused, and left as it is.
func TestMark(t *testing.T) {
	other := stateDir(t)
	sent(t, other, Spec{Campaign: "spring"}, 3)
	for says, do := range map[string]func(dir string, m mark.Mark){
		"its last 5 commits are gone": func(dir string, m mark.Mark) {
			f, err := mark.Open(dir, mark.Mark{Journal: m.Journal, Commits: m.Commits + 5})
			check(t, err)
			check(t, f.Close())
		},
		"they do not belong together": func(dir string, _ mark.Mark) {
			copyFile(t, filepath.Join(other, mark.Name), filepath.Join(dir, mark.Name), -1)
		},
		"do not belong together": func(dir string, _ mark.Mark) {
			copyFile(t, filepath.Join(other, "journal.db"), filepath.Join(dir, "journal.db"), -1)
		},
		"its last 2 commits are gone": func(dir string, m mark.Mark) { // an older copy of journal and mark, but not of the list
			check(t, register.Append(dir, register.Run{Campaign: "autumn", Journal: m.String(), Commit: m.Commits + 2}))
		},
	} {
		dir := stateDir(t)
		sent(t, dir, Spec{Campaign: "spring"}, 3)
		m, err := mark.Read(dir)
		check(t, err)
		do(dir, m)
		before := snapshot(t, dir)
		err = try(t, at(t, dir), Spec{Campaign: "spring"})
		var d *refusal.DamagedError
		if !errors.As(err, &d) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
		if after := snapshot(t, dir); after != before {
			t.Errorf("%s: files were changed:\n%s\n%s", says, before, after)
		}
	}
}

// Without mark or list the journal is whole by itself: they are made anew.
func TestWitnessMissing(t *testing.T) {
	dir := stateDir(t)
	sent(t, dir, Spec{Campaign: "spring"}, 3)
	m, err := mark.Read(dir)
	check(t, err)
	for _, do := range []func() error{
		func() error { return os.Remove(filepath.Join(dir, mark.Name)) },
		func() error { return os.WriteFile(filepath.Join(dir, mark.Name), []byte("?"), 0o600) },
		func() error { return os.Remove(filepath.Join(dir, register.Name)) },
	} {
		check(t, do())
		check(t, try(t, at(t, dir), Spec{Campaign: "spring"}))
		if again, err := mark.Read(dir); err != nil || again.Journal != m.Journal || again.Commits <= m.Commits {
			t.Errorf("the mark was not made anew: %v, %v", again, err)
		}
		if list, err := register.Read(dir); err != nil || len(list.Runs) != 1 {
			t.Errorf("the list was not made anew: %v, %v", list, err)
		}
	}
}

// snapshot is all files of a directory but SQLite's shared memory.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	check(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, "-shm") {
			return err
		}
		text, err := os.ReadFile(path)
		if len(text) > 0 || !strings.HasSuffix(path, "-wal") {
			all.WriteString(e.Name() + ":" + string(text) + "\n")
		}
		return err
	}))
	return all.String()
}

// Where runs were begun, a journal that is gone is no new journal, unless a person says so.
func TestLost(t *testing.T) {
	dir := stateDir(t)
	spring := Spec{Campaign: "spring", Key: "w\x001\xff \"ä"}
	sent(t, dir, spring, 1)
	sent(t, dir, Spec{Campaign: "spring", Key: spring.Key, Again: true}, 1)
	check(t, os.Remove(filepath.Join(dir, "journal.db")))
	var lost *refusal.LostError
	for range 2 {
		if err := try(t, at(t, dir), spring); !errors.As(err, &lost) || !lost.Missing || len(lost.Runs) != 2 || !strings.Contains(err.Error(), "spring/w") {
			t.Fatalf("%+v, %v", lost, err)
		}
	}
	if ok, err := Exists(context.Background(), at(t, dir)); !ok || err != nil {
		t.Error("a journal that is gone counts as one that never was")
	}
	check(t, try(t, Options{Dir: dir, StartOver: true}, Spec{Campaign: "autumn"}))
	check(t, try(t, at(t, dir), Spec{Campaign: "autumn"}))
	lost = nil
	if err := try(t, at(t, dir), spring); !errors.As(err, &lost) || lost.Missing || len(lost.Runs) != 2 {
		t.Fatalf("%+v, %v", lost, err)
	}
	spring.StartOver = true
	b := open(t, dir)
	if r := begin(t, b, spring); r.Info().Generation != 1 || !r.Info().Fresh {
		t.Errorf("%+v", r.Info())
	}
	spring.StartOver = false
	if r := begin(t, b, spring); r.Info().Generation != 1 {
		t.Errorf("%+v", r.Info())
	}
	spring.Again = true
	if r := begin(t, b, spring); r.Info().Generation != 2 {
		t.Errorf("%+v", r.Info())
	}
}

// Whatever is left of a journal tells that there was one.
func TestLostBut(t *testing.T) {
	for _, left := range []string{mark.Name, register.Name, "journal.db-wal"} {
		dir := stateDir(t)
		sent(t, dir, Spec{Campaign: "spring"}, 2)
		for _, name := range []string{mark.Name, register.Name, "journal.db"} {
			if name != left {
				check(t, os.Remove(filepath.Join(dir, name)))
			}
		}
		if left == "journal.db-wal" {
			check(t, os.WriteFile(filepath.Join(dir, left), []byte("something"), 0o600))
		}
		var lost *refusal.LostError
		if err := try(t, at(t, dir), Spec{Campaign: "autumn"}); !errors.As(err, &lost) || !lost.Missing {
			t.Errorf("%s: %v", left, err)
		}
		check(t, try(t, Options{Dir: dir, StartOver: true}, Spec{Campaign: "autumn"}))
		kept, err := filepath.Glob(filepath.Join(dir, "journal.damaged-*", "*"))
		if check(t, err); left != register.Name && len(kept) != 1 {
			t.Errorf("%s: not kept: %v", left, kept)
		}
	}
}

func TestSecret(t *testing.T) { both(t, testSecret) }

func testSecret(t *testing.T) {
	dir := stateDir(t)
	check(t, try(t, at(t, dir), Spec{Campaign: "spring"}))                        // by a caller without one
	check(t, try(t, at(t, dir), Spec{Campaign: "spring", Secret: []byte("one")})) // adopted
	check(t, try(t, at(t, dir), Spec{Campaign: "spring", Secret: []byte("one")}))
	var s *refusal.SecretError
	for range 2 {
		if err := try(t, at(t, dir), Spec{Campaign: "spring", Secret: []byte("two")}); !errors.As(err, &s) || s.Run != "spring" {
			t.Errorf("got %v", err)
		}
	}
	check(t, try(t, at(t, dir), Spec{Campaign: "spring", Secret: []byte("two"), Again: true})) // everyone is meant to be new
	check(t, try(t, at(t, dir), Spec{Campaign: "autumn", Secret: []byte("three")}))
	if text := snapshot(t, dir); strings.Contains(text, "three") {
		t.Error("the secret is in the files")
	}
}

func TestHost(t *testing.T) {
	dir := stateDir(t)
	check(t, try(t, at(t, dir), Spec{Campaign: "spring"}))
	check(t, try(t, at(t, dir), Spec{Campaign: "spring", Host: "a"}))
	check(t, try(t, at(t, dir), Spec{Campaign: "autumn", Host: "a"}))
	check(t, try(t, at(t, dir), Spec{Campaign: "autumn"}))
	var h *refusal.HostError
	for range 2 {
		if err := try(t, at(t, dir), Spec{Campaign: "winter", Host: "b"}); !errors.As(err, &h) || h.Have != "a" || h.Here != "b" {
			t.Errorf("got %v", err)
		}
	}
	check(t, try(t, at(t, dir), Spec{Campaign: "spring", Host: "b", Move: true}))
	check(t, try(t, at(t, dir), Spec{Campaign: "spring", Host: "b"}))
	if err := try(t, at(t, dir), Spec{Campaign: "spring", Host: "a"}); !errors.As(err, &h) || h.Have != "b" {
		t.Errorf("got %v", err)
	}
}

// A run tells by what it was carried on before.
func TestLetterAndSource(t *testing.T) { both(t, testLetterAndSource) }

func testLetterAndSource(t *testing.T) {
	ctx := context.Background()
	b := open(t, stateDir(t))
	for i, want := range []string{"", "1", "1", "3"} {
		r := begin(t, b, Spec{Campaign: "spring", Letter: []string{"1", "", "3", "3"}[i], Source: []string{"1", "", "3", "3"}[i]})
		if got := r.Info(); got.Letter != want || got.Source != want {
			t.Errorf("%d: %q, %q, want %q", i, got.Letter, got.Source, want)
		}
		check(t, r.Note(ctx, "begun"))
	}
	if info, err := b.Latest(ctx, "spring"); err != nil || info.Letter != "3" || len(info.Notes) != 4 || info.Notes[3] != "begun" {
		t.Errorf("%+v, %v", info, err)
	}
}
