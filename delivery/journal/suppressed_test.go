package journal

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/mailblast/mailblast/delivery/journal/refusal"
)

// The suppression list keeps every entry, and does not forget one silently.
func TestSuppressions(t *testing.T) { both(t, testSuppressions) }

func testSuppressions(t *testing.T) {
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "state")
	b := open(t, dir)
	until := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	want := []Suppression{
		{Seq: 1, Whom: "ana@x.test", Reason: "complaint", At: until},
		{Seq: 2, Whom: "@y.test", Scope: "spring", Until: until, At: until},
		{Seq: 3, Whom: "ana@x.test", At: until, Removed: true},
	}
	check(t, b.Suppress(ctx, want[:2]))
	check(t, b.Suppress(ctx, want[2:]))
	read := func(after int64) (got []Suppression, err error) {
		for s, err := range b.Suppressions(ctx, after) {
			if err != nil {
				return got, err
			}
			got = append(got, s)
		}
		return got, nil
	}
	got, err := read(0)
	check(t, err)
	for i := range want {
		if len(got) != 3 || got[i].Whom != want[i].Whom || !got[i].Until.Equal(want[i].Until) || got[i].Removed != want[i].Removed || got[i].Seq != want[i].Seq ||
			got[i].Reason != want[i].Reason || got[i].Scope != want[i].Scope {
			t.Fatalf("got %+v", got)
		}
	}
	if got, err := read(2); err != nil || len(got) != 1 || !got[0].Removed {
		t.Errorf("behind 2: %+v, %v", got, err)
	}
	for _, harm := range []string{`DELETE FROM suppressed WHERE seq = 3`, `UPDATE suppressed SET whom = 'bob@x.test' WHERE seq = 1`, `DELETE FROM suppressed WHERE seq = 1`} {
		_, err := b.read().Exec(harm)
		check(t, err)
		var damaged *refusal.DamagedError
		if _, err := read(0); !errors.As(err, &damaged) {
			t.Errorf("%s: %v", harm, err)
		}
	}
}
