package journal

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/mailblast/mailblast/delivery"
	"github.com/mailblast/mailblast/delivery/journal/state"
)

// retryEnds are the ways in which a process may leave one whom it was told to try again, and what they are to the next one that
// was told nothing.
var retryEnds = []struct {
	name   string
	do     func(t *testing.T, r *Run, m *delivery.Message)
	status delivery.Status // NotTried: what they were before
}{
	{"not come to", func(*testing.T, *Run, *delivery.Message) {}, delivery.NotTried},
	{"taken back", func(t *testing.T, r *Run, m *delivery.Message) {
		check(t, r.Intend([]*delivery.Message{m})(context.Background()))
		r.Record([]delivery.Outcome{{ID: m.ID, To: m.To, Status: delivery.NotTried}})
	}, delivery.NotTried},
	{"on the wire", func(t *testing.T, r *Run, m *delivery.Message) {
		check(t, r.Intend([]*delivery.Message{m})(context.Background()))
	}, delivery.Unknown},
	{"put off", retryEnd(delivery.Deferred), delivery.Deferred},
	{"sent", retryEnd(delivery.Sent), delivery.Sent},
	{"failed", retryEnd(delivery.Failed), delivery.Failed},
}

func retryEnd(s delivery.Status) func(*testing.T, *Run, *delivery.Message) {
	return func(t *testing.T, r *Run, m *delivery.Message) {
		check(t, r.Intend([]*delivery.Message{m})(context.Background()))
		r.Record([]delivery.Outcome{{ID: m.ID, To: m.To, Status: s, Attempt: 1, Try: 1, Charged: true}})
	}
}

// Who was to be tried again, and was not come to, is what they were to whoever looks and to every later process, until one is
// told again to try them. That holds however often it is cut, and whatever others do meanwhile.
func TestRetryCut(t *testing.T) { both(t, testRetryCut) }

func testRetryCut(t *testing.T) {
	t.Parallel()
	for _, was := range []delivery.Status{delivery.Unknown, delivery.Failed, delivery.Suppressed} {
		t.Run(was.String(), func(t *testing.T) {
			t.Parallel()
			retryCut(t, was)
		})
	}
}

func retryCut(t *testing.T, was delivery.Status) {
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "state")
	people := len(retryEnds)
	process := func(f func(*Book, *Run)) {
		t.Helper()
		b := open(t, dir)
		stop := serve(b)
		r := begin(t, b, Spec{Campaign: "spring"})
		f(b, r)
		check(t, r.Flush(ctx))
		check(t, stop())
		check(t, r.Close())
		check(t, b.Close())
	}
	process(func(_ *Book, r *Run) {
		for n := range people {
			r.Record([]delivery.Outcome{{ID: id(r, n), To: message(r, n).To, Status: was, Attempt: 2, Try: 2, Charged: true, Text: fmt.Sprint("the first of ", n)}})
		}
	})
	for range 2 { // cut twice
		process(func(_ *Book, r *Run) {
			if n, err := r.Reopen(ctx, was, 0, nil); n == 0 || err != nil {
				t.Fatalf("%d reopened, %v", n, err)
			}
			for n, s := range statesOf(t, r, people) {
				if s.Status == delivery.NotTried {
					retryEnds[n].do(t, r, message(r, n))
				}
			}
			if n, err := r.Gone(ctx); n != 0 || err != nil { // all of the list was looked up
				t.Errorf("%d gone, %v", n, err)
			}
		})
	}
	for range 2 {
		process(func(b *Book, r *Run) {
			all := map[delivery.ID]delivery.Outcome{}
			for _, o := range collect(t, b, r) {
				all[o.ID] = o
			}
			for n, s := range statesOf(t, r, people) {
				want := retryEnds[n].status
				if want == delivery.NotTried {
					want = was
				}
				if o := all[id(r, n)]; s.Status != want || o.Status != want {
					t.Errorf("%s, %s: found %s, told as %s; want %s", was, retryEnds[n].name, s.Status, o.Status, want)
				}
				if o := all[id(r, n)]; retryEnds[n].status == delivery.NotTried && (o.Text != fmt.Sprint("the first of ", n) || o.Try != 2) {
					t.Errorf("%s, %s: told as %+v", was, retryEnds[n].name, o)
				}
			}
			r.Record([]delivery.Outcome{{ID: id(r, people), To: "new@x.test", Status: delivery.Sent}})
		})
	}
}

// Rows that are not on the list any more leave those as they were whom this process was to try again.
func TestRetryGone(t *testing.T) { both(t, testRetryGone) }

func testRetryGone(t *testing.T) {
	t.Parallel()
	ctx, b := context.Background(), open(t, filepath.Join(t.TempDir(), "state"))
	stop := serve(b)
	r := begin(t, b, Spec{Campaign: "spring"})
	r.Record([]delivery.Outcome{{ID: id(r, 1), Status: delivery.Unknown}})
	check(t, r.Flush(ctx))
	r = begin(t, b, Spec{Campaign: "spring"})
	_, err := r.Reopen(ctx, delivery.Unknown, 0, nil)
	check(t, err)
	if n, err := r.Gone(ctx); n != 0 || err != nil {
		t.Errorf("%d gone, %v", n, err)
	}
	if r = begin(t, b, Spec{Campaign: "spring"}); statesOf(t, r, 2)[1].Status != delivery.Unknown {
		t.Error("not unknown any more")
	}
	check(t, stop())
}

func statesOf(t *testing.T, r *Run, people int) []state.State {
	t.Helper()
	var ids []delivery.ID
	for n := range people {
		ids = append(ids, id(r, n))
	}
	got, err := r.Lookup(context.Background(), ids)
	check(t, err)
	return got
}
