package repair_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/journal"
	"github.com/mailblast/mailblast/delivery/journal/repair"
	"github.com/mailblast/mailblast/delivery/journal/salvage"
)

// Whatever octets a disk changes, in whichever file: a repair leaves a journal that is sound, in which nobody is sent who was not,
// and nobody unsent who may have got their mail.
func TestFaultAnyOctetRepaired(t *testing.T) {
	t.Parallel()
	whole := filepath.Join(t.TempDir(), "state")
	p, err := begin(t, whole, journal.Spec{Campaign: "spring"})
	check(t, err)
	p.give(t, sent, failed, later, no, sent, no, sent, later, failed)
	live := filepath.Join(t.TempDir(), "state") // with its write-ahead log, as after a kill
	check(t, os.CopyFS(live, os.DirFS(whole)))
	p.end(t)
	rng, damaged, doubted := rand.New(rand.NewPCG(7, 7)), 0, 0
	for round := range rounds() {
		dir := filepath.Join(t.TempDir(), "state")
		check(t, errors.Join(os.CopyFS(dir, os.DirFS([]string{whole, live}[round%2])), os.Chmod(dir, 0o700)))
		what := harm(t, dir, rng)
		_, f, err := tryMend(t, dir)
		switch {
		case errors.Is(err, repair.ErrNothing):
			continue
		case err != nil:
			t.Fatalf("%s: %v", what, err)
		case !f.Sound():
			damaged++
		}
		p, err := begin(t, dir, journal.Spec{Campaign: "spring"})
		if err != nil {
			t.Fatalf("%s: %v\n%+v", what, err, f)
		}
		if !p.Info().Doubt.IsZero() {
			doubted++
		}
		got := fmt.Sprint(p.states(t, 9))
		p.end(t)
		for n, s := range strings.Fields(strings.Trim(got, "[]")) {
			was := strings.Fields("sent failed deferred unknown sent unknown sent deferred failed")[n]
			if s != was && s != "unknown" {
				t.Errorf("%s: %d was %s, and is %s\n%+v", what, n, was, s, f)
			}
		}
	}
	if damaged == 0 || doubted == 0 {
		t.Errorf("%d damaged, %d in doubt", damaged, doubted)
	}
	t.Attr("fault", "R13 octets of the journal's files are changed; it is repaired")
	t.Attr("expected", "never a wrong sent, never silently unsent")
	t.Attr("seen", fmt.Sprintf("%d journals damaged, %d of them with runs in doubt: each state as it was, or unknown", damaged, doubted))
}

func rounds() int {
	if os.Getenv("MAILBLAST_LONG") != "" {
		return 1000
	}
	return 16
}

// harm changes some octets that follow each other, or cuts a file.
func harm(t *testing.T, dir string, rng *rand.Rand) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	for {
		name := entries[rng.IntN(len(entries))].Name()
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil || len(b) == 0 || !strings.HasPrefix(name, "journal.") || strings.HasSuffix(name, "-shm") || name == "journal.ballast" {
			continue
		}
		at, n := rng.IntN(len(b)), 1<<rng.IntN(13)
		if rng.IntN(6) == 0 {
			check(t, os.Truncate(path, int64(at)))
			return fmt.Sprintf("%s cut at %d", name, at)
		}
		for i := at; i < min(at+n, len(b)); i++ {
			b[i] ^= byte(1 + rng.IntN(255))
		}
		check(t, os.WriteFile(path, b, 0o600))
		return fmt.Sprintf("%s changed at %d, %d octets", name, at, n)
	}
}

// tryMend repairs what is not sound.
func tryMend(t *testing.T, dir string) (r repair.Result, f *salvage.Finding, err error) {
	t.Helper()
	w, err := salvage.Open(t.Context(), salvage.Place{Dir: dir})
	check(t, err)
	defer func() { check(t, w.Close()) }()
	if f, err = w.Judge(t.Context()); err != nil || f.Sound() {
		return r, f, err
	}
	r, err = repair.Run(t.Context(), salvage.Place{Dir: dir}, w, f, time.Unix(1_800_000_000, 0))
	return r, f, err
}
