package delivery

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailblast/mailblast/delivery/pace"
)

// A source that asks first reads on while some queue has little left, and no further.
func TestHungryHoldsTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fakeSender{answer: func(ctx context.Context, _ string, _ int, _ *Batch) []Outcome {
			wait(ctx, time.Second)
			return nil
		}}
		r := newRig(t, Options{Connections: 10, General: QueueOptions{Sender: slow, PerDomain: 3}})
		end := r.start(context.Background())
		read, most := 0, 0
		for i := range 3000 {
			if err := r.d.Hungry(context.Background()); err != nil {
				t.Fatal(err)
			}
			r.submit(fmt.Sprintf("d%d.example", i%100), 1)
			read++
			most = max(most, r.d.Stats()[0].Waiting)
		}
		if most > 300 || most < 200 {
			t.Errorf("%d waited at most", most)
		}
		r.d.Close()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if got := r.j.finals()[Sent]; got != read {
			t.Errorf("%d sent of %d", got, read)
		}
	})
}

// What is deferred waits as records, past ten thousand of them in the spill file, and all of it comes back.
func TestManyDeferredAreSpilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tried := map[ID]bool{}
		r := newRig(t, Options{Connections: 1, Retry: pace.Retry{First: 10 * time.Minute, Jitter: true}, General: QueueOptions{Sender: &fakeSender{
			answer: func(_ context.Context, _ string, _ int, b *Batch) []Outcome {
				if id := b.Messages[0].ID; !tried[id] {
					tried[id] = true
					return all(b, softRcpt)
				}
				return nil
			}}}})
		end := r.start(context.Background())
		r.submit("a.example", 30_000)
		synctest.Wait()
		if s := r.d.Stats()[0]; s.Deferred != 30_000 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
		r.d.Close()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if got := r.j.finals()[Sent]; got != 30_000 {
			t.Errorf("%d sent", got)
		}
	})
}
