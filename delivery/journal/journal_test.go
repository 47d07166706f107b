package journal

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mailblast/mailblast/composer/rows/pgtest"
	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/ledger"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/state"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { pgtest.Stop(); os.Exit(code) }))
}

// both runs a test with journals in files, and with journals on a server.
func both(t *testing.T, f func(*testing.T)) {
	t.Run("in a file", f)
	t.Run(onServer, func(t *testing.T) {
		pgtest.Server(t)
		f(t)
	})
}

const onServer = "on a server"

// schemas are the journals on the server, by their state directory.
var schemas sync.Map

// at gives where the journal of a state directory is.
func at(t testing.TB, dir string) Options {
	t.Helper()
	o := Options{Dir: dir}
	if !strings.Contains(t.Name(), "/"+strings.ReplaceAll(onServer, " ", "_")) {
		return o
	}
	schema, known := schemas.LoadOrStore(dir, "s"+strings.ToLower(rand.Text()))
	o.Server = pgtest.Server(t) + "&search_path=" + schema.(string)
	if !known {
		t.Cleanup(func() { drop(t, schema.(string)) })
	}
	return o
}

func drop(t testing.TB, schema string) {
	db, err := sql.Open("postgres", pgtest.Server(t))
	if err == nil {
		_, err = db.Exec("DROP SCHEMA IF EXISTS " + schema + " CASCADE")
		err = errors.Join(err, db.Close())
	}
	check(t, err)
}

func open(t testing.TB, dir string) *Book {
	t.Helper()
	b, err := Open(context.Background(), at(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, b.Close()) })
	return b
}

// serve runs the writer until stop is called, which gives its error.
func serve(b *Book) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx) }()
	return func() error { cancel(); return <-done }
}

func begin(t testing.TB, b *Book, s Spec) *Run {
	t.Helper()
	r, err := b.Begin(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, r.Close()) })
	return r
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func id(r *Run, n int) delivery.ID {
	i := delivery.ID{Run: r.info.ID, Copy: uint16(n % 2)}
	i.Key[0], i.Key[7], i.Key[15] = byte(n*167), byte(n>>8), byte(n)
	return i
}

func message(r *Run, n int) *delivery.Message {
	return &delivery.Message{ID: id(r, n), To: "p@x.test", Journal: r}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	check(t, os.Chmod(dir, 0o770))
	if _, err := Open(context.Background(), at(t, dir)); err == nil || !strings.Contains(err.Error(), "0770") {
		t.Errorf("a directory others may write to: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, nil, 0o600))
	if _, err := Open(context.Background(), Options{Dir: file}); err == nil {
		t.Error("a file was taken for a directory")
	}
}

func TestNewerSchema(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	b := open(t, dir)
	check(t, b.update(context.Background(), func(tx *ledger.Tx) error {
		_, err := tx.Exec(`UPDATE schema SET version = 7; ALTER TABLE skipped RENAME COLUMN line TO place`)
		return err
	}))
	_, err := Open(context.Background(), at(t, dir))
	var newer *refusal.NewerError
	if !errors.As(err, &newer) || newer.Have != 7 {
		t.Errorf("got %v", err)
	}
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "state")
	b := open(t, dir)
	stop := serve(b)
	r := begin(t, b, Spec{Campaign: "spring"})
	check(t, r.Intend([]*delivery.Message{message(r, 1)})(context.Background()))
	modes := map[string]os.FileMode{"": 0o700, "journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}
	for name, want := range modes {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	check(t, stop())
	if err := r.Intend(nil)(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("intent after the end: %v", err)
	}
}

func TestResume(t *testing.T) { both(t, testResume) }

func testResume(t *testing.T) {
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "state")
	b := open(t, dir)
	stop := serve(b)
	r := begin(t, b, Spec{Campaign: "spring", Key: "w1"})
	if !r.Info().Fresh {
		t.Error("not fresh")
	}
	first := time.UnixMicro(1764000000123456)
	var ms []*delivery.Message
	for n := range 6 {
		ms = append(ms, message(r, n))
		ms[n].First = first
	}
	check(t, r.Intend(ms)(ctx))
	r.Record([]delivery.Outcome{
		{ID: id(r, 0), To: "p@x.test", Status: delivery.Sent, Attempt: 1, Try: 1, Charged: true, First: first, At: first},
		{ID: id(r, 1), Status: delivery.Deferred, Attempt: 1, Try: 1, Charged: true, Via: 1, First: first, Next: first.Add(time.Minute)},
		{ID: id(r, 2), Status: delivery.Failed, Attempt: 1, Try: 1, Charged: true, First: first},
		{ID: id(r, 3), Status: delivery.NotTried},
	})
	check(t, r.Expect(ctx, 6, 6))
	check(t, stop())
	if c := r.Counts(); c.Sent != 1 || c.Failed != 1 || c.Deferrals != 1 || c.Final() != 2 {
		t.Errorf("counts %+v", c)
	}

	b = open(t, dir)
	stop = serve(b)
	r = begin(t, b, Spec{Campaign: "spring", Key: "w1"})
	if r.Info().Fresh {
		t.Error("fresh")
	}
	want := []state.State{{Status: delivery.Sent}, {Status: delivery.Deferred, Via: 1, Attempts: 1, Tries: 1, Next: first.Add(time.Minute)},
		{Status: delivery.Failed}, {}, {Status: delivery.Unknown}, {Status: delivery.Unknown}, {}}
	ids := make([]delivery.ID, len(want))
	for n := range ids {
		ids[n] = id(r, n)
	}
	got, err := r.Lookup(ctx, ids)
	check(t, err)
	for n := range want {
		if got[n].Status != want[n].Status || got[n].Via != want[n].Via || !got[n].Next.Equal(want[n].Next) {
			t.Errorf("%d: got %+v, want %+v", n, got[n], want[n])
		}
		if n != 3 && n != 6 && !got[n].First.Equal(first) {
			t.Errorf("%d: first %v", n, got[n].First)
		}
	}
	if c := r.Before(); c.Sent != 1 || c.Failed != 1 || c.Unknown != 2 {
		t.Errorf("before %+v", c)
	}
	n, err := r.Reopen(ctx, delivery.Failed, 0, func(i delivery.ID) bool { return i == ids[0] })
	if check(t, err); n != 0 {
		t.Errorf("%d reopened that were not chosen", n)
	}
	if got, err = r.Lookup(ctx, ids[2:3]); err != nil || got[0].Status != delivery.Failed {
		t.Errorf("not chosen: %+v, %v", got[0], err)
	}
	n, err = r.Reopen(ctx, delivery.Failed, 0, func(i delivery.ID) bool { return i == ids[2] })
	if check(t, err); n != 1 {
		t.Errorf("%d reopened", n)
	}
	got, err = r.Lookup(ctx, ids[2:3])
	if check(t, err); got[0] != (state.State{}) {
		t.Errorf("reopened: %+v", got[0])
	}
	check(t, stop())
}
