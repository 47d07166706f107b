package journal

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/journaltest"
)

func TestSuite(t *testing.T) { both(t, testSuite) }

func testSuite(t *testing.T) {
	checks := 100
	if at(t, "").Server != "" { // whose journals take longer to make
		checks = 10
	}
	journaltest.Run(t, checks, func(t testing.TB, dir string) journaltest.Process {
		b, err := Open(context.Background(), at(t, filepath.Join(dir, "state")))
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.Begin(context.Background(), Spec{Campaign: "spring"})
		if err != nil {
			t.Fatal(err)
		}
		stop := serve(b)
		return journaltest.Process{Run: r.info.ID, Journal: r, Status: func(ctx context.Context, ids []delivery.ID) ([]delivery.Status, error) {
			states, err := r.Lookup(ctx, ids)
			out := make([]delivery.Status, len(states))
			for i := range states {
				out[i] = states[i].Status
			}
			return out, err
		}, End: func(t testing.TB) {
			check(t, stop())
			check(t, r.Close())
			check(t, b.Close())
		}}
	})
}
