package journal

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/mailblast/mailblast/delivery"
)

// OnWire counts the intents that no outcome answers, of one run alone, in every process anew; and those become unknown at the next
// Begin.
func TestOnWire(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "state")
	process := func(campaign string, f func(*Run)) {
		t.Helper()
		b := open(t, dir)
		stop := serve(b)
		r := begin(t, b, Spec{Campaign: campaign})
		f(r)
		check(t, r.Flush(ctx))
		check(t, stop())
		check(t, r.Close())
		check(t, b.Close())
	}
	intend := func(r *Run, ns ...int) {
		for _, n := range ns {
			check(t, r.Intend([]*delivery.Message{message(r, n)})(ctx))
		}
	}
	record := func(r *Run, s delivery.Status, n int) {
		r.Record([]delivery.Outcome{{ID: id(r, n), To: message(r, n).To, Status: s, Attempt: 1, Try: 1, Charged: true}})
	}
	wire := func(want map[string]int) {
		t.Helper()
		b, err := Look(ctx, Options{Dir: dir})
		check(t, err)
		for campaign, n := range want {
			info, err := b.Latest(ctx, campaign)
			check(t, err)
			if got, err := b.OnWire(ctx, info); got != n || err != nil {
				t.Errorf("%s: %d on the wire, %v, want %d", campaign, got, err, n)
			}
		}
		check(t, b.Close())
	}
	process("spring", func(r *Run) {
		intend(r, 0, 1, 2, 3)
		record(r, delivery.Sent, 0)
		record(r, delivery.NotTried, 1) // taken, and given back
		record(r, delivery.Deferred, 2)
		intend(r, 2)
	})
	process("winter", func(r *Run) { intend(r, 0) })
	wire(map[string]int{"spring": 2, "winter": 1})
	process("spring", func(r *Run) {
		if n := r.Before().Unknown; n != 2 {
			t.Errorf("%d unknown, want 2", n)
		}
		intend(r, 1)
	})
	wire(map[string]int{"spring": 1, "winter": 1})
	process("spring", func(r *Run) {
		record(r, delivery.Sent, 1)
		check(t, r.Finish(ctx))
	})
	wire(map[string]int{"spring": 0, "winter": 1})
}
