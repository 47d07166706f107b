package journal

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The keys of runs are known from the journal, from the list of runs where that is gone, and from each where the other lacks some.
func TestKeys(t *testing.T) {
	dir := stateDir(t)
	for _, key := range []string{"2026-W08", "2026-W09"} {
		sent(t, dir, Spec{Campaign: "spring", Key: key}, 1)
	}
	sent(t, dir, Spec{Campaign: "spring", Key: "2026-W08", Again: true}, 1)
	keys := func(want ...string) {
		t.Helper()
		got, err := Keys(context.Background(), at(t, dir), "spring")
		if check(t, err); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	keys("2026-W08", "2026-W09")
	check(t, os.Remove(filepath.Join(dir, "journal.db")))
	keys("2026-W08", "2026-W09")
	check(t, try(t, Options{Dir: dir, StartOver: true}, Spec{Campaign: "spring", Key: "2026-W10"}))
	keys("2026-W10", "2026-W08", "2026-W09")
	check(t, os.Remove(filepath.Join(dir, "journal.runs")))
	keys("2026-W10")
}
