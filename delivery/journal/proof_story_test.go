package journal

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/register"
)

// files are those of a state directory by name. What is in them is never changed in place.
type files map[string][]byte

const (
	dbFile  = "journal.db"
	walFile = "journal.db-wal"
	shmFile = "journal.db-shm"
)

// pick reads the files of a directory that make up a journal.
func pick(t testing.TB, dir string) files {
	t.Helper()
	f := files{}
	for _, name := range []string{dbFile, walFile, shmFile, mark.Name, register.Name} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			f[name] = b
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return f
}

// lay makes a directory hold these files, each a new one: a journal that failed keeps a connection to the one before. The ballast
// stays: it says nothing, and takes long to make.
func (f files) lay(t testing.TB, dir string) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o700))
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, e := range entries {
		if e.Name() != "journal.ballast" {
			check(t, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	for name, b := range f {
		check(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
}

// with gives the files with others in their place; nil takes one away.
func (f files) with(other files) files {
	g := maps.Clone(f)
	for name, b := range other {
		if g[name] = b; b == nil {
			delete(g, name)
		}
	}
	return g
}

// same tells whether nothing was changed. The shared memory is no record, and an empty log is none.
func (f files) same(g files) bool {
	for _, name := range []string{dbFile, walFile, mark.Name, register.Name} {
		if !bytes.Equal(f[name], g[name]) {
			return false
		}
	}
	return true
}

// story is a small campaign as several processes wrote it, with the files as they were after each commit.
type story struct {
	page    int // size in octets
	moments []files
	first   files // the first process was just killed: nearly all is in the log
	killed  files // the third was: part is in the file, part in the log
	closed  files // it was closed well instead
}

const (
	people   = 18 // of whom the last never get to be tried
	storyRun = 1
)

var storySpec = Spec{Campaign: "spring", Key: "2026", Secret: []byte("secret"), Host: "1 here", Letter: "l1", Source: "s1"}

// truth is what the third process left, as the story has it.
var truth = func() []delivery.Status {
	s, f, u, n := delivery.Sent, delivery.Failed, delivery.Unknown, delivery.NotTried
	return []delivery.Status{s, s, s, delivery.Deferred, s, delivery.Suppressed, s, u, u, f, n, s, u, u, f, n, n, n}
}()

// tell makes a story with its end, on a file with pages of so many octets: small ones make a file in which every octet can
// be tried.
func tell(t testing.TB, page int, end func(*writing)) *story {
	t.Helper()
	s, dir := &story{page: page}, filepath.Join(t.TempDir(), "state")
	check(t, os.MkdirAll(dir, 0o700))
	if page != 4096 {
		paged(t, dir, page)
	}
	w := &writing{t: t, s: s, dir: dir}
	w.process(storySpec, (*writing).one)
	s.first = pick(t, dir)
	check(t, w.end()) // the second finds a file without a log
	w.process(storySpec, (*writing).two)
	left := pick(t, dir)
	check(t, w.end())
	left.lay(t, dir) // killed, for the third
	w.process(storySpec, end)
	s.killed = pick(t, dir)
	check(t, w.end())
	s.closed = pick(t, dir)
	if len(s.closed[walFile]) > 0 || len(s.killed[walFile]) == 0 {
		t.Fatal("the log is not as it should be")
	}
	return s
}

// paged makes an empty file with pages of another size.
func paged(t testing.TB, dir string, size int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, dbFile))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(fmt.Sprintf(`PRAGMA page_size = %d; CREATE TABLE x (y); DROP TABLE x`, size))
	check(t, errors.Join(err, db.Close(), os.Chmod(filepath.Join(dir, dbFile), 0o600)))
}

// writing writes a story.
type writing struct {
	t    testing.TB
	s    *story
	dir  string
	b    *Book
	r    *Run
	stop func() error
}

func (w *writing) process(s Spec, f func(*writing)) {
	w.t.Helper()
	var err error
	if w.b, err = Open(context.Background(), Options{Dir: w.dir}); err != nil {
		w.t.Fatal(err)
	}
	w.stop = serve(w.b)
	if w.r, err = w.b.Begin(context.Background(), s); err != nil {
		w.t.Fatal(err)
	}
	_, err = w.r.Lookup(context.Background(), everybody(storyRun))
	check(w.t, err)
	f(w)
}

func (w *writing) end() error { return errors.Join(w.stop(), w.r.Close(), w.b.Close()) }

// now keeps the files as they are after a commit.
func (w *writing) now(errs ...error) {
	w.t.Helper()
	check(w.t, errors.Join(append(errs, w.r.Flush(context.Background()))...))
	w.s.moments = append(w.s.moments, pick(w.t, w.dir))
}

func someone(run uint64, n int) delivery.ID {
	return id(&Run{info: RunInfo{ID: run}}, n)
}

func everybody(run uint64) (ids []delivery.ID) {
	for n := range people {
		ids = append(ids, someone(run, n))
	}
	return ids
}

func (w *writing) intend(from, to int) {
	w.t.Helper()
	var ms []*delivery.Message
	for n := from; n <= to; n++ {
		ms = append(ms, &delivery.Message{ID: someone(w.r.info.ID, n), To: fmt.Sprintf("p%d@x.test", n), Print: uint64(n), First: day(n), Journal: w.r})
	}
	w.now(w.r.Intend(ms)(context.Background()))
}

func (w *writing) record(s delivery.Status, ns ...int) {
	w.t.Helper()
	var os []delivery.Outcome
	for _, n := range ns {
		o := delivery.Outcome{ID: someone(w.r.info.ID, n), To: fmt.Sprintf("p%d@x.test", n), Status: s, Attempt: 1, Try: 1, Charged: true,
			Code: 250, Text: "so it was said", Host: "mx.x.test", First: day(n), At: day(n), Print: uint64(n)}
		if s == delivery.Deferred {
			o.Code, o.Next = 450, day(n+1)
		}
		os = append(os, o)
	}
	w.r.Record(os)
	w.now()
}

func day(n int) time.Time { return time.Date(2026, 11, 1+n, 9, 0, 0, 0, time.UTC) }

// one sends to some, and is killed, or ended, with 7 and 8 on the wire.
func (w *writing) one() {
	ctx, b := context.Background(), w.b
	w.now(b.Suppress(ctx, []Suppression{{Whom: "gone@x.test", Reason: "asked", At: day(0)}, {Whom: "@y.test", Scope: "spring", At: day(1)}}))
	w.now(w.r.Expect(ctx, people, people), w.r.Note(ctx, "begun"))
	w.now(w.r.Skip(ctx, []Skipped{{3, 4, "nobody", delivery.ClassInvalid, "no @"}, {5, 6, "", delivery.ClassInvalid, "empty"}}))
	w.intend(0, 3)
	w.record(delivery.Sent, 0, 1)
	w.record(delivery.Failed, 2)
	w.record(delivery.Deferred, 3)
	w.intend(4, 10)
	w.record(delivery.Sent, 4)
	w.record(delivery.Suppressed, 5)
	w.record(delivery.Sent, 6)
	for n := range 8 {
		w.r.Pause(delivery.Pause{Breaker: "policy", Kind: "domain", Name: fmt.Sprintf("%d.test", n), Refused: 5, Of: 9, Text: strings.Repeat("no ", 30), At: day(n)})
	}
	w.now()
	w.record(delivery.Failed, 9)
	w.record(delivery.NotTried, 10)
}

// two begins other runs as well, and is killed with 12 and 13 on the wire.
func (w *writing) two() {
	ctx := context.Background()
	for n := range 4 {
		other, err := w.b.Begin(ctx, Spec{Campaign: fmt.Sprintf("other%d", n), Secret: storySpec.Secret, Host: storySpec.Host, Source: strings.Repeat("s", 64)})
		check(w.t, err)
		other.Record([]delivery.Outcome{{ID: someone(other.info.ID, n), Status: delivery.Sent}})
		w.now(other.Flush(ctx), other.Note(ctx, strings.Repeat("a note ", 10)), other.Close())
	}
	for n := range 8 {
		w.r.Pause(delivery.Pause{Kind: "domain", Name: fmt.Sprintf("%d.test", n), Over: n > 0})
	}
	w.now()
	w.intend(11, 11)
	w.record(delivery.Sent, 11)
	w.intend(12, 13)
	w.now(w.b.Suppress(ctx, []Suppression{{Whom: "gone@x.test", At: day(3), Removed: true}}))
}

// three has what failed tried again: 2 is sent now, 9 is not come to and stays failed; and 14 fails.
func (w *writing) three() {
	ctx := context.Background()
	_, err := w.r.Reopen(ctx, delivery.Failed, 0, nil)
	w.now(err)
	w.intend(2, 2)
	w.record(delivery.Sent, 2)
	w.now(w.r.Keep(ctx, []string{"email", "name"}, []Kept{{ID: someone(storyRun, 9), To: "p9@x.test", Fields: []string{"p9@x.test", "Nine"}}}))
	w.intend(14, 14)
	w.record(delivery.Failed, 14)
}

// otherwise has others sent to instead.
func (w *writing) otherwise() {
	w.intend(15, 17)
	w.record(delivery.Sent, 15)
	w.record(delivery.Failed, 16)
}
