package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/mark"
	"github.com/mailblast/mailblast/delivery/journal/refusal"
	"github.com/mailblast/mailblast/delivery/journal/register"
)

// covered puts a page of a table into the place of another with as many rows: what was there is gone, and every row that is left is intact.
// Pages of the table are known by what only its rows say.
func covered(t *testing.T, f files, says string) files {
	t.Helper()
	const size = 4096
	b := slices.Clone(f[dbFile])
	leaves := map[[2]byte]int{} // by how many rows they have
	for at := 0; at < len(b); at += size {
		if b[at] != 0x0d || bytes.Count(b[at:at+size], []byte(says)) < 2 {
			continue
		}
		n := [2]byte(b[at+3:])
		if from, two := leaves[n]; two {
			copy(b[at:at+size], b[from:])
			return f.with(files{dbFile: b})
		}
		leaves[n] = at
	}
	t.Fatalf("no two pages with %q have as many rows", says)
	return nil
}

// A page that a disk wrote into the place of another has intact rows, but those it covers are gone: they are missed.
func TestCoveredPages(t *testing.T) {
	ctx, dir := context.Background(), memory(t)
	b := open(t, dir)
	stop := serve(b)
	r := begin(t, b, Spec{Campaign: "spring"})
	var os []delivery.Outcome
	for n := range 400 {
		os = append(os, delivery.Outcome{ID: id(r, n), Status: delivery.Sent, Host: "mx.x.test", Text: strings.Repeat("2.0.0 ok ", 10)})
	}
	r.Record(os)
	check(t, r.Flush(ctx))
	for n := range 40 { // ends with the run's row settled, and a table of runs with several pages
		other := begin(t, b, Spec{Campaign: fmt.Sprintf("other%d", n), Source: strings.Repeat("source", 50)})
		check(t, other.Close())
	}
	again := begin(t, b, Spec{Campaign: "spring"})
	check(t, errors.Join(again.Close(), stop(), r.Close(), b.Close()))
	f := pick(t, dir)
	for says, want := range map[string]string{"mx.x.test": "rows of outcomes are", "sourcesource": "rows of runs are"} {
		covered(t, f, says).with(files{register.Name: nil}).lay(t, dir)
		err := try(t, Options{Dir: dir}, Spec{Campaign: "spring"})
		var damaged *refusal.DamagedError
		if !errors.As(err, &damaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// What SQLite believes of its header, and would go by, is held against what ours say.
func TestHeader(t *testing.T) {
	dir := memory(t)
	sent(t, dir, Spec{Campaign: "spring"}, 3)
	f := pick(t, dir)
	for at, octet := range map[int]byte{18: 6, 19: 1, 20: 8, 47: 0x84, 55: 9, 59: 2, 63: 1, 67: 1, 71: 1, 80: 1} {
		c := slices.Clone(f[dbFile])
		c[at] = octet
		f.with(files{dbFile: c}).lay(t, dir)
		err := try(t, Options{Dir: dir}, Spec{Campaign: "spring"})
		var damaged *refusal.DamagedError
		if !errors.As(err, &damaged) {
			t.Errorf("octet %d is %d: %v", at, octet, err)
		}
		if !pick(t, dir).same(f.with(files{dbFile: c})) {
			t.Errorf("octet %d is %d: the refusal changed the files", at, octet)
		}
	}
}

// A log whose file was cut to nothing, or to an octet, is kept: SQLite would throw it away.
func TestLogKept(t *testing.T) {
	s, dir := tell(t, 512, (*writing).three), memory(t)
	for n := range 2 {
		f := s.first.with(files{dbFile: s.first[dbFile][:n]})
		f.lay(t, dir)
		if err := try(t, Options{Dir: dir}, storySpec); !typed(err) || !pick(t, dir).same(f) {
			t.Errorf("cut to %d: %v", n, err)
		}
	}
}

// Another journal that has a run of the same name is none of that run, unless a person says so; and back again.
func TestAnotherJournal(t *testing.T) {
	dir, spring := stateDir(t), Spec{Campaign: "spring"}
	sent(t, dir, spring, 2)
	there := stateDir(t)
	sent(t, there, spring, 1)
	ours, theirs := pick(t, dir), pick(t, there)
	over := spring
	over.StartOver = true
	for n, f := range []files{theirs, ours} {
		pick(t, dir).with(files{dbFile: f[dbFile], mark.Name: f[mark.Name]}).lay(t, dir)
		var lost *refusal.LostError
		if err := try(t, Options{Dir: dir}, spring); !errors.As(err, &lost) || lost.Missing || len(lost.Runs) != 1 {
			t.Errorf("%d: got %v", n, err)
		}
		check(t, try(t, Options{Dir: dir}, over))
		check(t, try(t, Options{Dir: dir}, spring))
	}
}
